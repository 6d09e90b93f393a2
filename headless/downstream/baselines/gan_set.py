"""The data set that DatasetGAN makes of a generator and painted views: what a call asks for, the plan it means, and the run.

It lies as `render` lays out its own, so that `train-segmenter` learns from it; the most uncertain pictures are in no list.
"""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError, counted
from dnerf_core.limits import MAX_SEED
from dnerf_core.ranges import Number, Whole, ranged
from headless.datasets.plan import ViewPlan
from headless.runs.poses import PosedCall, given_poses, skeleton_of
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.downstream.baselines.datasetgan import GanLabeller
    from dnerf_core.downstream.baselines.gan_ensemble import PixelTraining
    from dnerf_core.files.annotated_folder import Annotations
    from dnerf_core.model import Model
    from dnerf_core.subject import PartialView
    from headless.datasets.poses.given import Pose
    from headless.datasets.seen import MakeSubject, RenderView


@dataclass(frozen=True, kw_only=True)
class GanSetCall(PosedCall):
    """What one call asks for.

    Attributes:
        painted: folders of `sample` with painted masks.
        seeds: of the subjects whose views are labelled.
        yaw, pitch: ranges in degrees that views are drawn from; None: the model's own.
        model_name: None: the model that the first folder was sampled from.
        resolution: side of the pictures; None: the model's image size.

    Example:
        >>> write_gan_set(GanSetCall(painted=(Path("painted"),), seeds=tuple(range(300)), output=Path("gan-set")))
    """

    painted: tuple[Path, ...]
    seeds: tuple[int, ...]
    output: Path
    views: int = ranged(Whole(1, 10_000, 1, "See each subject from so many places."))
    yaw: tuple[float, float] | None = None
    pitch: tuple[float, float] | None = None
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    model_name: str | None = None
    members: int = ranged(Whole(2, 100, 10, "Let so many classifiers vote."))
    steps: int = ranged(Whole(1, 1_000_000, 1500, "Let the optimiser of each take N steps."))
    reject_uncertain: float = ranged(
        Number(0.0, 0.9, 0.1, "Leave this share of the pictures out of the lists, the most uncertain ones.")
    )
    seed: int = ranged(Whole(0, MAX_SEED, 0, "Draw the classifiers' pixels, first weights and order by this seed."))
    skip_unpainted: bool = ranged(job_ranges.OFF)
    device: str = ranged(job_ranges.DEVICE)
    workers: int | None = None

    def pixel_training(self) -> PixelTraining:
        """How the classifiers are trained."""
        from dnerf_core.downstream.baselines.gan_ensemble import PixelTraining

        return PixelTraining(members=self.members, steps=self.steps, seed=self.seed)


@dataclass(frozen=True)
class GanPlan(ViewPlan):
    """A `ViewPlan` whose masks are voted for.

    Attributes:
        annotations_sha256: of what the classifiers learn from.
        classifiers: how many there are and how they are trained, as items of a record.
    """

    annotations_sha256: str = ""
    classifiers: tuple[tuple[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """See `ViewPlan.to_json`."""
        return super().to_json() | {"classifiers": dict(self.classifiers)}


def write_gan_set(call: GanSetCall, reporter: Reporter | None = None) -> None:
    """Write the data set of a call, or what is missing of it.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.

    Raises:
        DNeRFError: folders or a model that cannot be used, or results that cannot be written.
    """
    from headless.annotating.painted import read_painted
    from headless.annotating.training_plan import matching_model

    annotations = read_painted(call.painted, skip_unpainted=call.skip_unpainted)
    facts = matching_model(call.model_name, annotations)
    with ExitStack() as held:
        _write(call, annotations, facts, reporter or Quiet(), held)


def make_plan(call: GanSetCall, annotations: Annotations, facts: ModelFacts) -> GanPlan:
    """The plan of a call.

    Raises:
        UsageError: no seeds, or one twice, too many views, or poses that the model does not take.
    """
    from dnerf_core.own_views import view_ranges
    from headless.runs.choices import check_total

    if not call.seeds or len(set(call.seeds)) < len(call.seeds):
        raise UsageError(f"seeds: expected each one once, and at least one, found {len(call.seeds)}; correct them")
    check_total(len(call.seeds), call.views)
    yaw_deg, pitch_deg = view_ranges(facts.config.cameras, call.yaw, call.pitch, drawn=True)
    return GanPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=call.seeds,
        views=call.views,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        spacing="uniform",
        truncation=1.0,
        resolution_px=call.resolution or facts.config.image_size,
        channels=("rgb", "mask", "uncertainty"),
        depth_format=None,
        mask_format="ids",
        reject_uncertain=call.reject_uncertain,
        poses=given_poses(call, facts),
        skeleton=skeleton_of(facts),
        annotations_sha256=annotations.sha256(),
        classifiers=tuple(dataclasses.asdict(call.pixel_training()).items()),
    )


def _write(call: GanSetCall, annotations: Annotations, facts: ModelFacts, reporter: Reporter, held: ExitStack) -> None:
    from headless import models
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.listing import Listing
    from headless.datasets.view_job import ViewJob, by_threads
    from headless.datasets.view_writer import ViewWriter
    from headless.work.workers import default_workers

    plan, workers, labels = make_plan(call, annotations, facts), call.workers or default_workers(), annotations.labels
    folder = DatasetFolder(call.output, "datasetgan", plan)
    held.enter_context(folder.in_use(reporter))
    folder.open()
    listing = Listing(plan, folder, facts.config.cameras, labels, reporter, workers=workers)
    job = ViewJob(ViewWriter(plan, folder, facts.config.cameras, labels), reporter, listing)
    total = len(plan.seeds) * plan.views
    fields = {"command": "datasetgan", "output": str(call.output), "views": total}
    reporter.start(job.start_message, **fields, views_missing=job.views_missing, plan=plan.to_json())
    if job.views_missing:
        model = models.load_model(str(facts.path), call.device)
        # on one thread an interrupted call trains the same classifiers again
        with models.one_thread_a_view():
            labeller = trained_labeller(call, model, annotations, plan.resolution_px, reporter)
            job.write(by_threads(subject_maker(model, plan, labeller), workers))
    elif job.files_missing():
        job.write()
    reporter.summary(
        [f"{call.output}: {counted(total, 'view')} labelled by {call.members} classifiers' vote"],
        **fields,
        views_written=job.views_written,
        nothing_to_do=job.nothing_to_do,
    )


def trained_labeller(call: GanSetCall, model: Model, annotations: Annotations, size_px: int, reporter: Reporter) -> GanLabeller:
    """The classifiers of a call, trained on its painted views; equal calls train equal ones on one thread.

    Raises:
        DNeRFError: nothing is painted, or a subject cannot be used.
    """
    from dnerf_core.downstream.baselines.datasetgan import train_labeller

    training = call.pixel_training()
    with reporter.progress("views read and classifiers trained", len(annotations.images) + training.members) as advance:
        return train_labeller(model, annotations, training, size_px, advance)


def subject_maker(model: Model, plan: GanPlan, labeller: GanLabeller) -> MakeSubject:
    """From a seed to a function that sees its subject, with the classifiers' labels and disagreement."""
    from dnerf_core.subject_key import subject_key
    from headless.datasets.poses.subjects import PosedSubjects

    def make(seed: int) -> RenderView:
        poses = PosedSubjects(subject_key(plan, seed).open(model))

        def see(camera: Camera, size_px: int, pose: Pose | None = None) -> PartialView:
            return labeller.seen(poses.posed(pose), camera, size_px)

        return see

    return make
