"""The view whose mask is repainted: of which subject it is, from where it is seen, and the image that is painted on."""

from __future__ import annotations

import json
from dataclasses import dataclass

import bpy

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError

from .scene.errors import SceneError


@dataclass(frozen=True, eq=False)
class EditView:
    """The view.

    Attributes:
        subject: its `subjects.subject_token`.
        camera: in the model's world.
        image: name of the mask's image when it was opened.
        body_pose: numbers of the pose that the subject's body is in; None: its own.
    """

    subject: str
    camera: Camera
    image: str
    body_pose: tuple[float, ...] | None = None


def keep_edit_view(scene: bpy.types.Scene, view: EditView, image: bpy.types.Image) -> None:
    """Note it in the scene, with the image of its mask."""
    scene.dnerf.edit_image = image
    fields = {"subject": view.subject, "camera": view.camera.to_json(), "image": view.image, "body_pose": view.body_pose}
    scene.dnerf.edit_view = json.dumps(fields)


def edit_view(scene: bpy.types.Scene) -> EditView:
    """The noted one.

    Raises:
        UsageError: there is none.
    """
    text = scene.dnerf.edit_view
    if not text:
        raise UsageError("edit: expected a painted mask, found none; press Edit Mask and paint")
    fields = json.loads(text)
    numbers = fields.get("body_pose")  # scenes saved before it have none
    body_pose = None if numbers is None else tuple(numbers)
    return EditView(fields["subject"], Camera.from_json(fields["camera"], "the edited view"), fields["image"], body_pose)


def edit_mask_image(scene: bpy.types.Scene, view: EditView) -> bpy.types.Image:
    """The image of its mask, whatever it is called by now.

    Raises:
        SceneError: it is gone.
    """
    image = scene.dnerf.edit_image or bpy.data.images.get(view.image)  # scenes saved before have its name alone
    if image is None:
        raise SceneError(f"{view.image}: expected an image of that name, found none; press Edit Mask again")
    return image


def is_edited_image(scene: bpy.types.Scene, image: bpy.types.Image | None) -> bool:
    """Whether an image is the noted view's mask."""
    if image is None or not scene.dnerf.edit_view:
        return False
    kept = scene.dnerf.edit_image
    return bool(image == kept if kept is not None else image.name == json.loads(scene.dnerf.edit_view)["image"])
