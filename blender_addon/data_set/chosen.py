"""What was chosen at a click, or by a script's call: plain values, read once, since operators and selections do not last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy

from dnerf_core.errors import UsageError

from ..lasting.identity import Held, hold
from ..scripting.given import Given, object_named, plain
from ..scripting.which import check_ways, named_model, seeds_of
from ..subjects import subject_token
from ..viewpoints import selected_cameras
from .rules import CameraRule

_OBJECTS = ("camera", "test_camera", "center_object")
_SWITCHES = ("with_channel_", "with_format_")
"""How the names of the panel's switches begin, which say again what flags say."""
OF_SCRIPTS = ("workers", "ignore_disk_space", "pose_frames", "bone_map")
"""Options that a script alone gives."""


@dataclass(frozen=True)
class Chosen:
    """A choice.

    Attributes:
        values: by the names of `options.DataSetOptions`; flags sorted, vectors as tuples.
        subjects: the part of a request that says which subjects.
        selected: the cameras that were selected.
        objects: by the names in `_OBJECTS`, those that were chosen.
        by_script: the names of the values that a script has given.
        model: that a script has given, as requests have it; "": the scene's.
        more: the part of a request that only a script can say.
    """

    values: Mapping[str, Any]
    subjects: Mapping[str, Any]
    selected: tuple[Held, ...]
    objects: Mapping[str, Held]
    by_script: frozenset[str] = frozenset()
    model: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

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
        if name in is_set:
            held = object_named(scene, name, getattr(given, name), "" if name == "center_object" else "CAMERA")
        else:
            item = getattr(settings, name)
            held = None if item is None else hold(item)
        if held is not None:
            objects[name] = held
    if "center_object" in is_set and "center" not in is_set:
        values["center"] = "OBJECT"
    if "center_point" in is_set and "center" not in is_set:
        values["center"] = "POINT"
    return Chosen(
        values,
        _subjects(scene, values, is_set, given),
        tuple(selected_cameras(context)),
        objects,
        frozenset(is_set),
        named_model(given.model) if "model" in is_set else "",
        _of_script(given, is_set),
    )


def _of_script(given: Any, is_set: set[str]) -> dict[str, Any]:
    """The options of `OF_SCRIPTS` that are set, as a request has them."""
    if given is None:
        return {}
    wanted = Given(given, None)
    more = wanted.alone(*(name for name in OF_SCRIPTS if name in is_set))
    if "bone_map" in more:
        more["bone_map"] = str(wanted.file("bone_map"))
    return more


def _is_set(given: Any) -> set[str]:
    """The names of the properties that a script has set."""
    if given is None:
        return set()
    return {name for name in _names(given.properties) if given.properties.is_property_set(name)}


def _names(holder: Any) -> list[str]:
    """The names of the properties of a group, or of an operator's properties."""
    return [item.identifier for item in holder.bl_rna.properties if item.identifier not in ("rna_type", "name")]


def _subjects(scene: bpy.types.Scene, values: Mapping[str, Any], is_set: set[str], given: Any) -> dict[str, Any]:
    """The part of a request that says which subjects: `seeds` or `subjects` with `truncation`, or `subject_files`."""
    if given is not None:
        wanted = Given(given, None)
        check_ways(wanted)
        if "subject_files" in is_set:
            if "truncation" in is_set:
                raise UsageError("truncation: expected none of subject files, found one; leave it out, or give seeds")
            return {"subject_files": [str(path) for path in wanted.files("subject_files")]}
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
