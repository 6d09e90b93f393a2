"""The view whose mask is repainted: of which subject it is, from where it is seen, and the image that is painted on.

The scene notes it, and so does the mask's image: an earlier mask that has been painted on stays, and can be gone on with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from uuid import uuid4

import bpy
import numpy as np

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError

from .scene.errors import SceneError
from .scene.painted import is_painted

VIEW_PROPERTY = "dnerf_edit_view"
"""On a mask's image: its view as the scene notes it."""

_SAME_CAMERA = 1e-5
"""Blender computes in float32."""


@dataclass(frozen=True, eq=False)
class EditView:
    """The view.

    Attributes:
        subject: its `subjects.subject_token`.
        camera: in the model's world.
        image: name of the mask's image when it was opened.
        body_pose: numbers of the pose that the subject's body is in; None: its own.
        key: another one for each view; "": noted by a version that made none.
        model: the sha256 of its file; "": the same.
    """

    subject: str
    camera: Camera
    image: str
    body_pose: tuple[float, ...] | None = None
    key: str = ""
    model: str = ""

    def sees_as(self, other: EditView) -> bool:
        """Whether it is of the same model's subject, in the same pose, seen from the same place."""
        cameras = (self.camera.cam2world, other.camera.cam2world), (self.camera.intrinsics, other.camera.intrinsics)
        return (
            (self.model, self.subject) == (other.model, other.subject)
            and self.body_pose == other.body_pose
            and all(np.allclose(*pair, rtol=0, atol=_SAME_CAMERA) for pair in cameras)
        )


def keep_edit_view(scene: bpy.types.Scene, view: EditView, mask: bpy.types.Image) -> None:
    """Note it in the scene, and with its mask's image."""
    view = replace(view, image=mask.name, key=view.key or uuid4().hex)
    fields = {
        "subject": view.subject,
        "camera": view.camera.to_json(),
        "image": view.image,
        "body_pose": view.body_pose,
        "key": view.key,
        "model": view.model,
    }
    scene.dnerf.edit_view = mask[VIEW_PROPERTY] = json.dumps(fields)
    scene.dnerf.edit_image = mask


def edit_view(scene: bpy.types.Scene, shown: bpy.types.Image | None = None) -> EditView:
    """The view that the scene notes.

    Args:
        shown: a mask's image that has a view; None: the scene's.

    Raises:
        UsageError: there is none.
    """
    text = scene.dnerf.edit_view if shown is None else shown[VIEW_PROPERTY]
    if not text:
        raise UsageError("edit: expected a painted mask, found none; press Edit Mask and paint")
    return _view_of(text)


def _view_of(text: str) -> EditView:
    fields = json.loads(text)
    numbers = fields.get("body_pose")  # scenes saved before it have none
    body_pose = None if numbers is None else tuple(numbers)
    camera = Camera.from_json(fields["camera"], "the edited view")
    return EditView(fields["subject"], camera, fields["image"], body_pose, fields.get("key", ""), fields.get("model", ""))


def edit_mask_image(view: EditView) -> bpy.types.Image:
    """The image of its mask, whatever it is called by now.

    Raises:
        SceneError: it is gone.
    """
    image = _image_of(view.image, view.key)
    if image is None:
        raise SceneError(f"{view.image}: expected an image of that name, found none; press Edit Mask again")
    return image


def painted_mask(view: EditView) -> tuple[EditView, bpy.types.Image] | None:
    """A mask of the same view that has been painted on already, with its own view; None: there is none."""
    for image in bpy.data.images:
        text = image.get(VIEW_PROPERTY)
        if text and (found := _view_of(text)).sees_as(view) and _image_of(image.name, found.key) == image and is_painted(image):
            return found, image
    return None


def noted_mask(scene: bpy.types.Scene) -> bpy.types.Image | None:
    """For panels: the image of the mask that the scene notes; None: none is noted, or it is gone."""
    text = scene.dnerf.edit_view
    if not text:
        return None
    fields = json.loads(text)
    return scene.dnerf.edit_image or _image_of(fields["image"], fields.get("key", ""))


def is_edited_image(scene: bpy.types.Scene, image: bpy.types.Image | None) -> bool:
    """Whether an image is a view's mask to be edited."""
    return image is not None and (bool(image.get(VIEW_PROPERTY)) or image == noted_mask(scene))


def _image_of(name: str, key: str) -> bpy.types.Image | None:
    """By the key, whatever it is called now: of several, which are duplicates, the one of that name; without a key by the name."""
    if not key:
        return bpy.data.images.get(name)
    marked = [image for image in bpy.data.images if image.get(VIEW_PROPERTY) and json.loads(image[VIEW_PROPERTY])["key"] == key]
    return min(marked, key=lambda image: (image.name != name, image.name), default=None)
