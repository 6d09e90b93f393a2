"""`sample --next`: which subjects and views to paint next, by what is painted already; and a folder of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError, counted
from dnerf_core.limits import MAX_SEED
from dnerf_core.ranges import Ranged, Whole, ranged
from headless.runs.choices import chosen_seeds
from headless.runs.sample import chosen_labels, make_plan
from headless.runs.sampling.call import SampleCall
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.files.annotated_folder import Annotations
    from dnerf_core.files.annotated_record import FolderPlan
    from dnerf_core.model import Model
    from headless.datasets.plan import ViewPlan

MAX_NEXT = 1000
CANDIDATE_SUBJECTS = 64
"""Subjects that views are chosen among, unless the call names them, or asks for so many that it takes more."""
CANDIDATES_A_CHOICE = 3
CANDIDATE_VIEWS = 4
"""Of each."""


@dataclass(frozen=True, kw_only=True)
class NextCall(Ranged):
    """What one call of `sample --next` asks for.

    Attributes:
        folders: of `sample`, painted so far.
        next_views: how many views are to be painted next.
        sample: all that it has in common with `sample`: its subjects are those to choose among, its views are of each chosen
            subject, and its model, truncation, output and labels do not count.
        model_name: None: the one that the folders were sampled from.
        truncation: None: the first folder's.
        output: None: the first folder's name with `-next` behind it.
        choice_seed: of the ensemble.
    """

    folders: tuple[Path, ...]
    next_views: int = ranged(
        Whole(1, MAX_NEXT, None, "Choose the N views that are best painted next, by what is painted in the folders.")
    )
    sample: SampleCall
    model_name: str | None = None
    truncation: float | None = None
    output: Path | None = None
    snap_colors: bool = ranged(job_ranges.SNAP_COLORS)
    choice_seed: int = ranged(Whole(0, MAX_SEED, 0, "Draw the ensemble that --next chooses by from this seed."))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.folders:
            raise UsageError(
                f"--next {self.next_views}: expected folders of sample that are painted, found none; name them: FOLDER..."
            )
        if self.sample.labels is not None:
            raise UsageError("--next and --labels: expected the labels of the painted folders, found others; leave --labels out")
        if self.sample.extend:
            raise UsageError("--next and --extend: expected one of them, found both; choose more views into another --output")
        if self.next_views % self.views_each:
            raise UsageError(
                f"--next {self.next_views}: expected a multiple of --views {self.views_each}, since each chosen subject has so many; "
                f"choose {-(-self.next_views // self.views_each) * self.views_each}"
            )

    @property
    def views_each(self) -> int:
        """Views of each chosen subject."""
        return 1 if self.sample.views is None else self.sample.views

    @property
    def subjects(self) -> int:
        """How many subjects are chosen."""
        return self.next_views // self.views_each


@dataclass(frozen=True, eq=False)
class Pool:
    """What is chosen among, and by what.

    Attributes:
        call: the sample's, with model, truncation and output decided.
        painted: what is painted by now.
        facts: the model.
        plan: of all candidates: each subject from several sides.
        identity: all that decides the choice, but for pixels of masks.
    """

    call: SampleCall
    painted: Annotations
    facts: ModelFacts
    plan: ViewPlan
    identity: dict[str, Any]


def next_views(call: NextCall, reporter: Reporter, load: Callable[[str], Model] | None = None) -> None:
    """Run one call of `sample --next`.

    Args:
        load: gives the model by its name or path; None: it is loaded for this call alone.

    Raises:
        DNeRFError: a wrong call, folders or a model that cannot be used, nothing painted, or results that cannot be written.
    """
    with ExitStack() as locks:
        _next_views(call, reporter, load, locks)


def _next_views(call: NextCall, reporter: Reporter, load: Callable[[str], Model] | None, locks: ExitStack) -> None:
    from headless.annotating.chosen_views import chosen_plan, held_choice, stand_in
    from headless.annotating.palettes import folder_labels
    from headless.runs.sampling.writing import Sampled, check_folder, write_sampled

    pool = _pool(call)
    held = folder_labels(pool.call.output, pool.painted.labels)
    chosen = held_choice(pool.call.output, pool.identity)
    if chosen is None:
        plan = stand_in(pool.plan, pool.facts.config.cameras, call.subjects, call.views_each, pool.identity)
        check_folder(pool.call, Sampled(plan, pool.facts, held))
        if not pool.call.dry_run:
            chosen = _choose(call, pool, reporter, load)
    lines: tuple[str, ...] = ()
    if chosen is not None:
        plan = chosen_plan(pool.plan, chosen, call.views_each, pool.identity)
        lines = _why(chosen, pool)
    write_sampled(pool.call, Sampled(plan, pool.facts, held, call.folders, chosen, lines), reporter, load, locks)


def _pool(call: NextCall) -> Pool:
    """What a call chooses among; everything is checked that can be without the model's weights."""
    from dnerf_core.files.annotated_record import read_plan
    from headless.annotating.painted import read_painted
    from headless.annotating.training_plan import matching_model

    painted = read_painted(call.folders, skip_unpainted=True, snap_colors=call.snap_colors)
    folders = [read_plan(folder) for folder in call.folders]
    facts = matching_model(call.model_name, painted)
    output = call.folders[0].with_name(f"{call.folders[0].resolve().name}-next") if call.output is None else call.output
    if output.resolve() in [folder.resolve() for folder in call.folders]:
        raise UsageError(f"--output {output}: expected a folder of its own, found one that is painted; choose another")
    decided = _decided(call, folders, painted, output)
    chosen_labels(dataclasses.replace(decided, labels=tuple(painted.labels.names[1:])), facts)
    seeds = _candidate_seeds(call, decided, folders)
    plan = make_plan(decided, seeds, facts)
    identity = {
        "next": call.next_views,
        "painted_sha256": _painted_sha256(painted),
        "candidates_sha256": _sha256([plan.to_json() | {"model": "", "model_name": ""}, call.choice_seed, call.views_each]),
    }
    return Pool(decided, painted, facts, plan, identity)


def _decided(call: NextCall, folders: Sequence[FolderPlan], painted: Annotations, output: Path) -> SampleCall:
    """The sample's call of all candidates: what the call leaves open is as the folders have it."""
    own = call.sample
    truncation = folders[0].truncation if call.truncation is None else call.truncation
    if own.subject_files:
        truncation = 1.0 if call.truncation is None else call.truncation
    yaw_deg = own.yaw or (min(f.yaw_deg[0] for f in folders), max(f.yaw_deg[1] for f in folders))
    pitch_deg = own.pitch or (min(f.pitch_deg[0] for f in folders), max(f.pitch_deg[1] for f in folders))
    moving = any(image.subject.pose is not None for image in painted.images)
    poses_drawn = own.random_poses or (moving and own.pose is None)
    single = yaw_deg[0] == yaw_deg[1] and pitch_deg[0] == pitch_deg[1] and not poses_drawn and own.pose is None
    if single and call.views_each > 1:
        raise UsageError(
            f"--views {call.views_each}: expected 1 for the single direction that the folders were sampled from; give --yaw or --pitch "
            "as a range A:B"
        )
    return dataclasses.replace(
        own,
        model_name=painted.model if call.model_name is None else call.model_name,
        truncation=truncation,
        output=output,
        views=1 if single else max(CANDIDATE_VIEWS, call.views_each),
        yaw=yaw_deg,
        pitch=pitch_deg,
        view_distribution=own.view_distribution or "uniform",
        random_poses=poses_drawn,
    )


def _candidate_seeds(call: NextCall, decided: SampleCall, folders: Sequence[FolderPlan]) -> tuple[int, ...]:
    """The numbers of the subjects to choose among: those that the call names and no folder has, or the seeds behind the last one."""
    taken = {seed for plan in folders if not plan.files for seed in plan.seeds}
    wanted = max(CANDIDATE_SUBJECTS, CANDIDATES_A_CHOICE * call.subjects)
    first = max(taken, default=-1) + 1
    if first + wanted > MAX_SEED:
        first = next(seed for seed in range(MAX_SEED) if taken.isdisjoint(range(seed, seed + wanted)))
    default = tuple(range(first, first + wanted))
    named = chosen_seeds(decided.seeds, decided.subjects, default, files=decided.subject_files, truncation=decided.truncation)
    seeds = named if decided.subject_files else tuple(seed for seed in named if seed not in taken)
    if len(seeds) < call.subjects:
        raise UsageError(
            f"--next {call.next_views}: expected at least {counted(call.subjects, 'subject')} to choose among that the "
            f"folders do not have, found {len(seeds)}; name more by --seeds or --subjects, or leave them out"
        )
    return seeds


def _painted_sha256(painted: Annotations) -> str:
    """Of which views are painted, whatever is in their masks: a mask that is corrected later does not undo a choice."""
    return _sha256([[list(image.subject.identity), image.camera.to_json()] for image in painted.images])


def _sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _choose(call: NextCall, pool: Pool, reporter: Reporter, load: Callable[[str], Model] | None) -> dict[str, Any]:
    """The choice, as a record tells it."""
    from headless import models
    from headless.annotating.choosing import choose

    count = len(pool.plan.seeds) * pool.plan.views
    reporter.event("choosing", command="sample", output=str(pool.call.output), painted=len(pool.painted.images), candidates=count)
    if pool.painted.skipped:
        reporter.warning(f"{counted(pool.painted.skipped, 'mask')} with nothing painted left out")
    if (snapped := pool.painted.snapped.line()) is not None:
        reporter.warning(snapped)
    model = models.load_model(pool.call.model_name, pool.call.device) if load is None else load(pool.call.model_name)
    with reporter.progress("views looked at", count + len(pool.painted.images)) as advance:
        return choose(
            model,
            pool.painted,
            pool.plan,
            subjects=call.subjects,
            views_each=call.views_each,
            seed=call.choice_seed,
            progress=advance,
        )


def _why(chosen: dict[str, Any], pool: Pool) -> tuple[str, ...]:
    """A choice for people."""
    views = chosen["views"]
    names = pool.painted.labels.names
    shares = [sum(view["uncertainty_by_class"].get(name, 0.0) for view in views) / len(views) for name in names]
    most = sorted(zip(shares, names, strict=True), reverse=True)[:3]
    first = sorted(views, key=lambda view: view["order"])[:3]
    return (
        f"chosen among {counted(chosen['candidates'], 'view')} of {counted(chosen['candidate_subjects'], 'subject')}, by "
        f"{counted(chosen['painted_views'], 'painted view')}; members disagree most on "
        + ", ".join(f"{name} ({share:.0%})" for share, name in most if share > 0),
        f"most urgent: {', '.join(view['name'] for view in first)}; why each one: chosen in {pool.call.output / 'dataset.json'}",
    )
