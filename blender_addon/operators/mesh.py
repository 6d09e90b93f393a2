"""A subject's mesh with its parts: made by the worker; of a subject that moves with its skeleton, as the armature moves that drives it."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import counted

from .. import session
from ..lasting.identity import hold
from ..model_facts import ModelFacts, with_facts
from ..posing.driver import body_pose, driving_armature
from ..scene.frames import frame_rate, rate_param, read_at_frames
from ..scene.meshes import import_mesh
from ..scripting.cloud_options import FusedViewsOptions, MeshOptions
from ..scripting.clouds import FusedViews, mesh_views
from ..scripting.given import Given
from ..scripting.one_by_one import one_by_one
from ..scripting.options import scripted
from ..scripting.subject_options import SubjectsOptions
from ..scripting.which import ChosenSubject, chosen_subjects
from .base import WaitingOperator, results_arrived
from .cloud import show_colors
from .pose import leave_modes

MESHING = "Making the mesh"


class DNERF_OT_import_mesh(scripted(SubjectsOptions, FusedViewsOptions, MeshOptions), WaitingOperator, bpy.types.Operator):
    """Make the subject's surface as a mesh with its parts; one that moves has its skeleton, and moves as the armature does"""

    bl_idname = "dnerf.import_mesh"
    bl_label = "Import Mesh"

    def act(self, context: bpy.types.Context) -> None:
        leave_modes()
        scene = context.scene
        given = Given(self, scene.dnerf, views="cloud_views", color="mesh_color", separate="mesh_separate")
        choice = MeshChoice(
            chosen_subjects(scene, given),
            mesh_views(context, given),
            given["color"],
            given["separate"],
            given.alone("nodes", "faces"),
        )
        with_facts(scene, MESHING, lambda scene, facts: make_meshes(scene, facts, choice), choice.subjects[0].model)


@dataclass(frozen=True)
class MeshChoice:
    """What is asked for.

    Attributes:
        subjects: a mesh each.
        views: what paints it.
        color: what its vertices show, "rgb" or "label"; of a model without labels always the pictures' colours.
        separate: an object a part.
        more: what a script says of how the surface is found.
    """

    subjects: tuple[ChosenSubject, ...]
    views: FusedViews
    color: str
    separate: bool
    more: Mapping[str, Any]


def make_meshes(scene: bpy.types.Scene, facts: ModelFacts, choice: MeshChoice) -> None:
    """The steps of the job after the model is known: read the motion, ask for the mesh of each subject."""
    params: dict[str, Any] = {**choice.views.params(scene, facts), **choice.more}
    if facts.skeleton is not None and driving_armature(scene, facts) is not None:
        first, last = scene.frame_start, scene.frame_end
        params["poses"] = read_at_frames(scene, first, last, 1, lambda _: body_pose(scene, facts))
        params["fps"] = rate_param(frame_rate(scene))
    params["color"] = "label" if facts.labels is not None and choice.color == "label" else "rgb"
    folder = tempfile.TemporaryDirectory(prefix="dnerf-mesh-")
    path, began = Path(folder.name, "mesh.glb"), time.monotonic()
    held, first_frame, frames = hold(scene), scene.frame_start, len(params.get("poses", ()))
    lines: list[str] = []
    holder = session.current()
    assert holder.job is not None
    holder.job.at_end = folder.cleanup

    def make(subject: ChosenSubject, go_on: Callable[[], None]) -> None:
        def done(result: dict[str, Any]) -> None:
            leave_modes()
            name = f"mesh {subject.stem}"
            items = import_mesh(held.needed(), path, name, first_frame, facts.labels, separate=choice.separate)
            parts = sum(len(item.data.materials) for item in items if item.type == "MESH")
            bones = f", {counted(len(result['joints']), 'bone')}" if result["joints"] else ""
            moves = f", moving over {counted(frames, 'frame')}" if frames else ""
            lines.append(f"{counted(result['faces'], 'triangle')} in {counted(parts, 'part')}{bones}{moves}")
            go_on()

        request = {**subject.params, **params, "output": str(path)}
        holder.continue_job("mesh", request, done, title=MESHING)

    def finish() -> None:
        show_colors("MATERIAL" if params["color"] == "label" else "VERTEX")
        results_arrived("Import Mesh")
        holder.finish(f"{'; '.join(lines)}, in {time.monotonic() - began:.1f} s")

    one_by_one(choice.subjects, make, finish)


CLASSES = (DNERF_OT_import_mesh,)
