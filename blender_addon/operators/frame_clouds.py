"""A cloud for each of the scene's frames, in the pose that the armature has there, each visible at its own frame."""

import time
from collections.abc import Sequence
from typing import Any

import bpy

from dnerf_core.errors import counted
from dnerf_core.pointcloud.cloud import PointCloud

from .. import session
from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts, subject_params, with_facts
from ..posing.driver import body_pose, driving_armature
from ..scene.clouds import add_cloud
from ..scene.errors import SceneError
from ..scene.frames import read_at_frames
from ..subjects import subject_stem
from ..viewpoints import selected_cameras
from .base import JobOperator, results_arrived
from .cloud import cloud_from_result, cloud_params, show_colors

MAX_CLOUDS = 100
FUSING = "Fusing the clouds of all frames"


class DNERF_OT_fuse_frames(JobOperator, bpy.types.Operator):
    """Fuse a cloud for each of the scene's frames, in the pose that the armature has there; each is visible at its own frame"""

    bl_idname = "dnerf.fuse_frames"
    bl_label = "Fuse Every Frame"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        selected = selected_cameras(context) if scene.dnerf.cloud_source == "SELECTED" else None
        with_facts(scene, FUSING, lambda found, facts: fuse_frames(found, facts, selected))


def fuse_frames(scene: bpy.types.Scene, facts: ModelFacts, selected: Sequence[Held] | None) -> None:
    """The step of the job after the model is known: read the poses, and ask for one cloud after the other.

    The clouds come into the scene all at once, when the last has been fused.
    """
    if driving_armature(scene, facts) is None:
        raise SceneError("clouds: expected an armature that moves the subject, found none; choose one in the panel Pose")
    first, last, step = scene.frame_start, scene.frame_end, scene.frame_step
    frames = list(range(first, last + 1, step))
    if len(frames) > MAX_CLOUDS:
        raise SceneError(
            f"frames {first} to {last}: expected {MAX_CLOUDS} of them at most, a cloud each, found {len(frames)}; set the scene's frame "
            "range or its step"
        )
    poses = read_at_frames(scene, first, last, step, lambda _: body_pose(scene, facts))
    params = {**subject_params(scene), **cloud_params(scene, facts, selected)}
    held, stem, began = hold(scene), subject_stem(scene), time.monotonic()
    clouds: list[PointCloud] = []
    holder = session.current()

    def ask() -> None:
        title = f"{FUSING}: {len(clouds) + 1} of {len(frames)}"
        holder.continue_job("pointcloud", {**params, "pose": poses[len(clouds)]}, take, title=title)

    def take(result: dict[str, Any]) -> None:
        clouds.append(cloud_from_result(result))
        if len(clouds) < len(frames):
            ask()
            return
        add_clouds(held.needed(), clouds, frames, step, f"cloud {stem}", facts)
        show_colors()
        results_arrived("Fuse Every Frame")
        total = sum(map(len, clouds))
        holder.finish(f"{counted(len(clouds), 'cloud')}, {total:,} points in {time.monotonic() - began:.1f} s")

    ask()


def add_clouds(
    scene: bpy.types.Scene, clouds: Sequence[PointCloud], frames: Sequence[int], step: int, name: str, facts: ModelFacts
) -> None:
    """An object a cloud in a collection, seen and rendered at its frame alone."""
    collection = bpy.data.collections.new(f"{name} frames")
    scene.collection.children.link(collection)
    for cloud, frame in zip(clouds, frames, strict=True):
        item = add_cloud(scene, cloud, f"{name} f{frame:04d}", world_up=facts.cameras.world_up)
        scene.collection.objects.unlink(item)
        collection.objects.link(item)
        for at, hidden in ((frames[0] - 1, True), (frame, False), (frame + step, True)):
            for path in ("hide_viewport", "hide_render"):
                setattr(item, path, hidden)
                item.keyframe_insert(path, frame=at)
    scene.frame_set(scene.frame_current)


CLASSES = (DNERF_OT_fuse_frames,)
