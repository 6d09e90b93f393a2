"""Meshes with labelled parts: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import dataclasses
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.errors import counted
from dnerf_core.mesh.options import MAX_NODES, MESH_NODES, SURFACE_DENSITY
from dnerf_core.ranges import Choice, Number, Whole, ranged
from headless.runs.fused_views import model_source
from headless.runs.shared_calls import FusedViewsCall, WeighedCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.files.clouds import CloudColor
    from dnerf_core.files.meshes.formats import MeshFormat
    from dnerf_core.files.meshes.rig import RigMotion
    from headless.clouds.sources import ModelSource
    from headless.meshes.plan import MeshPlan


FORMATS = ("glb", "ply", "obj", "usd")
COLOR = Choice(("rgb", "label"), "rgb", "Colour the vertices as the pictures are (rgb), or the parts by the labels (label).")
NODES = Whole(8, MAX_NODES, MESH_NODES, "Read the density at N nodes an axis; 1.7 times as many take 5 times as long.")
LEVEL = Number(-1e4, 1e4, SURFACE_DENSITY, "Put the surface where the raw density is D, before the softplus.")
FACES = Whole(4, 10_000_000, None, "Collapse edges until N triangles are left, which carry labels and colours on.")
MIN_PIECE = Number(
    0.0, 1.0, 1.0, "Keep pieces with at least this share of the largest one's area: 1 keeps the largest alone, 0 all of them."
)


@dataclass(frozen=True, kw_only=True)
class MeshCall(FusedViewsCall, WeighedCall):
    """What one call of `mesh` asks for; None: what `docs/cli.md` says of an option that is not given.

    Attributes:
        rigged: whether meshes lie at rest and have the skeleton that moves them; the motion of `pose` is then their animation, while else
            it is the poses that meshes are of.
    """

    formats: tuple[MeshFormat, ...] = ("glb",)
    color: CloudColor = ranged(COLOR)
    nodes: int = ranged(NODES)
    level: float = ranged(LEVEL)
    faces: int | None = ranged(FACES)
    min_piece: float = ranged(MIN_PIECE)
    rigged: bool = ranged(job_ranges.OFF)
    output: Path = Path("dnerf-meshes")


def mesh(call: MeshCall, reporter: Reporter) -> None:
    """Run one call of `mesh`.

    Raises:
        DNeRFError: a wrong call, a model or package that cannot be used, a subject without such a surface, or results that cannot be
            written.
    """
    with ExitStack() as held:
        _mesh(call, reporter, held)


def _mesh(call: MeshCall, reporter: Reporter, held: ExitStack) -> None:
    """`mesh`, with `held` the folder's lock."""
    from dnerf_core.files.names import LABELS_NAME
    from headless import models
    from headless.meshes.job import RECORD_FORMAT, MeshJob
    from headless.runs.dry_run import estimated_meshes, measured_meshes
    from headless.work.convolutions import settled_form
    from headless.work.estimates import tell_dry_run, weighed
    from headless.work.result_folder import ResultFolder
    from headless.work.taking import taken
    from headless.work.workers import default_workers

    started = time.monotonic()
    animation = rig_motion(call) if call.rigged else None
    source = model_source(dataclasses.replace(call, pose=None, pose_frames=None) if call.rigged else call)
    plan = make_plan(call, source, animation)
    folder = ResultFolder(call.output, RECORD_FORMAT, "mesh", plan.to_json(), [LABELS_NAME, *plan.formats])
    workers = call.workers or default_workers()
    source = source.in_form(settled_form(folder, call.device, exact=call.exact))
    verified = None if call.dry_run else taken(folder, reporter, held, call, workers=workers)
    job = MeshJob(plan, source, folder, reporter, workers, only_look=call.dry_run, animation=animation)
    missing = len(job.missing)
    fields = {"command": "mesh", "output": str(call.output), "meshes": len(source.names)}
    given, size = source.plan.given, counted(len(source.names), "mesh", "meshes")
    remarks = [] if given is None else list(given.remarks)
    estimate = estimated_meshes(plan, source, missing, workers)
    if call.dry_run:
        measured = measured_meshes(estimate, plan, source, job.missing, workers)
        tell_dry_run(measured, call.output, size, reporter, fields, remarks)
        return
    remarks += weighed(estimate, call.output, size, ignored=call.ignore_disk_space)
    reporter.start(
        f"{call.output}: {size}, {missing} of them to be made",
        **fields,
        meshes_missing=missing,
        plan=plan.to_json(),
    )
    if source.labels is None:
        reporter.warning("the model has no labels, so the meshes have none")
    for remark in remarks:
        reporter.warning(remark)
    with models.one_thread_a_view():
        job.write()
    folder.completed = True
    if verified is not None:
        fields |= verified.to_json()
    if job.open_meshes:
        reporter.warning(
            f"{len(job.open_meshes)} meshes are not watertight, {job.open_meshes[0]} is the first; try other --nodes"
        )
    seconds = time.monotonic() - started
    done = f"{missing} made in {seconds:.1f} s, {job.faces} faces" if job.files_made else "nothing to do, all there"
    reporter.summary(
        [
            f"{call.output}: {size} as {', '.join(plan.formats)}: {done}",
            *([] if given is None else given.world_lines),
            *([] if verified is None else [verified.line]),
            f"look at {job.file(source.names[0], plan.formats[0])}",
        ],
        **fields,
        meshes_made=missing,
        faces=job.faces,
        not_watertight=len(job.open_meshes),
        nothing_to_do=not job.files_made,
        seconds=round(seconds, 3),
    )


def rig_motion(call: MeshCall) -> RigMotion | None:
    """The animation of a call's rigged meshes; None: it has none.

    Raises:
        UsageError: a format other than GLB, a model whose subjects do not move, or a motion that cannot be used.
    """
    from dnerf_core.checkpoints import model_facts
    from dnerf_core.errors import UsageError
    from dnerf_core.files.meshes.rig import RigMotion
    from headless.runs.poses import read_motion, required_poser

    if call.formats != ("glb",):
        raise UsageError(f"--rigged: expected --format glb, found {','.join(call.formats)}; the others hold no skeleton")
    facts = model_facts.describe_model(call.model_name)
    poser, motion = required_poser(facts, "--rigged"), read_motion(call, facts)
    return None if motion is None else RigMotion(motion.title, motion.fps or 24.0, *poser.turns(motion.poses))


def make_plan(call: MeshCall, source: ModelSource, animation: RigMotion | None = None) -> MeshPlan:
    """The plan of a call.

    Raises:
        UsageError: a format's or the surface's package is missing, or colours that need labels where there are none.
    """
    from dnerf_core.errors import UsageError
    from dnerf_core.files.usd import check_usd
    from dnerf_core.mesh.options import MeshOptions
    from headless.meshes.plan import MeshPlan

    if call.color == "label" and source.labels is None:
        raise UsageError(
            "--color label: expected a model with labels, found none; train a semantic branch first, or leave it out"
        )
    options = MeshOptions(call.nodes, call.level, call.faces, call.min_piece)
    options.check_packages()
    if "usd" in call.formats:
        check_usd()
    described = source.to_json()
    if call.rigged:
        described |= {"rigged": True} | ({} if animation is None else animation.to_json())
    return MeshPlan(described, call.formats, call.color, options, call.rigged)
