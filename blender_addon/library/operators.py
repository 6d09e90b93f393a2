"""Make Asset, and Use This Subject."""

import time
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import arc_cameras
from dnerf_core.errors import UsageError

from .. import session
from ..model_facts import ModelFacts, known_facts, subject_params, with_facts
from ..operators.base import JobOperator, results_arrived
from ..operators.cloud import cloud_from_result, cloud_params
from ..places import absolute_path
from ..posing.driver import current_pose, pose_params
from ..subjects import choose_subject, subject_stem
from .assets import add_asset
from .sources import Source, has_source, model_setting, subject_file

THUMBNAIL_PX = 256
"""Side of the pictures that the asset browser keeps."""
MAKING = "Making the asset"


class DNERF_OT_make_asset(JobOperator, bpy.types.Operator):
    """Keep the subject as an asset of this file: its point cloud, with its picture as the thumbnail. It comes into no scene by that"""

    bl_idname = "dnerf.make_asset"
    bl_label = "Make Asset"

    def act(self, context: bpy.types.Context) -> None:
        with_facts(context.scene, MAKING, make_asset)


def make_asset(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The steps of the job after the model is known: a picture from the middle of its own views, then the cloud."""
    stem, began = subject_stem(scene), time.monotonic()
    source = Source.chosen(scene, facts)
    params = {**subject_params(scene), **pose_params(current_pose(scene, facts))}
    (front,) = arc_cameras(facts.cameras, (0.0, 0.0), None, count=1)
    view = {
        "cameras": [{**front.to_json(), "name": "thumbnail"}],
        "size_px": min(THUMBNAIL_PX, facts.image_size_px),
        "channels": ["rgb"],
    }
    fused = cloud_params(scene, facts, None)
    holder = session.current()
    pictures = []

    def take(part: dict[str, Any]) -> None:
        pictures.append(holder.array(part["rgb"]))

    def seen(_: dict[str, Any]) -> None:
        holder.continue_job("pointcloud", {**params, **fused}, done, title=MAKING)

    def done(result: dict[str, Any]) -> None:
        cloud = cloud_from_result(result)
        item = add_asset(cloud, f"subject {stem}", facts.cameras.world_up, source, pictures[0], facts.licence)
        results_arrived("Make Asset")
        holder.finish(f"asset {item.name}: {len(cloud):,} points in {time.monotonic() - began:.1f} s")

    holder.continue_job("render", {**params, **view}, seen, title=MAKING, on_part=take)


class DNERF_OT_use_subject(JobOperator, bpy.types.Operator):
    """Make the subject that the active object is of, and its model, those of the panel"""

    bl_idname = "dnerf.use_subject"
    bl_label = "Use This Subject"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_source(context.active_object):
            cls.poll_message_set("Select a subject that Make Asset has made")
            return False
        return super().poll(context)

    def act(self, context: bpy.types.Context) -> None:
        scene, source = context.scene, Source.noted(context.active_object)
        settings = scene.dnerf
        wanted, path = model_setting(scene, source), subject_file(source, _own_folder(settings.subjects_folder))
        for name, value in wanted.items():
            if getattr(settings, name) != value:
                setattr(settings, name, value)
        settings.edit_scores = ""
        if path is None:
            settings.subject_file, settings.seed, settings.truncation = "", source.seed, source.truncation
        else:
            choose_subject(scene, path)
        line = f"{source.line}: the scene's subject now"
        if known_facts(scene) is None:
            with_facts(scene, "Loading the model", lambda scene, facts: session.current().finish(line))
        else:
            session.current().say(line)


def _own_folder(text: str) -> Path | None:
    """The panel's folder for subject files; None: it has none that can be named yet."""
    try:
        return absolute_path(text, "subject: new files")
    except UsageError:  # beside a file that has not been saved
        return None


CLASSES = (DNERF_OT_make_asset, DNERF_OT_use_subject)
