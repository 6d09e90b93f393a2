"""The mask that a subject is edited by, painted in Blender or a file, and how the subject follows it: of the panel, or of a script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet

from .. import session
from ..edit_view import EditView, edit_mask_image
from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts
from ..posing.driver import current_pose, pose_params
from ..scene.annotation import ids_of, refill_mask
from ..scene.cameras import read_camera, square_view
from ..scene.errors import SceneError
from .given import Given

WEIGHTS = ("keep_inside", "label_weight", "rgb_weight", "perceptual_weight")
_OF_PANEL = (*WEIGHTS, "steps", "perceptual_file")
"""Options, and after `edit_` the panel's properties."""
_OF_SCRIPTS = ("edited_weight", "prior", "snap_colors")


def edit_given(operator: Any, scene: bpy.types.Scene) -> Given:
    """What an operator with `EditOptions` is called with, over the panel."""
    names = {name: f"edit_{name}" for name in _OF_PANEL}
    return Given(operator, scene.dnerf, output="subjects_folder", margin="edit_margin_px", **names)


def camera_given(scene: bpy.types.Scene, given: Given) -> Held:
    """The camera that a call gives, or the scene's.

    Raises:
        UsageError, SceneError: there is none.
    """
    held = given.named(scene, "camera", "CAMERA")
    if held is None and scene.camera is None:
        raise SceneError(f"scene {scene.name!r}: expected an active camera, found none; place cameras, or invert a photo")
    return held or hold(scene.camera)


@dataclass(frozen=True)
class MaskImage:
    """The mask that has been painted in Blender.

    Attributes:
        repair: whether pixels between two labels' colours get a neighbour's label.
    """

    view: EditView
    repair: bool

    def params(self, scene: bpy.types.Scene, facts: ModelFacts, labels: LabelSet) -> dict[str, Any]:
        """The part of a request that says the mask, and from where it was seen, in which pose.

        Raises:
            SceneError: the image is gone, or has pixels without a label's colour.
        """
        mask, client = edit_mask_image(self.view), session.current().ready_client()
        painted = ids_of(mask, labels, snap=self.repair)
        if painted.repaired_px:
            refill_mask(mask, painted.ids, labels, safe=False)
        body_pose = self.view.body_pose
        return {
            **pose_params(None if body_pose is None else list(body_pose)),
            "camera": self.view.camera.to_json(),
            "mask": client.put_array(painted.ids),
        }


@dataclass(frozen=True)
class MaskFile:
    """A mask's file, and the camera that sees it."""

    path: Path
    seen_by: Held

    def params(self, scene: bpy.types.Scene, facts: ModelFacts, labels: LabelSet) -> dict[str, Any]:
        """As `MaskImage.params`, in the pose at the current frame.

        Raises:
            SceneError, UsageError: the camera cannot be used.
        """
        pose = current_pose(scene, facts)
        seen = read_camera(self.seen_by.needed(), scene, world_up=facts.cameras.world_up)
        return {**pose_params(pose), "camera": square_view(seen).camera.to_json(), "mask": str(self.path)}


MaskSource = MaskImage | MaskFile


def edit_settings(given: Given) -> dict[str, Any]:
    """The params that say how the subject is edited.

    Raises:
        UsageError: the network that is to compare pictures has no file.
    """
    params: dict[str, Any] = {name: given[name] for name in (*WEIGHTS, "margin", "steps")}
    params |= given.alone(*_OF_SCRIPTS)
    if params["perceptual_weight"] > 0:
        if not given["perceptual_file"]:
            raise UsageError(
                "edit: VGG16 file: expected a file, since Likeness is above 0, found none; choose it, or set Likeness to 0"
            )
        params["perceptual_file"] = bpy.path.abspath(given["perceptual_file"])
    return params
