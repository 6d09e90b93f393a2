"""Which model and which subjects a job is of: the scene's, or those that a script gives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError
from dnerf_core.seeds import parse_seeds

from ..model_facts import EMBEDDED_MODELS, chosen_model
from ..places import absolute_path
from ..subjects import file_subject_stem, seed_stem, seed_token, subject_stem, subject_token
from .given import Given

WAYS = ("seeds", "subjects", "subject_files")
"""Options that say which subjects: one of them at most is given."""


@dataclass(frozen=True)
class ChosenSubject:
    """A subject of a model.

    Attributes:
        model: as requests have it.
        token: see `subjects.subject_token`.
        stem: how names of what is made of it begin.
    """

    model: str
    token: str
    stem: str

    @property
    def params(self) -> dict[str, Any]:
        """The params that every request about it shares."""
        return {"model": self.model, **json.loads(self.token)}


def model_given(scene: bpy.types.Scene, given: Given) -> str:
    """The model that a call gives, or the scene's, as requests have it.

    Raises:
        UsageError: there is none, or its file has gone.
    """
    return named_model(given["model"]) if given.has("model") else chosen_model(scene)


def own_model(given: Given) -> str:
    """The model that a call gives; "": it gives none, and the scene's is meant.

    Raises:
        UsageError: there is no such model.
    """
    return named_model(given["model"]) if given.has("model") else ""


def named_model(text: str) -> str:
    """An embedded model's name as it is, a file as its absolute path.

    Raises:
        UsageError: there is no such model.
    """
    if text in EMBEDDED_MODELS:
        return text
    path = absolute_path(text, "model")
    if not path.is_file():
        raise UsageError(f"model: expected {' or '.join(EMBEDDED_MODELS)}, or a model file, found none at {path}; correct it")
    return str(path)


def chosen_subjects(scene: bpy.types.Scene, given: Given) -> tuple[ChosenSubject, ...]:
    """The subjects of the options `seeds`, `subjects`, `subject_files` and `truncation`; where none is given, the scene's.

    Raises:
        UsageError: there are no such, or the options do not go together.
    """
    model = model_given(scene, given)
    check_ways(given)
    if given.has("subject_files"):
        if given.has("truncation"):
            raise UsageError("truncation: expected none of subject files, found one; leave it out, or give seeds")
        return tuple(file_subject(model, path) for path in given.files("subject_files"))
    if not any(map(given.has, (*WAYS, "truncation"))):
        return (ChosenSubject(model, subject_token(scene), subject_stem(scene)),)
    if given.has("seeds"):
        seeds = seeds_of(given["seeds"])
    elif given.has("subjects"):
        seeds = first_seeds(given["subjects"])
    elif scene.dnerf.subject_file:
        raise UsageError("truncation: expected none of a subject file, found one; leave it out, or give seeds")
    else:
        seeds = (scene.dnerf.seed,)
    truncation = given["truncation"]
    return tuple(ChosenSubject(model, seed_token(seed, truncation), seed_stem(seed, truncation)) for seed in seeds)


def chosen_subject(scene: bpy.types.Scene, given: Given) -> ChosenSubject:
    """The subject of the options `seed`, `subject_file` and `truncation` of a job on one; where none is given, the scene's.

    Raises:
        UsageError: as `chosen_subjects`.
    """
    model = model_given(scene, given)
    if given.has("subject_file"):
        for name in ("seed", "truncation"):
            if given.has(name):
                raise UsageError(f"{name}: expected none beside subject_file, found {given[name]:g}; leave it out")
        return file_subject(model, given.file("subject_file"))
    if not (given.has("seed") or given.has("truncation")):
        return ChosenSubject(model, subject_token(scene), subject_stem(scene))
    if not given.has("seed") and scene.dnerf.subject_file:
        raise UsageError("truncation: expected none of a subject file, found one; leave it out, or give a seed")
    seed, truncation = given["seed"], given["truncation"]
    return ChosenSubject(model, seed_token(seed, truncation), seed_stem(seed, truncation))


def file_subject(model: str, path: Path) -> ChosenSubject:
    """The subject of a file."""
    return ChosenSubject(model, json.dumps({"subject_file": str(path)}), file_subject_stem(str(path)))


def check_ways(given: Given) -> None:
    """Refuse two ways to say which subjects.

    Raises:
        UsageError: both are given.
    """
    ways = [name for name in WAYS if given.has(name)]
    if len(ways) > 1:
        raise UsageError(f"{ways[0]} and {ways[1]}: expected one of them, found both; leave one out")


def first_seeds(count: int) -> tuple[int, ...]:
    """The first so many seeds.

    Raises:
        UsageError: none.
    """
    if not count:
        raise UsageError(f"subjects: expected {job_ranges.SUBJECTS.expected}, found 0; choose a number")
    return tuple(range(count))


@lru_cache(maxsize=2)
def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds from text such as `0-9`; kept, since panels ask at every redraw.

    Raises:
        UsageError: it is not of that form.
    """
    try:
        return parse_seeds(text)
    except ValueError as error:
        raise UsageError(f"seeds: {error}") from error
