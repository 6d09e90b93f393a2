"""Views of a few subjects to annotate: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_facts import recorded_name
from dnerf_core.errors import AnnotationError, UsageError, counted
from dnerf_core.ranges import ranged
from headless.datasets.spacing import DISTRIBUTION, chosen_spacing
from headless.runs.choices import check_total
from headless.runs.poses import PosedCall, given_poses, skeleton_of, subject_views
from headless.runs.shared_calls import SubjectViewsCall, WeighedCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.labels import LabelSet
    from dnerf_core.model import Model
    from headless.annotating.palettes import FolderLabels
    from headless.datasets.plan import ViewPlan
    from headless.datasets.poses.given import Pose
    from headless.datasets.seen import MakeSubject, RenderView
    from headless.datasets.spacing import Spacing


DEFAULT_SEEDS = tuple(range(job_ranges.SAMPLED_SUBJECTS.usual or 0))


@dataclass(frozen=True, kw_only=True)
class SampleCall(SubjectViewsCall, PosedCall, WeighedCall):
    """What one call of `sample` asks for; None: what `docs/cli.md` says of an option that is not given.

    Attributes:
        labels: what is painted: names of parts, or a labels.json.
    """

    subjects: int | None = ranged(job_ranges.SAMPLED_SUBJECTS)
    view_distribution: Spacing | None = ranged(DISTRIBUTION)
    labels: tuple[str, ...] | Path | None = None
    truth: bool = ranged(job_ranges.OFF)
    output: Path = Path("dnerf-annotate")


def sample(call: SampleCall, reporter: Reporter, load: Callable[[str], Model] | None = None) -> None:
    """Run one call of `sample`.

    Args:
        load: gives the model by its name or path; None: it is loaded for this call alone.

    Raises:
        DNeRFError: a wrong call, a model that cannot be used, or results that cannot be written.
    """
    with ExitStack() as locks:
        _sample(call, reporter, load, locks)


def _sample(call: SampleCall, reporter: Reporter, load: Callable[[str], Model] | None, locks: ExitStack) -> None:
    """`sample`, with `locks` the folder's."""
    from dnerf_core.files.names import SHEET_NAME
    from headless import models
    from headless.annotating.palettes import folder_labels
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.listing import Listing
    from headless.datasets.verified import opened
    from headless.datasets.view_job import ViewJob, by_threads
    from headless.datasets.view_writer import ViewWriter
    from headless.runs.dry_run import weighed_views
    from headless.work.workers import default_workers

    started = time.monotonic()
    seeds = call.chosen_seeds(DEFAULT_SEEDS)
    facts = model_facts.describe_model(call.model_name)
    held = folder_labels(call.output, chosen_labels(call, facts))
    labels = held.labels
    plan = make_plan(call, seeds, facts)
    check_total(len(seeds), plan.views)
    folder = DatasetFolder(call.output, "sample", plan, sample_record(call, plan, facts, held.recorded))
    workers = call.workers or default_workers()
    cameras, unpainted = facts.config.cameras, not call.truth
    listing = Listing(plan, folder, cameras, labels, reporter, workers=workers, sampled=True, unpainted=unpainted)
    verified = opened(folder, reporter, locks, call, listing, only_look=call.dry_run)
    writer = ViewWriter(plan, folder, cameras, labels)
    job = ViewJob(writer, reporter, listing, expect_empty=unpainted)
    total = len(seeds) * plan.views
    fields = {"command": "sample", "output": str(call.output), "views": total}

    def make_subjects() -> MakeSubject:
        model = models.load_model(call.model_name, call.device) if load is None else load(call.model_name)
        return subject_maker(model, plan, truth=call.truth)

    remarks = weighed_views(call, writer, make_subjects, job.views_missing, workers, facts.config, reporter, fields)
    if remarks is None:
        return
    refreshed = follow_labels(call.output, plan, held, reporter)
    reporter.start(job.start_message, **fields, views_missing=job.views_missing, plan=folder.record["plan"])
    for remark in remarks:
        reporter.warning(remark)
    if job.views_missing:
        make_subject = make_subjects()
        with models.one_thread_a_view():
            job.write(by_threads(make_subject, workers))
    elif job.files_missing():
        job.write()
    fields |= {} if verified is None else verified.to_json()
    seconds = time.monotonic() - started
    done = "nothing to do, all there" if job.nothing_to_do else f"{job.views_written} written in {seconds:.1f} s"
    if refreshed:
        done += (
            f", palettes of {refreshed} masks follow labels.json"
            if refreshed > 1
            else ", the palette of a mask follows labels.json"
        )
    names = ", ".join(labels.names[1:])
    next_step = (
        f"next: dnerf-headless train {call.output} -o model.safetensors"
        if call.truth
        else f"paint {names} in {call.output / 'masks'}, then: dnerf-headless train {call.output} -o model.safetensors"
    )
    reporter.summary(
        [
            f"{call.output}: {counted(total, 'view')} of {counted(len(seeds), 'subject')} to annotate: {done}",
            *([] if verified is None else [f"{verified.line}; what masks hold is yours, and only looked at"]),
            next_step,
        ],
        **fields,
        subjects=len(seeds),
        views_written=job.views_written,
        labels=list(labels.names),
        palettes_refreshed=refreshed,
        nothing_to_do=job.nothing_to_do,
        contact_sheet=str(call.output / SHEET_NAME),
        seconds=round(seconds, 3),
    )


def follow_labels(folder: Path, plan: ViewPlan, held: FolderLabels, reporter: Reporter) -> int:
    """Write labels that were added since the folder was made, and give its masks their palette; returns how many masks were written.

    Raises:
        OutputError: something cannot be written.
    """
    from dnerf_core.files.names import SHEET_NAME
    from dnerf_core.files.whole import remove_files
    from headless.annotating.palettes import refresh_palettes
    from headless.datasets.plan import view_names

    held.write_added(folder)
    masks = folder / "masks"
    refreshed, unreadable = refresh_palettes(masks, [name for seed in plan.seeds for name in view_names(plan, seed)], held)
    if refreshed or held.added:
        remove_files([folder / SHEET_NAME])  # its legend is of the former labels
    if unreadable:
        stay = "mask cannot be read and stays as it is:" if len(unreadable) == 1 else "masks cannot be read and stay as they are:"
        reporter.warning(f"{masks}: {len(unreadable)} {stay} {', '.join(f'{name}.png' for name in unreadable[:3])}")
    return refreshed


def chosen_labels(call: SampleCall, facts: ModelFacts) -> LabelSet:
    """The label set to paint: `--labels`, else the model's own, else (with `--truth`) the truth's.

    Raises:
        UsageError: there is none, or `--truth` is asked for where no truth is known, or of other labels than the truth's.
        AnnotationError: the file that `--labels` names is no labels file.
    """
    from dnerf_core.demo.worlds import is_known, names_text, world_named

    if call.truth and not is_known(facts.config.name):
        raise UsageError(f"--truth: expected a model made from {names_text()}, found {facts.config.name}; leave it out and paint")
    if call.truth and call.subject_files:
        raise UsageError("--truth: expected seeds, found --subject; the truth of other subjects is not known")
    if call.truth and call.truncation != 1.0:
        raise UsageError(f"--truth: expected --truncation 1, found {call.truncation:g}; the truth of other subjects is not known")
    labels = facts.labels if call.labels is None else read_labels(call.labels)
    if labels is None and call.truth:
        labels = world_named(facts.config.name).labels
    if labels is None:
        raise UsageError(
            f"--labels: expected names of parts or a labels.json, since {facts.path} has no labels of its own; "
            "give them, such as --labels hood,roof,wheels"
        )
    if call.truth and labels.names != (true_names := world_named(facts.config.name).labels.names):
        expected, found = (", ".join(names[1:]) for names in (true_names, labels.names))
        raise UsageError(f"--truth: expected the labels {expected}, found {found}; give --labels {expected.replace(' ', '')}")
    return labels


def read_labels(labels: tuple[str, ...] | Path) -> LabelSet:
    """The label set that a call's `labels` mean: of these names, or out of this file.

    Raises:
        UsageError: names that make no label set, or a file that cannot be read.
        AnnotationError: a file that is no labels file.
    """
    from dnerf_core.files.text import read_user_text
    from dnerf_core.labels import LabelSet

    if not isinstance(labels, Path):
        try:
            return LabelSet.from_names(labels)
        except AnnotationError as error:
            raise UsageError(f"--labels: {error}") from error
    source = read_user_text(labels, "a labels file", "correct it, or give names", option="--labels:")
    return LabelSet.from_json(source, f"--labels: {labels}")


def make_plan(call: SampleCall, seeds: tuple[int, ...], facts: ModelFacts) -> ViewPlan:
    """The plan of a call for a model: views at the model's own size, with masks, without depth; see `own_views` for where from.

    Raises:
        CheckpointError: a subject file that cannot be used with the model.
        UsageError: one with tuned weights, which a training on the model's own would not see.
    """
    from dnerf_core.own_views import view_ranges
    from dnerf_core.subject_key import checked_subject_files
    from headless.datasets.plan import ViewPlan

    subject_files = checked_subject_files(call.subject_files, facts.path)
    for file in subject_files:
        if file.tuned:
            raise UsageError(
                f"--subject {file.path}: expected a subject of the generator as it is, found tuned weights, which train does not take; "
                "make it without tuning"
            )
    spacing = chosen_spacing(call.view_distribution, call.random_views)
    yaw_deg, pitch_deg = view_ranges(facts.config.cameras, call.yaw, call.pitch, drawn=spacing != "even")
    poses = given_poses(call, facts)
    return ViewPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        views=subject_views(call.views, poses, yaw_deg, pitch_deg),
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        spacing=spacing,
        truncation=call.truncation,
        resolution_px=facts.config.image_size,
        channels=("rgb", "mask"),
        depth_format=None,
        subject_files=subject_files,
        poses=poses,
        skeleton=skeleton_of(facts),
    )


def sample_record(call: SampleCall, plan: ViewPlan, facts: ModelFacts, labels: Sequence[str]) -> dict[str, Any]:
    """What `dataset.json` keeps: the plan, where model and subject files are, which generator it is, and what there was to paint.

    Args:
        labels: as `headless.annotating.palettes.recorded_labels` tells them.
    """
    from dnerf_core.checkpoints.generator_hash import generator_sha256
    from dnerf_core.subject_key import paths_json

    return plan.to_json() | {
        "model": recorded_name(call.model_name),
        "generator_sha256": generator_sha256(facts.path),
        "labels": list(labels),
        "truth": call.truth,
        **paths_json(plan.subject_files),
    }


def subject_maker(model: Model, plan: ViewPlan, *, truth: bool) -> Any:
    """From a seed to a function that renders the subject with an empty mask, or the truth's, whatever the model's branch says."""
    import numpy as np

    from dnerf_core.subject import PartialView
    from dnerf_core.subject_key import subject_key
    from headless.datasets.poses.subjects import PosedSubjects

    if truth:
        from dnerf_core.demo.truth import require_truth, true_mask

        require_truth(model)

    def make(seed: int) -> RenderView:
        poses = PosedSubjects(subject_key(plan, seed).open(model))

        def render(camera: Camera, size_px: int, pose: Pose | None = None) -> PartialView:
            rgb = poses.posed(pose).channels(camera, size_px, ("rgb",)).rgb
            mask = true_mask(model, seed, camera, size_px, pose) if truth else np.zeros((size_px, size_px), np.uint8)
            return PartialView(rgb, mask, None)

        return render

    return make
