"""A cloud for each of the scene's frames, in the pose that the armature has there, each visible at its own frame."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import bpy

from dnerf_core.errors import counted
from dnerf_core.pointcloud.cloud import PointCloud

from .. import session
from ..lasting.identity import hold
from ..model_facts import ModelFacts, with_facts
from ..posing.driver import body_pose, driving_armature
from ..scene.clouds import add_cloud
from ..scene.errors import SceneError
from ..scene.frames import read_at_frames
from ..scripting.cloud_options import CloudOptions
from ..scripting.clouds import FusedViews, cloud_views
from ..scripting.one_by_one import one_by_one
from ..scripting.options import scripted
from ..scripting.subject_options import SubjectsOptions
from ..scripting.which import ChosenSubject, chosen_subjects
from .base import WaitingOperator, results_arrived
from .cloud import cloud_from_result, cloud_given, show_colors

MAX_CLOUDS = 100
FUSING = "Fusing the clouds of all frames"


class DNERF_OT_fuse_frames(scripted(SubjectsOptions, CloudOptions), WaitingOperator, bpy.types.Operator):
    """Fuse a cloud for each of the scene's frames, in the pose that the armature has there; each is visible at its own frame"""

    bl_idname = "dnerf.fuse_frames"
    bl_label = "Fuse Every Frame"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = cloud_given(self, scene)
        subjects, views = chosen_subjects(scene, given), cloud_views(context, given)
        with_facts(scene, FUSING, lambda found, facts: fuse_frames(found, facts, subjects, views), subjects[0].model)


def fuse_frames(scene: bpy.types.Scene, facts: ModelFacts, subjects: Sequence[ChosenSubject], views: FusedViews) -> None:
    """The steps of the job after the model is known: read the poses, and ask for one cloud after the other.

    The clouds of a subject come into the scene all at once, when its last has been fused.
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
    params = views.params(scene, facts)
    held, began = hold(scene), time.monotonic()
    totals: list[int] = []
    holder = session.current()

    def fuse_subject(subject: ChosenSubject, go_on: Callable[[], None]) -> None:
        clouds: list[PointCloud] = []

        def fuse(pose: list[float] | None, next_frame: Callable[[], None]) -> None:
            def take(result: dict[str, Any]) -> None:
                clouds.append(cloud_from_result(result))
                next_frame()

            title = f"{FUSING}: {len(clouds) + 1} of {len(frames)}"
            holder.continue_job("pointcloud", {**subject.params, **params, "pose": pose}, take, title=title)

        def keep() -> None:
            add_clouds(held.needed(), clouds, frames, step, f"cloud {subject.stem}", facts)
            totals.extend(map(len, clouds))
            go_on()

        one_by_one(poses, fuse, keep)

    def finish() -> None:
        show_colors()
        results_arrived("Fuse Every Frame")
        holder.finish(f"{counted(len(totals), 'cloud')}, {sum(totals):,} points in {time.monotonic() - began:.1f} s")

    one_by_one(subjects, fuse_subject, finish)


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
