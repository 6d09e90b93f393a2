"""Views of a few subjects to annotate: what a call asks for, the plan it means, and the run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import AnnotationError, UsageError
from headless.datasets.spacing import chosen_spacing
from headless.runs.choices import check_total
from headless.runs.poses import given_poses, skeleton_of, subject_views
from headless.runs.sampling.call import SampleCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.labels import LabelSet
    from dnerf_core.model import Model
    from headless.datasets.plan import ViewPlan


DEFAULT_SEEDS = tuple(range(job_ranges.SAMPLED_SUBJECTS.usual or 0))


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
    from headless.annotating.palettes import folder_labels
    from headless.runs.sampling.writing import Sampled, write_sampled

    seeds = call.chosen_seeds(DEFAULT_SEEDS)
    facts = model_facts.describe_model(call.model_name)
    held = folder_labels(call.output, chosen_labels(call, facts))
    plan = make_plan(call, seeds, facts)
    check_total(len(seeds), plan.views)
    write_sampled(call, Sampled(plan, facts, held), reporter, load, locks)


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
