"""Whether a folder takes the views that are to be added, and what it has by now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import OutputError, brief
from dnerf_core.files.annotated_record import read_labels
from dnerf_core.files.names import LABELS_NAME
from dnerf_core.files.pictures import EARLIER_DEPTH_CHANNEL
from dnerf_core.limits import MAX_VIEWS, MAX_VIEWS_A_CALL
from headless.datasets.adding.found import ANOTHER_FOLDER, found_views, recorded_plan
from headless.datasets.adding.views import AddedViews
from headless.datasets.channels import DEFAULT_POSED_CHANNELS, ENTRIES
from headless.datasets.extending import formats_there
from headless.datasets.folder import DatasetFolder
from headless.datasets.plan import ViewPlan, added_plan
from headless.datasets.splits import parse_splits
from headless.runs.poses import skeleton_of

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.labels import LabelSet
    from headless.runs.adding.call import AddViewsCall


@dataclass(frozen=True)
class Base:
    """What views are joined to.

    Attributes:
        plan: the kinds of file that the folder's views have.
        views: those that are whole.
        unfinished: the files of the others, which an interrupted call left.
    """

    plan: ViewPlan
    views: AddedViews
    unfinished: tuple[Path, ...]


def base_of(call: AddViewsCall, facts: ModelFacts) -> Base:
    """What the folder of a call has by now; nothing is changed there.

    Raises:
        OutputError: the call's views cannot be added to it.
    """
    earlier = recorded_plan(call.output, call.command)
    plan = _kinds_of_file(call, facts)
    if earlier is None:
        return Base(plan, AddedViews(), ())
    _check(call.output, earlier, plan)
    check_labels(call.output, call.labels(facts), facts.config.name)
    plan = _as_begun(plan, earlier)
    views = found_views(earlier, call.output)
    folder = DatasetFolder(call.output, call.command, added_plan(plan, views))
    whole, unfinished = whole_views(folder, views)
    return Base(plan, whole, unfinished)


def whole_views(folder: DatasetFolder, views: AddedViews) -> tuple[AddedViews, tuple[Path, ...]]:
    """Those whose files are all there now, and the files of the others."""
    lacking = {name for _, _, name in views.names if folder.lacking_kinds(name)}
    files = [folder.file(kind, name) for name in sorted(lacking) for kind in folder.kinds]
    return views.kept(lambda name: name not in lacking), tuple(path for path in files if path.exists())


def check_count(folder: Path, plan: ViewPlan) -> None:
    """Refuse more views than a data set takes.

    Raises:
        OutputError: more of one subject, or of all.
    """
    for count, most, what in ((plan.views, MAX_VIEWS, "views of one subject"), (plan.total, MAX_VIEWS_A_CALL, "views")):
        if count > most:
            raise OutputError(f"{folder}: expected at most {most} {what}, found {count} with these; {ANOTHER_FOLDER}")


def check_formats_there(folder: DatasetFolder) -> None:
    """Refuse a folder with formats that tell of all its views, for which whoever adds views does not ask.

    Raises:
        OutputError: it has one.
    """
    if formats := formats_there(folder):
        raise OutputError(
            f"{folder.path}: expected a data set without other formats, whose files tell of all views, found {', '.join(formats)}; add "
            f"to it by dnerf-headless render --extend --format {','.join(formats)}, or {ANOTHER_FOLDER}"
        )


def check_labels(folder: Path, labels: LabelSet | None, model_name: str) -> None:
    """Refuse a folder whose masks mean something else.

    Raises:
        OutputError: its labels are others.
    """
    path = folder / LABELS_NAME
    if path.exists() and labels is not None and read_labels(folder) != labels:
        raise OutputError(
            f"{path}: expected the labels {labels.names_text()} of the model {model_name}, found others; {ANOTHER_FOLDER}"
        )


def _kinds_of_file(call: AddViewsCall, facts: ModelFacts) -> ViewPlan:
    """The plan of a call without its views, as `render` has it where nothing is chosen."""
    moves = facts.config.latent.pose_shape is not None
    wanted = {*call.channels, *(DEFAULT_POSED_CHANNELS if moves else ())}
    labelled = call.labels(facts) is not None
    channels = tuple(name for name in ENTRIES if name in wanted and (labelled or not ENTRIES[name].needs_branch))
    return ViewPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=(),
        views=0,
        yaw_deg=(0.0, 0.0),
        pitch_deg=(0.0, 0.0),
        spacing="even",
        truncation=1.0,
        resolution_px=call.resolution or facts.config.image_size,
        channels=channels,
        depth_format="exr" if "depth" in channels else None,
        mask_format="ids",
        exact=call.exact,
        skeleton=skeleton_of(facts),
    )


def _as_begun(plan: ViewPlan, earlier: dict[str, Any]) -> ViewPlan:
    """The plan with the formats of masks and depth, and the splits, that a folder was begun with."""
    depth_format = earlier.get("depth_format")
    if depth_format == "exr" and "exr_channel" not in earlier:
        plan = replace(plan, exr_channel=EARLIER_DEPTH_CHANNEL)
    splits = earlier.get("splits")
    return replace(
        plan,
        depth_format=depth_format,
        mask_format=earlier.get("mask_format"),
        splits=() if splits is None else parse_splits(str(splits)),
    )


def _check(folder: Path, earlier: dict[str, Any], plan: ViewPlan) -> None:
    if earlier.get("model_sha256") != plan.model_sha256:
        before, now = (f"{name} (sha256 {str(sha256)[:16]}...)" for name, sha256 in _models(earlier, plan))
        raise OutputError(
            f"{folder}: expected views of the model {before}, as those that are there, found {now}; {ANOTHER_FOLDER}"
        )
    side_px = earlier.get("resolution_px")
    if side_px != plan.resolution_px:
        raise OutputError(
            f"{folder}: expected views of {side_px} x {side_px} px, as those that are there, found {plan.resolution_px} x "
            f"{plan.resolution_px} px; {ANOTHER_FOLDER}, or that size"
        )
    channels = earlier.get("channels")
    if channels != list(plan.channels):
        before = ", ".join(map(str, channels)) if isinstance(channels, list) else brief(channels)
        raise OutputError(
            f"{folder}: expected the channels {before}, as the views that are there, found {', '.join(plan.channels)}; "
            f"{ANOTHER_FOLDER}, or the same channels"
        )
    for key, option, usual in (
        ("exact", "--exact", plan.exact),
        ("consistent", "--consistent", False),
        ("reject_uncertain", "--reject-uncertain", 0.0),
    ):
        if (before := earlier.get(key, usual)) != usual:
            raise OutputError(
                f"{folder}: expected {option} {before}, as the views that are there, found {usual}; add to it by dnerf-headless render "
                f"--extend, or {ANOTHER_FOLDER}"
            )


def _models(earlier: dict[str, Any], plan: ViewPlan) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (earlier.get("model_name"), earlier.get("model_sha256")), (plan.model_name, plan.model_sha256)
