"""The place of the subject in a scene: an Empty whose children are its cameras and clouds.

Convention: the Empty's own frame is the engine's world turned z-up (docs/conventions.md); its rotation, location and uniform
scale place, turn and size the subject with all that belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from dnerf_core.camera import ENGINE_TO_BLENDER, Float64Array, WorldUp

from .errors import SceneError

ROOT_NAME = "DatasetNeRF subject"
ROOT_PROPERTY = "dnerf_subject"

_TOLERANCE = 1e-4
"""How far the axes of a root may be from equal lengths and right angles: Blender computes in float32."""


@dataclass(frozen=True, eq=False)
class RootTransform:
    """From the root's own frame to Blender's world: x_world = scale * pose[:3, :3] x + pose[:3, 3].

    Attributes:
        pose: float64 [4, 4], rigid.
        scale: above 0.
    """

    pose: Float64Array
    scale: float

    @property
    def matrix(self) -> Float64Array:
        """float64 [4, 4], scale included."""
        return self.pose @ np.diag([self.scale, self.scale, self.scale, 1.0])


def subject_root(scene: bpy.types.Scene, create: bool = True) -> bpy.types.Object | None:
    """The scene's root; of several, which are duplicates, the original, or else the first by name.

    Made at the world's origin when there is none and `create` says so.
    """
    roots = [item for item in scene.objects if item.get(ROOT_PROPERTY)]
    if roots or not create:
        # a duplicate has the mark of its original, but not the name in it
        return min(roots, key=lambda item: (item[ROOT_PROPERTY] != item.name, item.name), default=None)
    root = bpy.data.objects.new(ROOT_NAME, None)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = 0.25
    root[ROOT_PROPERTY] = root.name
    scene.collection.objects.link(root)
    return root


def root_transform(root: bpy.types.Object | None) -> RootTransform:
    """Where the root stands; None stands at the world's origin. The scene has been updated since the root was moved.

    Raises:
        SceneError: the root is sheared, mirrored, flattened, or scaled by different amounts along its axes.
    """
    if root is None:
        return RootTransform(np.eye(4), 1.0)
    pose = np.array(root.matrix_world, dtype=np.float64)
    lengths = np.linalg.norm(pose[:3, :3], axis=0)
    complaint = f"{root.name}: expected the same scale along x, y and z, found"
    if not np.isfinite(pose).all() or lengths.min() < 1e-9:
        raise SceneError(f"{complaint} {_listed(lengths)}; apply or reset its scale")
    scale = float(lengths.mean())
    if np.abs(lengths / scale - 1.0).max() > _TOLERANCE:
        raise SceneError(f"{complaint} {_listed(lengths)}; give all three the same scale")
    pose[:3, :3] /= lengths
    rotation = pose[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > _TOLERANCE:
        raise SceneError(f"{complaint} axes that are not at right angles; clear the scale of its parents")
    if np.linalg.det(rotation) < 0:
        raise SceneError(f"{complaint} a mirrored one; make its scale positive")
    return RootTransform(pose, scale)


def engine_to_root(world_up: WorldUp) -> Float64Array:
    """Engine world -> the root's own frame, float64 [4, 4]: a y-up world is turned, a z-up one stays."""
    return ENGINE_TO_BLENDER if world_up == "y" else np.eye(4)


def update(scene: bpy.types.Scene) -> None:
    """Let Blender compute where everything in the scene stands."""
    for layer in scene.view_layers:
        layer.update()


def _listed(values: Float64Array) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
