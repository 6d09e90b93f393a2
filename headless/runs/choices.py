"""What a call means where options leave something open or exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dnerf_core.embedded import EMBEDDED_MODELS
from dnerf_core.errors import UsageError
from dnerf_core.job_ranges import SUBJECTS, VIEWS
from dnerf_core.limits import MAX_VIEWS_A_CALL
from dnerf_core.ranges import Whole
from dnerf_core.seeds import format_seeds

DEFAULT_MODEL = EMBEDDED_MODELS[0]
DEFAULT_SEEDS = tuple(range(SUBJECTS.usual or 0))


def chosen_seeds(
    seeds: tuple[int, ...] | None,
    subjects: int | None,
    default: tuple[int, ...] = DEFAULT_SEEDS,
    *,
    files: Sequence[Path] = (),
    truncation: float = 1.0,
) -> tuple[int, ...]:
    """The seeds meant by `--seeds` and `--subjects`, of which at most one may be given; `default` where neither is.

    Args:
        files: those of `--subject`, which stand in for seeds; their numbers are given back.
        truncation: what `--truncation` says, which subject files do not take.

    Raises:
        UsageError: several of the options are given.
    """
    for name, value in (("--seeds", seeds), ("--subjects", subjects)):
        if files and value is not None:
            raise UsageError(f"--subject and {name}: expected one of them, found both; leave one out")
    if files and truncation != 1.0:
        raise UsageError(
            f"--truncation {truncation:g}: expected 1 beside --subject, whose latents are taken as they are; leave it out"
        )
    if files:
        return tuple(range(len(files)))
    if seeds is not None and subjects is not None:
        meant = f"--subjects {subjects} means --seeds {format_seeds(tuple(range(subjects)))}"
        raise UsageError(f"--seeds and --subjects: expected one of them, found both; {meant}")
    if subjects is not None:
        return tuple(range(subjects))
    return default if seeds is None else seeds


def check_perceptual(weight: float, file: Path | None) -> None:
    """Refuse `--perceptual-weight` without `--perceptual-file`, and the other way round.

    Raises:
        UsageError: one is missing.
    """
    if (weight > 0) != (file is not None):
        given, missing = ("weight", "file") if file is None else ("file", "weight")
        raise UsageError(f"--perceptual-{given}: expected --perceptual-{missing} beside it, found none; give both, or neither")


def check_total(subjects: int, views: int) -> None:
    """Refuse a call of more views than one folder or one table takes well.

    Raises:
        UsageError: more than `MAX_VIEWS_A_CALL`.
    """
    if subjects * views > MAX_VIEWS_A_CALL:
        raise UsageError(
            f"--seeds and --views: expected at most {MAX_VIEWS_A_CALL} views in one call, found {subjects} x {views} = "
            f"{subjects * views}; split the job into several calls"
        )


def chosen_views(views: int | None, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float], values: Whole = VIEWS) -> int:
    """The number of views meant by `--views`, which a single direction reduces to one; the usual one of `values` where it is not given.

    Args:
        yaw_deg, pitch_deg: where the views are, as `own_views.view_ranges` has it.

    Raises:
        UsageError: several views asked for of one direction, which would all be the same picture.
    """
    single = yaw_deg[0] == yaw_deg[1] and pitch_deg[0] == pitch_deg[1]
    if views is None:
        return 1 if single else values.usual or 1
    if single and views > 1:
        raise UsageError(
            f"--views {views}: expected 1 for the single direction of --yaw {yaw_deg[0]:g}; give --yaw or --pitch as a range A:B"
        )
    return views
