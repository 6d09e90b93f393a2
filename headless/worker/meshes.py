"""The methods about subjects that move: motions as poses, and a subject's mesh with its skeleton."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.checkpoints import model_facts
from dnerf_core.files.meshes.glb import mesh_glb_bytes
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.ranges import Number
from dnerf_core.work.interruption import interruptible
from headless.runs.mesh import COLOR
from headless.runs.poses import required_poser
from headless.runs.subject_mesh import SubjectMeshCall, subject_mesh
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params, chosen_poses

MOTION_FPS = Number(0.01, 1000.0, None)


def motion(job: Job, held: HeldModels) -> dict[str, Any]:
    """The poses of a motion that the program brings, or of a file, for a model's subjects: numbers [F, ...] as an array."""
    params = Params(job.params)
    name, source, fps = params.text("model"), params.text("motion"), params.ranged("fps", MOTION_FPS)
    params.close()
    found = required_poser(model_facts.describe_model(name), f"motion {source}").read(Path(source), None, fps)
    return {
        "poses": job.exchange.put(found.poses.reshape(len(found.poses), -1)),
        "title": found.title,
        "fps": found.fps,
        "warnings": list(found.remarks),
    }


def mesh(job: Job, held: HeldModels) -> dict[str, Any]:
    """A subject's mesh as a GLB at `output`; of a model whose subjects move, at rest with its skeleton, and moved by `poses`."""
    params = Params(job.params)
    name, chosen, output = params.text("model"), params.subject(), params.path("output")
    cameras = [camera for _, camera in params.cameras()]
    poses, color = chosen_poses(params, None), params.ranged("color", COLOR)
    fields = params.fields(SubjectMeshCall, "nodes", "faces", "fps")
    size_px = params.field(SubjectMeshCall, "resolution", "size_px")
    params.close()
    call = SubjectMeshCall(
        model_name=name,
        subject=held.key(chosen),
        cameras=cameras,
        resolution=size_px,
        device=held.device,
        poses=tuple(poses or ()),
        **fields,
    )
    reporter = JobReporter(job)
    with interruptible(job.check):
        surface, rig, animation = subject_mesh(call, reporter, held.subject)
    job.check()
    write_bytes_whole(output, mesh_glb_bytes(surface, color, rig, animation))
    return {
        "file": str(output),
        "vertices": len(surface.vertices),
        "faces": len(surface.faces),
        "watertight": surface.is_watertight,
        "joints": [] if rig is None else list(rig.names),
        "warnings": reporter.warnings,
    }
