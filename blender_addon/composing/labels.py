"""One label set of the model's parts and of what stands in the scene, by Blender's pass indices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import bpy

from dnerf_core.labels import MAX_PART_ID, Label, LabelSet, default_colors

from ..scene.errors import SceneError

LabelsBy = Literal["object", "material"]
SUBJECT_LABEL = "subject"
"""The one part of subjects whose model has no labels; the worker has it so, too."""


@dataclass(frozen=True)
class SceneLabels:
    """The merged set.

    Attributes:
        label_set: the model's labels with their ids, then the scene's.
        indices: the pass index of each of the scene's labels, rising.
    """

    label_set: LabelSet
    indices: tuple[int, ...]


def scene_labels(scene: bpy.types.Scene, model_labels: LabelSet | None, labels_by: LabelsBy) -> SceneLabels:
    """The labels of the model and of all objects, or materials, of the scene that have a pass index.

    The scene has been updated.

    Raises:
        SceneError: more labels than a mask has ids for.
    """
    things = scene_objects(scene) if labels_by == "object" else scene_materials(scene)
    return merged_labels(model_labels, ((thing.pass_index, thing.name) for thing in things), labels_by)


def merged_labels(model_labels: LabelSet | None, things: Iterable[tuple[int, str]], labels_by: LabelsBy) -> SceneLabels:
    """The set of a model's labels and of things by pass index and name, such as `object:Cube`; index 0 has no label.

    Raises:
        SceneError: more labels than a mask has ids for.
    """
    names: dict[int, set[str]] = {}
    for index, name in things:
        if index > 0:
            names.setdefault(index, set()).add(name)
    own = LabelSet.from_names([SUBJECT_LABEL]) if model_labels is None else model_labels
    indices, first = sorted(names), own.num_classes
    if first + len(indices) > MAX_PART_ID + 1:
        raise SceneError(
            f"labels: expected at most {MAX_PART_ID + 1 - first} pass indices beside the {first} labels of the model, found "
            f"{len(indices)} of {labels_by}s; give things of one kind the same index"
        )
    taken = set(own.names)
    titles = []
    for index in indices:
        title = f"{labels_by}:{_title(sorted(names[index]))}"
        titles.append(title if title not in taken else f"{title} ({index})")
        taken.add(titles[-1])
    colors = default_colors(len(titles), tuple(label.color for label in own.labels))
    added = (Label(first + place, title, color) for place, (title, color) in enumerate(zip(titles, colors, strict=True)))
    return SceneLabels(LabelSet((*own.labels, *added)), tuple(indices))


def scene_objects(scene: bpy.types.Scene) -> set[bpy.types.Object]:
    """The objects of the scene, and those that its objects and collections make instances of."""
    found = set(scene.objects)
    for instance in _instances(scene):
        found.add(instance.object.original)
    return found


def scene_materials(scene: bpy.types.Scene) -> set[bpy.types.Material]:
    """The materials in the slots of the scene's objects, and those that their modifiers bring."""
    found = {slot.material for item in scene_objects(scene) for slot in item.material_slots if slot.material is not None}
    for instance in _instances(scene):
        for material in getattr(instance.object.data, "materials", ()):
            if material is not None:
                found.add(material.original)
    return found


def _instances(scene: bpy.types.Scene) -> Iterable[Any]:
    graphs = (layer.depsgraph for layer in scene.view_layers)
    return (instance for graph in graphs if graph is not None for instance in graph.object_instances)


def _title(names: list[str]) -> str:
    """The names of all that share an index, as a label may have them: the first, and how many more."""
    text = "".join("_" if char in "/\\" or not char.isprintable() else char for char in names[0]).strip() or "_"
    return text if len(names) == 1 else f"{text} +{len(names) - 1}"
