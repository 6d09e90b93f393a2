"""A subject as an asset: its cloud in no scene, with a picture of it as the thumbnail, and what it is in words."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.pointcloud.cloud import PointCloud

from ..scene.clouds import cloud_object
from .sources import SOURCE_PROPERTY, Source

TAG = "DatasetNeRF"
LONGEST_TAG = 63
"""Bytes that Blender keeps of a tag."""


def add_asset(
    cloud: PointCloud, name: str, world_up: WorldUp, source: Source, picture: NDArray[np.uint8], licence: str
) -> bpy.types.Object:
    """The asset of a subject; an earlier one of the same subject goes, unless a scene has it.

    Args:
        picture: uint8 [H, W, 3], for the thumbnail.
        licence: of the model; "" where that is not told.

    Raises:
        SceneError: a cloud without points.
    """
    text = source.to_json()
    for old in [item for item in bpy.data.objects if item.get(SOURCE_PROPERTY) == text]:
        if old.asset_data is not None and old.library is None and not old.users_collection:
            mesh = old.data
            bpy.data.objects.remove(old)
            if not mesh.users:
                bpy.data.meshes.remove(mesh)
    item = cloud_object(cloud, name, world_up=world_up)
    item[SOURCE_PROPERTY] = text
    item.asset_mark()
    facts = item.asset_data
    facts.description = f"{source.line}: a point cloud of {len(cloud):,} points"
    if licence:
        facts.license = licence
    parts = () if cloud.label_set is None else cloud.label_set.names[1:]
    for tag in (TAG, source.model_name, *parts):
        facts.tags.new(tag.encode()[:LONGEST_TAG].decode(errors="ignore"), skip_if_exists=True)
    set_thumbnail(item, picture)
    return item


def set_thumbnail(item: bpy.types.Object, picture: NDArray[np.uint8]) -> None:
    """Make a picture, uint8 [H, W, 3], what the asset browser shows."""
    height, width = picture.shape[:2]
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture[::-1] / np.float32(255.0)
    preview = item.preview_ensure()
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(pixels.ravel())
