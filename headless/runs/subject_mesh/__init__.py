"""The mesh of one subject from given cameras, with its skeleton where it has one: what a call asks for, and the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from dnerf_core import job_ranges
from dnerf_core.ranges import ranged
from headless.runs.mesh import FACES, NODES
from headless.runs.one_subject import OneSubjectCall, OpenSubject, opened_subject
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.files.meshes.rig import Rig, RigMotion
    from dnerf_core.mesh.mesh import Mesh


@dataclass(frozen=True, kw_only=True)
class SubjectMeshCall(OneSubjectCall):
    """What the mesh of a subject is asked for.

    Attributes:
        nodes, faces: see `headless.runs.mesh.MeshCall`.
        poses: of a rigged mesh's animation, the numbers of each frame's; empty: it has none.
        fps: frames of the animation a second.
    """

    nodes: int = ranged(NODES)
    faces: int | None = ranged(FACES)
    poses: Sequence[tuple[float, ...]] = ()
    fps: int | Fraction = ranged(job_ranges.FPS)


def subject_mesh(
    call: SubjectMeshCall, reporter: Reporter | None = None, open_subject: OpenSubject | None = None
) -> tuple[Mesh, Rig | None, RigMotion | None]:
    """The surface of a subject, painted by views from every camera of a call; at rest with its skeleton where the subject moves.

    Args:
        reporter: hears how many views are done, and may end them by an exception; None: nobody does.
        open_subject: gives the subject; None: it is opened for this call alone, and so is its model.

    Raises:
        UsageError: a package is missing, or poses of a subject that has none.
        DNeRFError: the model or the subject cannot be used, or nothing passes the level.
    """
    from dnerf_core.checkpoints import model_facts
    from dnerf_core.files.meshes.rig import RigMotion
    from dnerf_core.mesh.mesh import mesh_of
    from dnerf_core.mesh.options import MeshOptions
    from dnerf_core.mesh.rigged import rigged_mesh
    from headless import models
    from headless.runs.poses import poser_of, required_poser
    from headless.work import workers

    reporter = reporter or Quiet()
    options = MeshOptions(nodes=call.nodes, faces=call.faces)
    options.check_packages()
    facts = model_facts.describe_model(call.model_name)
    motion = None
    if call.poses:
        poser = required_poser(facts, "poses")
        shape = facts.config.latent.pose_shape
        assert shape is not None
        numbers = np.array(call.poses, np.float32).reshape(len(call.poses), *shape)
        motion = RigMotion("motion", float(call.fps), *poser.turns(numbers))
    with reporter.progress("views", len(call.cameras)) as advance:
        _, subject = opened_subject(call, open_subject)
        size_px = call.resolution or subject.model.config.image_size
        with models.one_thread_a_view():
            surface = subject.surface(options)
            views = []
            tasks = workers.run_tasks(
                [call.cameras],
                lambda camera: subject.render(camera, size_px),
                call.workers or workers.default_workers(),
                in_order=True,
            )
            for _, view in tasks:
                views.append(view)
                advance()
        labels = subject.model.labels if subject.model.has_semantics else None
        mesh = mesh_of(surface, views, options, labels, subject.model.config.cameras.world_up)
    if poser_of(facts) is None:
        return mesh, None, None
    return *rigged_mesh(subject, mesh), motion
