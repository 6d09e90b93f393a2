"""A subject's mesh with its parts: made by the worker; of a subject that moves with its skeleton, as the armature moves that drives it."""

import tempfile
import time
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import ALL_AROUND_YAW_DEG, arc_cameras, view_ranges
from dnerf_core.errors import counted

from .. import session
from ..lasting.identity import hold
from ..model_facts import ModelFacts, subject_params, with_facts
from ..posing.driver import body_pose, driving_armature
from ..scene.frames import frame_rate, rate_param, read_at_frames
from ..scene.meshes import import_mesh
from ..subjects import subject_stem
from .base import JobOperator, results_arrived
from .cloud import show_colors
from .pose import leave_modes

MESHING = "Making the mesh"


class DNERF_OT_import_mesh(JobOperator, bpy.types.Operator):
    """Make the subject's surface as a mesh with its parts; one that moves has its skeleton, and moves as the armature does"""

    bl_idname = "dnerf.import_mesh"
    bl_label = "Import Mesh"

    def act(self, context: bpy.types.Context) -> None:
        leave_modes()
        with_facts(context.scene, MESHING, make_mesh)


def make_mesh(scene: bpy.types.Scene, facts: ModelFacts) -> None:
    """The step of the job after the model is known: read the motion, ask for the mesh."""
    settings = scene.dnerf
    params: dict[str, Any] = {}
    if facts.skeleton is not None and driving_armature(scene, facts) is not None:
        first, last = scene.frame_start, scene.frame_end
        params["poses"] = read_at_frames(scene, first, last, 1, lambda _: body_pose(scene, facts))
        params["fps"] = rate_param(frame_rate(scene))
    ranges = view_ranges(facts.cameras, default_yaw_deg=ALL_AROUND_YAW_DEG)
    cameras = arc_cameras(facts.cameras, *ranges, count=settings.cloud_views)
    folder = tempfile.TemporaryDirectory(prefix="dnerf-mesh-")
    path, stem, began = Path(folder.name, "mesh.glb"), subject_stem(scene), time.monotonic()
    held, first_frame, frames = hold(scene), scene.frame_start, len(params.get("poses", ()))
    separate = settings.mesh_separate
    holder = session.current()
    assert holder.job is not None
    holder.job.at_end = folder.cleanup

    def done(result: dict[str, Any]) -> None:
        leave_modes()
        name = f"mesh {stem}"
        items = import_mesh(held.needed(), Path(result["file"]), name, first_frame, facts.labels, separate=separate)
        show_colors("MATERIAL" if params["color"] == "label" else "VERTEX")
        results_arrived("Import Mesh")
        parts = sum(len(item.data.materials) for item in items if item.type == "MESH")
        bones = f", {counted(len(result['joints']), 'bone')}" if result["joints"] else ""
        moves = f", moving over {counted(frames, 'frame')}" if frames else ""
        seconds = time.monotonic() - began
        holder.finish(f"{counted(result['faces'], 'triangle')} in {counted(parts, 'part')}{bones}{moves}, in {seconds:.1f} s")

    params |= {
        **subject_params(scene),
        "cameras": [{**camera.to_json(), "name": f"v{index:02d}"} for index, camera in enumerate(cameras)],
        "color": "label" if facts.labels is not None and settings.mesh_color == "label" else "rgb",
        "output": str(path),
    }
    holder.continue_job("mesh", params, done, title=MESHING)


CLASSES = (DNERF_OT_import_mesh,)
