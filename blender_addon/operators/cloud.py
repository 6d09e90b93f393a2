"""A point cloud of the subject: views fused by the worker, imported as one object with its labels."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import bpy

from dnerf_core.errors import counted
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.cloud import PointCloud

from .. import session
from ..lasting.identity import hold
from ..model_facts import ModelFacts, is_panels, with_facts
from ..painting.mask_files import need_saved
from ..places import absolute_path
from ..posing.driver import current_pose, pose_params
from ..scene.cloud_changes import cloud_digest
from ..scene.clouds import add_cloud, is_cloud
from ..scripting.cloud_options import CloudOptions, PaintedOptions
from ..scripting.clouds import FusedViews, cloud_views
from ..scripting.given import Given
from ..scripting.one_by_one import one_by_one
from ..scripting.options import scripted
from ..scripting.subject_options import SubjectsOptions
from ..scripting.which import ChosenSubject, chosen_subjects
from .base import WaitingOperator, results_arrived

FUSING = "Fusing the point cloud"
REQUEST_PROPERTY = "dnerf_request"
"""On a cloud with the model's labels, JSON: of which subject it is, how it was asked for, and what came, by its `cloud_digest`."""


class DNERF_OT_fuse_cloud(scripted(SubjectsOptions, CloudOptions, PaintedOptions), WaitingOperator, bpy.types.Operator):
    """Fuse views of the subject to a point cloud with labelled parts, and import it"""

    bl_idname = "dnerf.fuse_cloud"
    bl_label = "Fuse and Import"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = cloud_given(self, scene)
        subjects, views = chosen_subjects(scene, given), cloud_views(context, given)
        painted = painted_folder(scene, given)
        with_facts(scene, FUSING, lambda scene, facts: fuse_clouds(scene, facts, subjects, views, painted), subjects[0].model)


def cloud_given(operator: Any, scene: bpy.types.Scene) -> Given:
    """What an operator with `CloudOptions` is called with, over the panel."""
    return Given(operator, scene.dnerf, views="cloud_views", points="cloud_points")


def painted_folder(scene: bpy.types.Scene, given: Given) -> str | None:
    """The annotation folder whose painted masks give the labels, with all that has been painted in its files; None: the model's labels.

    Raises:
        UsageError, SceneError: there is no such path, or something painted cannot be written.
    """
    by_script = given.has("annotations")
    if not (given["annotations"] if by_script else scene.dnerf.cloud_painted):
        return None
    text = given["annotations"] if by_script else scene.dnerf.annotation_folder
    folder = absolute_path(text, "annotate: folder")
    need_saved(folder)
    return str(folder)


def fuse_clouds(
    scene: bpy.types.Scene,
    facts: ModelFacts,
    subjects: Sequence[ChosenSubject],
    views: FusedViews,
    painted: str | None,
) -> None:
    """The steps of the job after the model is known: a cloud of each subject.

    Args:
        painted: the annotation folder whose painted masks give the labels; None: the model's labels.
    """
    # painted labels are those of the subject's own pose, which it was sampled in
    request = {**views.params(scene, facts), **pose_params(current_pose(scene, facts) if painted is None else None)}
    held, began = hold(scene), time.monotonic()
    names: list[str] = []
    sizes: list[int] = []

    def fuse(subject: ChosenSubject, go_on: Callable[[], None]) -> None:
        def done(result: dict[str, Any]) -> None:
            scene_now = held.needed()
            cloud = cloud_from_result(result)
            item = add_cloud(scene_now, cloud, f"cloud {subject.stem}", world_up=facts.cameras.world_up)
            if painted is None and is_panels(scene_now, subject.model):
                note_request(item, subject.token, request)
            make_active(scene_now, item)
            names.append(item.name)
            sizes.append(len(cloud))
            go_on()

        params = request if painted is None else {**request, "annotations": painted}
        session.current().continue_job("pointcloud", {**subject.params, **params}, done, title=FUSING)

    def finish() -> None:
        show_colors()
        results_arrived("Fuse and Import")
        clouds = names[0] if len(names) == 1 else counted(len(names), "cloud")
        session.current().finish(f"{sum(sizes):,} points in {time.monotonic() - began:.1f} s: {clouds}")

    one_by_one(subjects, fuse, finish)


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
