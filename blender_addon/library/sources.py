"""Which subject of which model an object is of, as text that a .blend file keeps. Another's file is not trusted: all of it is checked."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.checkpoints.safetensors_layout import MODEL, SUBJECT, FileKind, file_kind
from dnerf_core.errors import UsageError
from dnerf_core.job_ranges import SEED, TRUNCATION

from ..model_facts import EMBEDDED_MODELS, ModelFacts, known_facts
from ..ranged import MAX_INT
from ..scene.errors import SceneError
from ..scripting.which import ChosenSubject

SOURCE_PROPERTY = "dnerf_source"
"""On an asset: a `Source` as JSON."""
_NETWORK_PATHS = ("\\\\", "//")


@dataclass(frozen=True)
class Source:
    """A subject and its model.

    Attributes:
        model: an embedded model's name, or the absolute path of a model file.
        model_name: what its generator is called.
        model_sha256: of the model's file.
        seed, truncation: of a subject of a seed.
        subject_file: the absolute path of its subject file; "": it has a seed.
    """

    model: str
    model_name: str
    model_sha256: str
    seed: int = 0
    truncation: float = 1.0
    subject_file: str = ""

    @classmethod
    def of_subject(cls, subject: ChosenSubject, facts: ModelFacts) -> Source:
        """What a job is of.

        Args:
            facts: of its model.
        """
        return cls(subject.model, facts.name, facts.sha256, **json.loads(subject.token))

    @classmethod
    def noted(cls, item: bpy.types.Object) -> Source:
        """What an object says of itself.

        Raises:
            SceneError: nothing, or something that cannot be.
        """
        try:
            fields = json.loads(item[SOURCE_PROPERTY])
            found = cls(**fields)
            texts = (found.model, found.model_name, found.model_sha256, found.subject_file)
            whole = type(found.seed) is int and SEED.low <= found.seed <= min(SEED.high or MAX_INT, MAX_INT)
            if not whole or not all(isinstance(text, str) for text in texts) or not _is_truncation(found.truncation):
                raise ValueError("a value that no subject has")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise SceneError(
                f"{item.name}: expected the property {SOURCE_PROPERTY} as Make Asset wrote it, found another ({error}); make it again"
            ) from None
        return found

    def to_json(self) -> str:
        """As the property holds it."""
        return json.dumps(vars(self))

    @property
    def line(self) -> str:
        """For people."""
        if self.subject_file:
            return f"{self.model_name}, subject file {Path(self.subject_file).name}"
        return f"{self.model_name}, seed {self.seed}, truncation {self.truncation:g}"


def has_source(item: bpy.types.Object | None) -> bool:
    """Whether an object says which subject it is of."""
    return item is not None and SOURCE_PROPERTY in item


def model_setting(scene: bpy.types.Scene, source: Source) -> dict[str, Any]:
    """The panel's settings that choose a source's model, by their names; none where it is the one that is chosen.

    Raises:
        UsageError: its file is not there, or is none.
    """
    if source.model in EMBEDDED_MODELS:
        return {"model_kind": "EMBEDDED", "embedded_model": source.model}
    facts = known_facts(scene)
    if facts is not None and facts.sha256 == source.model_sha256:
        return {}
    path = _own_file(source.model, MODEL)
    if path is None:
        raise UsageError(
            f"model {source.model_name}: expected its file at {source.model}, found none; choose the file, press Load Model, and repeat"
        )
    return {"model_path": str(path), "model_kind": "FILE"}


def subject_file(source: Source, folder: Path | None) -> Path | None:
    """The subject file of a source; None: it has a seed.

    Args:
        folder: where a file of that name is looked for, too.

    Raises:
        UsageError: there is none.
    """
    if not source.subject_file:
        return None
    here = None if folder is None else _own_file(str(folder / Path(source.subject_file).name), SUBJECT)
    path = _own_file(source.subject_file, SUBJECT) or here
    if path is None:
        raise UsageError(
            f"subject: expected its file at {source.subject_file}, found none; copy it there, or into the folder New files"
        )
    return path


def _own_file(text: str, kind: FileKind) -> Path | None:
    """A file of a kind on this computer; None: there is none. Another computer is not asked for one because a .blend file says so."""
    if text.startswith(_NETWORK_PATHS) or not Path(text).is_absolute() or file_kind(Path(text)) != kind:
        return None
    return Path(text)


def _is_truncation(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return TRUNCATION.low <= value and (TRUNCATION.high is None or value <= TRUNCATION.high)
