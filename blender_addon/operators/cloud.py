"""A point cloud of the subject: views fused by the worker, imported as one object with its labels."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import ALL_AROUND_YAW_DEG, arc_cameras, view_ranges
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

from .. import session
from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts, subject_params, with_facts
from ..painting.mask_files import need_saved
from ..places import absolute_path
from ..posing.driver import current_pose, pose_params
from ..scene.cloud_changes import cloud_digest
from ..scene.clouds import add_cloud, is_cloud
from ..subjects import subject_stem, subject_token
from ..viewpoints import camera_params, chosen_poses, selected_cameras, squares_of
from .base import JobOperator, results_arrived

REQUEST_PROPERTY = "dnerf_request"
"""On a cloud with the model's labels, JSON: of which subject it is, how it was asked for, and what came, by its `cloud_digest`."""


class DNERF_OT_fuse_cloud(JobOperator, bpy.types.Operator):
    """Fuse views of the subject to a point cloud with labelled parts, and import it"""

    bl_idname = "dnerf.fuse_cloud"
    bl_label = "Fuse and Import"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        settings = scene.dnerf
        selected = selected_cameras(context) if settings.cloud_source == "SELECTED" else None
        painted = str(painted_folder(scene)) if settings.cloud_painted else None
        with_facts(scene, "Fusing the point cloud", lambda scene, facts: fuse_cloud(scene, facts, selected, painted))


def painted_folder(scene: bpy.types.Scene) -> Path:
    """The annotation folder, with all that has been painted in its files.

    Raises:
        UsageError, SceneError: there is no such path, or something painted cannot be written.
    """
    folder = absolute_path(scene.dnerf.annotation_folder, "annotate: folder")
    need_saved(folder)
    return folder


def fuse_cloud(scene: bpy.types.Scene, facts: ModelFacts, selected: Sequence[Held] | None, painted: str | None) -> None:
    """The step of the job after the model is known: ask for the cloud.

    Args:
        selected: the cameras to fuse the views of; None: views from all around, see `view_ranges`.
        painted: the annotation folder whose painted masks give the labels; None: the model's labels.
    """
    # painted labels are those of the subject's own pose, which it was sampled in
    params = {**cloud_params(scene, facts, selected), **pose_params(current_pose(scene, facts) if painted is None else None)}
    subject, request = subject_token(scene), params
    if painted is not None:
        params = {**params, "annotations": painted}
    held, stem, began = hold(scene), subject_stem(scene), time.monotonic()

    def done(result: dict[str, Any]) -> None:
        scene_now = held.needed()
        cloud = cloud_from_result(result)
        item = add_cloud(scene_now, cloud, f"cloud {stem}", world_up=facts.cameras.world_up)
        if painted is None:
            note_request(item, subject, request)
        make_active(scene_now, item)
        show_colors()
        results_arrived("Fuse and Import")
        session.current().finish(f"{len(cloud):,} points in {time.monotonic() - began:.1f} s: {item.name}")

    session.current().continue_job("pointcloud", {**subject_params(scene), **params}, done, title="Fusing the point cloud")


def note_request(item: bpy.types.Object, subject: str, params: dict[str, Any]) -> None:
    """Note with a new cloud how it was asked for: by that it is fused anew when the subject is edited."""
    item[REQUEST_PROPERTY] = json.dumps({"subject": subject, "params": params, "digest": cloud_digest(item)})


def noted_request(item: bpy.types.Object, subject: str) -> dict[str, Any] | None:
    """How a cloud of a subject was asked for; None: it is none, it is being edited, or it is the artist's by now."""
    text = item.get(REQUEST_PROPERTY)
    if not text or not is_cloud(item) or item.mode != "OBJECT":
        return None
    request = json.loads(text)
    untouched = request.get("digest") in (None, cloud_digest(item))  # None: of a version that noted none
    return request["params"] if request["subject"] == subject and untouched else None


def cloud_params(scene: bpy.types.Scene, facts: ModelFacts, selected: Sequence[Held] | None) -> dict[str, Any]:
    """From where a cloud is fused, and how many points it may have; see `fuse_cloud`."""
    settings = scene.dnerf
    if selected is None:
        ranges = view_ranges(facts.cameras, default_yaw_deg=ALL_AROUND_YAW_DEG)
        around = arc_cameras(facts.cameras, *ranges, count=settings.cloud_views)
        cameras = [{**camera.to_json(), "name": f"v{index:02d}"} for index, camera in enumerate(around)]
    else:
        poses = chosen_poses(scene, facts, "SELECTED", selected)
        cameras = camera_params(poses, squares_of(poses))
    return {"cameras": cameras, **({"points": settings.cloud_points} if settings.cloud_points else {})}


def cloud_from_result(result: dict[str, Any]) -> PointCloud:
    """The cloud of the worker's answer."""
    holder = session.current()
    arrays = {key: holder.array(result[key]) for key in ("points", "normals", "colors", "labels", "confidence") if key in result}
    labels = None if result["label_set"] is None else LabelSet.from_json(result["label_set"], "the cloud's labels")
    return PointCloud(**arrays, label_set=labels)


def make_active(scene: bpy.types.Scene, item: bpy.types.Object) -> None:
    """Select it alone, in every view layer."""
    for layer in scene.view_layers:
        for other in layer.objects:
            other.select_set(False, view_layer=layer)
        item.select_set(True, view_layer=layer)
        layer.objects.active = item


def show_colors(source: str = "VERTEX") -> None:
    """Let Solid views show the attribute (VERTEX), or the materials' own colours (MATERIAL), as they are: without light.

    Solid views know no view transform but Standard, so what is shown there are the very colours.
    """
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                shading = area.spaces.active.shading
                shading.color_type, shading.light = source, "FLAT"


CLASSES = (DNERF_OT_fuse_cloud,)
