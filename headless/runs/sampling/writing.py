"""Writing a folder to be painted: what is planned, wherever its views come from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.checkpoints.model_facts import recorded_name
from dnerf_core.errors import counted
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.model import Model
    from headless.annotating.palettes import FolderLabels
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.plan import ViewPlan
    from headless.datasets.poses.given import Pose
    from headless.datasets.seen import MakeSubject, RenderView
    from headless.runs.sampling.call import SampleCall


@dataclass(frozen=True, eq=False)
class Sampled:
    """What is to be written.

    Attributes:
        plan: the views.
        facts: the model.
        held: the labels to paint.
        painted: folders that are painted already, which a training takes as well.
        chosen: what the record tells of why its views were chosen; None: nobody chose them.
        lines: what the summary tells of it, and `fields` for machines.
        seconds: spent on choosing.
    """

    plan: ViewPlan
    facts: ModelFacts
    held: FolderLabels
    painted: tuple[Path, ...] = ()
    chosen: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()


def check_folder(call: SampleCall, sampled: Sampled) -> None:
    """Refuse a folder that is neither free nor this call's.

    Raises:
        OutputError: it is a file, or holds something else.
    """
    _folder(call, sampled).check()


def _folder(call: SampleCall, sampled: Sampled) -> DatasetFolder:
    from headless.datasets.folder import DatasetFolder

    record = sample_record(call, sampled.plan, sampled.facts, sampled.held.recorded)
    folder = DatasetFolder(call.output, "sample", sampled.plan, record)
    if sampled.chosen is not None:
        folder.record["chosen"] = sampled.chosen
    return folder


def write_sampled(
    call: SampleCall, sampled: Sampled, reporter: Reporter, load: Callable[[str], Model] | None, locks: ExitStack
) -> None:
    """Write what is missing of a folder to be painted, and tell of it.

    Args:
        load: gives the model by its name or path; None: it is loaded for this call alone.
        locks: what ends the call's work in the folder when it is closed.

    Raises:
        DNeRFError: the folder is another call's, or something cannot be written.
    """
    from dnerf_core.files.names import SHEET_NAME
    from headless import models
    from headless.datasets.listing import Listing
    from headless.datasets.verified import opened
    from headless.datasets.view_job import ViewJob, by_threads
    from headless.datasets.view_writer import ViewWriter
    from headless.runs.dry_run import weighed_views
    from headless.work.convolutions import model_in_form, settled_form
    from headless.work.workers import default_workers

    started = time.monotonic()
    plan, facts, held, labels = sampled.plan, sampled.facts, sampled.held, sampled.held.labels
    folder = _folder(call, sampled)
    workers = call.workers or default_workers()
    cameras, unpainted = facts.config.cameras, not call.truth
    listing = Listing(plan, folder, cameras, labels, reporter, workers=workers, sampled=True, unpainted=unpainted)
    form = settled_form(folder, call.device, exact=plan.exact)
    verified = opened(folder, reporter, locks, call, listing, only_look=call.dry_run)
    writer = ViewWriter(plan, folder, cameras, labels)
    job = ViewJob(writer, reporter, listing, expect_empty=unpainted)
    total = len(plan.seeds) * plan.views
    fields = {"command": "sample", "output": str(call.output), "views": total}

    def make_subjects() -> MakeSubject:
        model = models.load_model(call.model_name, call.device) if load is None else load(call.model_name)
        return subject_maker(model_in_form(model, form), plan, truth=call.truth)

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
    train = " ".join(["dnerf-headless train", *map(str, sampled.painted), f"{call.output} -o model.safetensors"])
    next_step = f"next: {train}" if call.truth else f"paint {names} in {call.output / 'masks'}, then: {train}"
    reporter.summary(
        [
            f"{call.output}: {counted(total, 'view')} of {counted(len(plan.seeds), 'subject')} to annotate: {done}",
            *sampled.lines,
            *([] if verified is None else [f"{verified.line}; what masks hold is yours, and only looked at"]),
            next_step,
        ],
        **fields,
        subjects=len(plan.seeds),
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
