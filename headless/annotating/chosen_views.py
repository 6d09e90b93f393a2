"""Views that `sample --next` chose, as a folder's record tells them, and the plan that they make."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import CAMERAS_FORMAT_VERSION, CONVENTION, cameras_from_json
from dnerf_core.errors import OutputError, UsageError
from dnerf_core.files.names import RECORD_NAME
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.view_poses import poses_of_views
from dnerf_core.subject_key import SubjectFile
from headless.datasets.given_cameras import ChosenView, ChosenViews
from headless.datasets.plan import ViewPlan, plan_subject


def held_choice(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The choice that a folder holds of this very call; None: it holds none, or another call's.

    Raises:
        OutputError: what the record tells of it is damaged.
    """
    path = folder / RECORD_NAME
    try:
        record = without_surrogates(json.loads(read_regular_text(path)))
    except (OSError, ValueError, RecursionError):  # whether the folder is free or can be used is found by `ResultFolder.check`
        return None
    plan = record.get("plan") if isinstance(record, dict) else None
    if not isinstance(plan, dict) or any(plan.get(key) != value for key, value in identity.items()):
        return None
    chosen = record.get("chosen")
    _check(chosen, int(identity["next"]), str(path))
    return dict(chosen)


def _check(chosen: Any, count: int, where: str) -> None:
    """Refuse a record's choice that is not what was written."""
    views = chosen.get("views") if isinstance(chosen, dict) else None
    kinds: dict[str, Any] = {
        "name": str,
        "candidate_subject": int,
        "order": int,
        "uncertainty_by_class": dict,
        "seed": int,
        "view": int,
    }
    whole = (
        isinstance(views, list)
        and len(views) == count
        and all(isinstance(view, dict) and all(isinstance(view.get(key), kind) for key, kind in kinds.items()) for view in views)
        and all(isinstance(chosen.get(key), int) for key in ("candidates", "candidate_subjects", "painted_views"))
        and all(isinstance(share, float | int) for view in views for share in view["uncertainty_by_class"].values())
    )
    if not whole:
        raise OutputError(f"{where}: chosen: expected {count} views as sample --next wrote them, found others; restore the file")


def stand_in(pool: ViewPlan, cameras: CameraConfig, subjects: int, views_each: int, identity: Mapping[str, Any]) -> ViewPlan:
    """A plan of as many views as will be chosen, of the first candidates: what is weighed before anything is chosen."""
    seeds = pool.seeds[:subjects]
    first = {
        seed: tuple(ChosenView(view.camera, view.pose) for view in plan_subject(pool, cameras, seed)[:views_each])
        for seed in seeds
    }
    return _with_chosen(pool, first, pool.subject_files[:subjects], identity)


def chosen_plan(pool: ViewPlan, chosen: Mapping[str, Any], views_each: int, identity: Mapping[str, Any]) -> ViewPlan:
    """The plan of the views that were chosen.

    Raises:
        OutputError: the record's views are damaged.
    """
    views = chosen["views"]
    head = {"version": CAMERAS_FORMAT_VERSION, "convention": CONVENTION, "views": views}
    try:
        cameras = cameras_from_json(json.dumps(head), "chosen views")
        poses = poses_of_views(head, "chosen views")
    except UsageError as error:
        raise OutputError(f"{RECORD_NAME}: {error}; restore the file") from error
    by_seed: dict[int, list[tuple[int, ChosenView]]] = {}
    for view in views:
        seen = ChosenView(cameras[view["name"]], poses.get(view["name"]))
        by_seed.setdefault(view["seed"], []).append((view["view"], seen))
    if any(sorted(number for number, _ in seen) != list(range(views_each)) for seen in by_seed.values()):
        raise OutputError(f"{RECORD_NAME}: chosen: expected {views_each} views of each subject, found others; restore the file")
    numbers = sorted(by_seed)
    files = pool.subject_files
    if files and not all(0 <= view["candidate_subject"] < len(files) for view in views):
        raise OutputError(f"{RECORD_NAME}: chosen: expected numbers of the subject files, found others; restore the file")
    of_file = {view["seed"]: view["candidate_subject"] for view in views} if files else {}
    of_number = tuple(files[of_file[number]] for number in numbers) if files else ()
    in_order = {seed: tuple(view for _, view in sorted(by_seed[seed], key=lambda pair: pair[0])) for seed in numbers}
    return _with_chosen(pool, in_order, of_number, identity)


def numbered(candidate_subjects: list[int], files: bool) -> list[tuple[int, int]]:
    """Seed and view number of each chosen view in its new folder, by the candidates' subjects in the order of choice.

    Args:
        files: whether subjects come from files, which are numbered anew.
    """
    place = {number: index for index, number in enumerate(sorted(set(candidate_subjects)))}
    seen: dict[int, int] = {}
    out = []
    for number in candidate_subjects:
        out.append((place[number] if files else number, seen.get(number, 0)))
        seen[number] = seen.get(number, 0) + 1
    return out


def _with_chosen(
    pool: ViewPlan, by_seed: Mapping[int, tuple[ChosenView, ...]], files: tuple[SubjectFile, ...], identity: Mapping[str, Any]
) -> ViewPlan:
    """The candidates' plan with these views in their place."""
    call_facts = (identity["next"], identity["painted_sha256"], identity["candidates_sha256"])
    views = len(next(iter(by_seed.values())))
    return dataclasses.replace(
        pool, seeds=tuple(by_seed), views=views, subject_files=files, chosen=ChosenViews(dict(by_seed), *call_facts)
    )
