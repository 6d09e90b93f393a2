"""Make Asset, and Use This Subject."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import arc_cameras
from dnerf_core.errors import UsageError

from .. import session
from ..model_facts import ModelFacts, known_facts, with_facts
from ..operators.base import WaitingOperator, results_arrived
from ..operators.cloud import cloud_from_result, cloud_given
from ..places import absolute_path
from ..posing.driver import current_pose, pose_params
from ..scripting.cloud_options import CloudOptions
from ..scripting.clouds import FusedViews, asset_views
from ..scripting.one_by_one import one_by_one
from ..scripting.options import scripted
from ..scripting.subject_options import SubjectsOptions
from ..scripting.which import ChosenSubject, chosen_subjects
from ..subjects import choose_subject
from .assets import add_asset
from .sources import Source, has_source, model_setting, subject_file

THUMBNAIL_PX = 256
"""Side of the pictures that the asset browser keeps."""
MAKING = "Making the asset"


class DNERF_OT_make_asset(scripted(SubjectsOptions, CloudOptions), WaitingOperator, bpy.types.Operator):
    """Keep the subject as an asset of this file: its point cloud, with its picture as the thumbnail. It comes into no scene by that"""

    bl_idname = "dnerf.make_asset"
    bl_label = "Make Asset"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = cloud_given(self, scene)
        subjects, views = chosen_subjects(scene, given), asset_views(context, given)
        with_facts(scene, MAKING, lambda scene, facts: make_assets(scene, facts, subjects, views), subjects[0].model)


def make_assets(scene: bpy.types.Scene, facts: ModelFacts, subjects: Sequence[ChosenSubject], views: FusedViews) -> None:
    """The steps of the job after the model is known, for each subject: a picture from the middle of its own views, then the cloud."""
    began = time.monotonic()
    pose, fused = pose_params(current_pose(scene, facts)), views.params(scene, facts)
    (front,) = arc_cameras(facts.cameras, (0.0, 0.0), None, count=1)
    view = {
        "cameras": [{**front.to_json(), "name": "thumbnail"}],
        "size_px": min(THUMBNAIL_PX, facts.image_size_px),
        "channels": ["rgb"],
    }
    holder = session.current()
    lines: list[str] = []

    def make(subject: ChosenSubject, go_on: Callable[[], None]) -> None:
        pictures = []
        params = {**subject.params, **pose}

        def take(part: dict[str, Any]) -> None:
            pictures.append(holder.array(part["rgb"]))

        def seen(_: dict[str, Any]) -> None:
            holder.continue_job("pointcloud", {**params, **fused}, done, title=MAKING)

        def done(result: dict[str, Any]) -> None:
            cloud, source = cloud_from_result(result), Source.of_subject(subject, facts)
            item = add_asset(cloud, f"subject {subject.stem}", facts.cameras.world_up, source, pictures[0], facts.licence)
            lines.append(f"{item.name}: {len(cloud):,} points")
            go_on()

        holder.continue_job("render", {**params, **view}, seen, title=MAKING, on_part=take)

    def finish() -> None:
        results_arrived("Make Asset")
        holder.finish(f"asset {'; '.join(lines)} in {time.monotonic() - began:.1f} s")

    one_by_one(subjects, make, finish)


class DNERF_OT_use_subject(WaitingOperator, bpy.types.Operator):
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
