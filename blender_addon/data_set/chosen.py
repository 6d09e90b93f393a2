"""What was chosen at a click, or by a script's call: plain values, read once, since operators and selections do not last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.seeds import parse_seeds

from ..lasting.identity import Held, hold
from ..subjects import subject_token
from ..viewpoints import selected_cameras
from .rules import CameraRule

_DIGITS = 6
"""Of a Blender float, which has seven."""
_OBJECTS = ("camera", "test_camera", "center_object")
_SWITCHES = ("with_channel_", "with_format_")
"""How the names of the panel's switches begin, which say again what flags say."""


@dataclass(frozen=True)
class Chosen:
    """A choice.

    Attributes:
        values: by the names of `options.DataSetOptions`; flags sorted, vectors as tuples.
        subjects: the part of a request that says which subjects.
        selected: the cameras that were selected.
        objects: by the names in `_OBJECTS`, those that were chosen.
        by_script: the names of the values that a script has given.
    """

    values: Mapping[str, Any]
    subjects: Mapping[str, Any]
    selected: tuple[Held, ...]
    objects: Mapping[str, Held]
    by_script: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def rule(self, kind: Any, center: tuple[float, float, float] | None, *, of_tests: bool = False) -> CameraRule:
        """The rule of the cameras, or of the test cameras, which have a count and a seed of their own.

        Args:
            center: in the model's world; None: the subject's.
        """
        start = "test_" if of_tests else ""
        return CameraRule(
            kind=kind,
            count=self[f"{start}count"],
            yaw_deg=None if self["own_angles"] else self["yaw"],
            pitch_deg=None if self["own_angles"] else self["pitch"],
            seed=self[f"{start}camera_seed"],
            upper=self["upper"],
            radius=self["radius"] or None,
            fov_deg=self["fov_deg"] or None,
            center=center,
            outwards=self["outwards"],
        )


def chosen(context: bpy.types.Context, given: Any = None, subjects_from: str = "") -> Chosen:
    """What the panel says, and an operator's own properties where a script has set them.

    Args:
        given: the operator; None: the panel alone counts.
        subjects_from: takes the place of what the panel Data Set says of that; "": it counts.

    Raises:
        UsageError: seeds that are none, two ways to say which subjects, or an object that is not there.
    """
    scene = context.scene
    settings = scene.dnerf.data_set
    is_set = _is_set(given)
    values = {}
    for name in _names(settings):
        if name not in _OBJECTS and not name.startswith(_SWITCHES):
            values[name] = plain(getattr(given if name in is_set else settings, name))
    if subjects_from:
        values["subjects_from"] = subjects_from
    if {"yaw", "pitch"} & is_set and "own_angles" not in is_set:
        values["own_angles"] = False
    objects = {}
    for name in _OBJECTS:
        item = _named(scene, name, getattr(given, name)) if name in is_set else getattr(settings, name)
        if item is not None:
            objects[name] = hold(item)
    if "center_object" in is_set and "center" not in is_set:
        values["center"] = "OBJECT"
    if "center_point" in is_set and "center" not in is_set:
        values["center"] = "POINT"
    return Chosen(values, _subjects(scene, values, is_set, given), tuple(selected_cameras(context)), objects, frozenset(is_set))


def _is_set(given: Any) -> set[str]:
    """The names of the properties that a script has set."""
    if given is None:
        return set()
    return {name for name in _names(given.properties) if given.properties.is_property_set(name)}


def _names(holder: Any) -> list[str]:
    """The names of the properties of a group, or of an operator's properties."""
    return [item.identifier for item in holder.bl_rna.properties if item.identifier not in ("rna_type", "name")]


def plain(value: Any) -> Any:
    """A property's value as Python's own: floats rounded to what Blender holds of them."""
    if isinstance(value, float):
        return round(value, _DIGITS) + 0.0
    if isinstance(value, set):
        return sorted(value)
    return value if isinstance(value, bool | int | str) else tuple(plain(float(item)) for item in value)


def _named(scene: bpy.types.Scene, what: str, name: str) -> bpy.types.Object | None:
    """An object of the scene by its name; None: the name is empty."""
    item = scene.objects.get(name)
    if name and item is None:
        raise UsageError(f"{what}: expected an object of the scene {scene.name!r}, found none of the name {name!r}; correct it")
    return item


def _subjects(scene: bpy.types.Scene, values: Mapping[str, Any], is_set: set[str], given: Any) -> dict[str, Any]:
    """The part of a request that says which subjects: `seeds` or `subjects` with `truncation`, or `subject_files`."""
    if {"seeds", "subjects"} <= is_set:
        raise UsageError("seeds and subjects: expected one of them, found both; leave one out")
    source = "SEEDS" if "seeds" in is_set else "FIRST" if "subjects" in is_set else values["subjects_from"]
    own = json.loads(subject_token(scene)) if source == "ONE" else {"truncation": plain(scene.dnerf.truncation)}
    if "truncation" in is_set:
        if "subject_file" in own:
            raise UsageError("truncation: expected none of a subject file, found one; leave it out, or give seeds")
        own["truncation"] = plain(given.truncation)
    truncation = {"truncation": own["truncation"]} if own.get("truncation", 1.0) != 1.0 else {}
    if "subject_file" in own:
        return {"subject_files": [own["subject_file"]]}
    if source == "ONE":
        return {"seeds": [own["seed"]], **truncation}
    if source == "FIRST":
        if not values["subjects"]:
            raise UsageError("subjects: expected how many of the first seeds, found 0; choose a number")
        return {"subjects": values["subjects"], **truncation}
    return {"seeds": list(seeds_of(values["seeds"])), **truncation}


@lru_cache(maxsize=2)
def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds from text such as `0-9`; kept, since the panel asks at every redraw.

    Raises:
        UsageError: it is not of that form.
    """
    try:
        return parse_seeds(text)
    except ValueError as error:
        raise UsageError(f"seeds: {error}") from error
