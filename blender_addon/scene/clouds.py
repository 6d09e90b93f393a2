"""Point clouds as Blender objects: a vertex a point, what is known of it as attributes, shown by `cloud_display`.

Convention: a cloud's object is a child of the subject's root without a transform of its own, so its vertices are in the root's
frame: the engine's world turned z-up. `read_cloud` turns them back, whatever has been done to the object's place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeVar

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.errors import AnnotationError
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

from .cloud_display import SHOWN_COLOR, point_radius, set_shown, show_other_labels, show_points, shows_parts
from .errors import SceneError
from .subject import engine_to_root, subject_root

__all__ = [
    "add_cloud",
    "cloud_labels",
    "cloud_object",
    "cloud_world_up",
    "hidden_parts",
    "hide_part",
    "is_cloud",
    "read_cloud",
    "select_part",
    "separate_parts",
    "set_labels",
    "set_shown",
    "shows_parts",
]

T = TypeVar("T", bound=np.generic)

CLOUD_PROPERTY = "dnerf_cloud"
"""On the object: {"world_up", "labels"} as JSON."""
_HIDDEN_PROPERTY = "dnerf_hidden"
"""On the mesh: the ids of the hidden parts."""


@dataclass(frozen=True)
class _Attribute:
    """How one kind of data is kept on a mesh: Blender's type, the name its values are set by, and how many floats each has."""

    kind: str
    value: str
    width: int


_ATTRIBUTES = {
    "color": _Attribute("BYTE_COLOR", "color_srgb", 4),
    "normal": _Attribute("FLOAT_VECTOR", "vector", 3),
    "label": _Attribute("INT", "value", 1),
    "confidence": _Attribute("FLOAT", "value", 1),
    "part_color": _Attribute("BYTE_COLOR", "color_srgb", 4),
    "hidden": _Attribute("BOOLEAN", "value", 1),
}
"""`color`, in bytes, is exact: Blender keeps a colour given as sRGB bytes as these bytes."""


def add_cloud(
    scene: bpy.types.Scene,
    cloud: PointCloud,
    name: str,
    *,
    world_up: WorldUp,
    root: bpy.types.Object | None = None,
    part_colors: bool = True,
) -> bpy.types.Object:
    """A new object of a cloud, below the subject's root, shown in part colours (where it has labels) or in the pictures'.

    Args:
        world_up: the model's, in whose world the cloud is.
        root: the subject's place; None: the scene's own, made where it has none.

    Raises:
        SceneError: a cloud without points.
    """
    item = cloud_object(cloud, name, world_up=world_up, part_colors=part_colors)
    item.parent = subject_root(scene) if root is None else root
    scene.collection.objects.link(item)
    scene.display.shading.color_type = "VERTEX"  # what Workbench renders colours by
    return item


def cloud_object(cloud: PointCloud, name: str, *, world_up: WorldUp, part_colors: bool = True) -> bpy.types.Object:
    """The same in no scene, and without a parent.

    Raises:
        SceneError: as `add_cloud`.
    """
    if not len(cloud):
        raise SceneError(f"{name}: expected points, found none; fuse more views, or look at the views' depth")
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(cloud))
    turn = engine_to_root(world_up)[:3, :3].astype(np.float32)
    mesh.vertices.foreach_set("co", (cloud.points @ turn.T).ravel())
    _set(mesh, "color", _opaque(cloud.colors))
    _set(mesh, "normal", cloud.normals @ turn.T)
    if cloud.labels is not None and cloud.confidence is not None:
        _set(mesh, "label", cloud.labels.astype(np.int32))
        _set(mesh, "confidence", cloud.confidence)
        if cloud.label_set is not None:
            _set(mesh, "part_color", _opaque(cloud.label_set.palette()[cloud.labels]))
    _set(mesh, "hidden", np.zeros(len(cloud), np.bool_))
    mesh.attributes.active_color_name = SHOWN_COLOR  # made by the modifier
    item = bpy.data.objects.new(name, mesh)
    labels = None if cloud.label_set is None else cloud.label_set.to_json()
    item[CLOUD_PROPERTY] = json.dumps({"world_up": world_up, "labels": labels})
    show_points(item, point_radius(cloud.points), () if cloud.label_set is None else cloud.label_set.names)
    set_shown(item, part_colors=part_colors and cloud.label_set is not None and cloud.label_set.num_classes > 1)
    return item


def is_cloud(item: bpy.types.Object | None) -> bool:
    """Whether an object was made by `add_cloud`."""
    return item is not None and item.type == "MESH" and CLOUD_PROPERTY in item


def cloud_labels(item: bpy.types.Object) -> LabelSet | None:
    """What a cloud's labels mean; None where it has none.

    Raises:
        SceneError: no cloud, or its facts have been changed beyond reading.
    """
    return _facts(item)[1]


def read_cloud(item: bpy.types.Object) -> PointCloud:
    """The cloud of an object, in the model's world; hidden parts are in it.

    Raises:
        SceneError: no cloud, one in edit mode, or one that lost an attribute.
    """
    world_up, labels = _facts(item)
    mesh = _object_mode_mesh(item)
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    turn = engine_to_root(world_up)[:3, :3].astype(np.float32)
    colors = np.rint(255 * _get(item, "color", np.float32))[:, :3].astype(np.uint8)
    normals = _get(item, "normal", np.float32)
    ids: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    if "label" in mesh.attributes:
        kept = _get(item, "label", np.int32).ravel()
        if kept.size and not 0 <= int(kept.min()) <= int(kept.max()) <= 255:
            found = f"{kept.min()} to {kept.max()}"
            raise SceneError(f"{item.name}: expected labels from 0 to 255, found {found}; fuse the cloud again")
        ids = kept.astype(np.uint8)
        confidence = _get(item, "confidence", np.float32).ravel()
    if (ids is None) != (labels is None):
        raise SceneError(f"{item.name}: expected labels and their meaning, found one without the other; fuse the cloud again")
    return PointCloud(points @ turn, normals @ turn, colors, ids, confidence, labels)


def set_labels(item: bpy.types.Object, labels: NDArray[np.uint8], confidence: NDArray[np.float32], label_set: LabelSet) -> None:
    """Give the points of any mesh object labels, as the attributes `label`, `confidence` and `part_color`, in place of those it has.

    Raises:
        SceneError: it is in edit mode, or a cloud of ours that cannot be read.
    """
    mesh = _object_mode_mesh(item)
    facts = _facts(item) if is_cloud(item) else None
    values = {"label": labels.astype(np.int32), "confidence": confidence, "part_color": _opaque(label_set.palette()[labels])}
    for name, array in values.items():
        if (old := mesh.attributes.get(name)) is not None:
            mesh.attributes.remove(old)
        _set(mesh, name, array)
    if facts is not None:
        item[CLOUD_PROPERTY] = json.dumps({"world_up": facts[0], "labels": label_set.to_json()})
        show_other_labels(item, label_set.names)
        set_shown(item, part_colors=label_set.num_classes > 1)
    else:
        mesh.attributes.active_color_name = "part_color"
    mesh.update()


def select_part(item: bpy.types.Object, part_id: int, *, extend: bool = False) -> int:
    """Select the points of a part, as edit mode will show them; returns how many there are.

    Raises:
        SceneError: as `read_cloud`, or no such part.
    """
    chosen = _points_of(item, part_id)
    mesh = _object_mode_mesh(item)
    if extend:
        before = np.empty(len(chosen), np.bool_)
        mesh.vertices.foreach_get("select", before)
        mesh.vertices.foreach_set("select", chosen | before)
    else:
        mesh.vertices.foreach_set("select", chosen)
    mesh.update()
    return int(chosen.sum())


def hide_part(item: bpy.types.Object, part_id: int, hidden: bool = True) -> int:
    """Show a cloud without a part, in the viewport and in renders, or with it again; returns how many points that is.

    Raises:
        SceneError: as `select_part`.
    """
    chosen = _points_of(item, part_id)
    mesh = _object_mode_mesh(item)
    values = _get(item, "hidden", np.bool_).ravel()
    values[chosen] = hidden
    mesh.attributes["hidden"].data.foreach_set("value", values)
    mesh.update()
    mesh[_HIDDEN_PROPERTY] = sorted(hidden_parts(item))
    return int(chosen.sum())


def last_hidden(item: bpy.types.Object) -> set[int]:
    """What `hidden_parts` found when `hide_part` was last used: for panels, which cannot look at all points at each drawing."""
    return set(item.data.get(_HIDDEN_PROPERTY, ()))


def hidden_parts(item: bpy.types.Object) -> set[int]:
    """The parts none of whose points is shown.

    Raises:
        SceneError: as `read_cloud`.
    """
    _facts(item)
    if "label" not in item.data.attributes:
        return set()
    hidden, ids = _get(item, "hidden", np.bool_).ravel(), _get(item, "label", np.int32).ravel()
    return set(np.unique(ids[hidden]).tolist()) - set(np.unique(ids[~hidden]).tolist())


def separate_parts(scene: bpy.types.Scene, item: bpy.types.Object) -> list[bpy.types.Object]:
    """An object for each part that has points, in the order of the ids, named after it; they take the place of the cloud.

    Raises:
        SceneError: as `read_cloud`, or a cloud without labels.
    """
    cloud = read_cloud(item)
    if cloud.labels is None or cloud.label_set is None:
        raise SceneError(f"{item.name}: expected a cloud with labels, found one without; fuse views that have masks")
    world_up, _ = _facts(item)
    names = [*cloud.label_set.names, *(f"label {k}" for k in range(cloud.label_set.num_classes, 256))]
    parts = []
    for part_id in np.unique(cloud.labels).tolist():
        chosen = cloud.select(np.flatnonzero(cloud.labels == part_id))
        part = add_cloud(
            scene,
            chosen,
            f"{item.name} {names[part_id]}",
            world_up=world_up,
            root=item.parent,
            part_colors=shows_parts(item),
        )
        part.parent = item.parent
        part.matrix_parent_inverse, part.matrix_basis = item.matrix_parent_inverse, item.matrix_basis
        parts.append(part)
    mesh = item.data
    bpy.data.objects.remove(item)
    if not mesh.users:
        bpy.data.meshes.remove(mesh)
    return parts


def cloud_world_up(item: bpy.types.Object) -> WorldUp:
    """Which axis is up in the world of a cloud's model.

    Raises:
        SceneError: as `cloud_labels`.
    """
    return _facts(item)[0]


def _facts(item: bpy.types.Object) -> tuple[WorldUp, LabelSet | None]:
    if not is_cloud(item):
        found = "none" if item is None else f"{item.name!r}"
        raise SceneError(f"point cloud: expected an object that DatasetNeRF made, found {found}; select a fused cloud")
    try:
        facts = json.loads(item[CLOUD_PROPERTY])
        world_up: WorldUp = {"y": "y", "z": "z"}[facts["world_up"]]  # type: ignore[assignment]
        labels = None if facts["labels"] is None else LabelSet.from_json(facts["labels"], item.name)
    except (ValueError, KeyError, TypeError, AnnotationError) as error:
        raise SceneError(
            f"{item.name}: expected the property {CLOUD_PROPERTY} as it was made, found {error}; fuse again"
        ) from None
    return world_up, labels


def _object_mode_mesh(item: bpy.types.Object) -> bpy.types.Mesh:
    if item.mode != "OBJECT":
        raise SceneError(f"{item.name}: expected object mode, found {item.mode.lower()} mode; press Tab in the 3D view")
    return item.data


def _points_of(item: bpy.types.Object, part_id: int) -> NDArray[np.bool_]:
    labels = cloud_labels(item)
    if labels is None or not 0 <= part_id < labels.num_classes:
        count = 0 if labels is None else labels.num_classes
        raise SceneError(f"{item.name}: expected one of its {count} labels, found {part_id}; choose a part of this cloud")
    _object_mode_mesh(item)
    return _get(item, "label", np.int32).ravel() == part_id


def _opaque(colors: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = np.ones((len(colors), 4), np.float32)
    values[:, :3] = colors / np.float32(255.0)
    return values


def _set(mesh: bpy.types.Mesh, name: str, values: NDArray[np.generic]) -> None:
    how = _ATTRIBUTES[name]
    mesh.attributes.new(name, how.kind, "POINT").data.foreach_set(how.value, np.ascontiguousarray(values).ravel())


def _get(item: bpy.types.Object, name: str, dtype: type[T]) -> NDArray[T]:
    """An attribute's values [N, width]."""
    how = _ATTRIBUTES[name]
    attribute = item.data.attributes.get(name)
    if attribute is None or attribute.data_type != how.kind or attribute.domain != "POINT":
        raise SceneError(
            f"{item.name}: expected the point attribute {name} ({how.kind.lower()}), found none; fuse the cloud again"
        )
    values = np.empty((len(attribute.data), how.width), dtype)
    attribute.data.foreach_get(how.value, values.ravel())
    return values
