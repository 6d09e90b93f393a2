"""The options that several commands share, each in one spelling, and the text forms of seeds and angle ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dnerf_core.errors import brief
from dnerf_core.limits import MAX_RESOLUTION, MAX_SUBJECTS, MAX_TRUNCATION, MAX_VIEWS, MIN_RESOLUTION
from dnerf_core.own_views import FRONT_YAW_DEG, yaw_text
from dnerf_core.seeds import format_seeds, parse_seeds
from headless.runs.choices import DEFAULT_SEEDS
from headless.work.workers import MOST_WORKERS

F = TypeVar("F", bound=Callable[..., Any])

MAX_WORKERS = 256
MAX_SHARDS = 100_000


def parse_range(text: str) -> tuple[float, float]:
    """An angle range in degrees from `A:B` or a single `A`, which means `A:A`.

    Raises:
        ValueError: not one or two finite numbers.
    """
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(math.isfinite(value) for value in values):
        raise ValueError(f"expected degrees such as 15 or -30:30, found {text!r}")
    return values[0], values[-1]


class SeedsType(click.ParamType[tuple[int, ...]]):
    """`0-7` or `0,3,9-12` as a tuple of ints."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            return value if isinstance(value, tuple) else parse_seeds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RangeType(click.ParamType[tuple[float, float]]):
    """`A:B` or `A` in degrees as a pair, both within [-limit, limit]."""

    name = "degrees"

    def __init__(self, limit_deg: float) -> None:
        self.limit_deg = limit_deg

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            low, high = value if isinstance(value, tuple) else parse_range(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if max(abs(low), abs(high)) > self.limit_deg:
            self.fail(f"expected degrees from {-self.limit_deg:g} to {self.limit_deg:g}, found {value!r}", param, ctx)
        return low, high


class ShardType(click.ParamType[tuple[int, int]]):
    """`I/N` as a pair, I from 1 to N."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value), re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= MAX_SHARDS:
            self.fail(
                f"expected a part such as 2/8, from 1/N to N/N with N up to {MAX_SHARDS}, found {brief(str(value))}", param, ctx
            )
        return int(match[1]), int(match[2])


class FormatsType(click.ParamType[tuple[str, ...]]):
    """Formats from text such as `ply,glb`; an option of this type may also be given several times, see `formats_option`."""

    name = "formats"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        parts = value if isinstance(value, tuple) else tuple(part.strip() for part in str(value).split(","))
        for part in parts:
            if part not in self.names:
                self.fail(f"expected formats among {', '.join(self.names)}, found {brief(part)}", param, ctx)
        return parts


def formats_option(names: Sequence[str], default: str, help_text: str, always: Sequence[str] = ()) -> Callable[[F], F]:
    """`--format`, `a,b` or given several times: a tuple of names, each once, in the order of `names`; those in `always` too."""

    def joined(ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in always or any(name in value for value in values))

    return click.option(
        "--format",
        "formats",
        type=FormatsType(names),
        multiple=True,
        callback=joined,
        default=(default,),
        metavar="LIST",
        help=f"{help_text}  [default: {default}]",
    )


class FilledPath(click.Path):
    """A path that is not the empty text, which would mean the current folder; as a `Path`."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a path, found an empty text", param, ctx)
        return super().convert(value, param, ctx)


class ModelType(click.ParamType[str]):
    """A model's name or file, not the empty text."""

    name = "model"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "":
            self.fail("expected an embedded model such as demo-cars, or a model file, found an empty text", param, ctx)
        return str(value)


class FiniteFloat(click.FloatRange):
    """A float range that also refuses nan, which compares false to every bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"expected a finite number, found {value!r}", param, ctx)
        return float(number)


def _remember(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """Keep --json and --debug where the outermost edge finds them when a command fails."""
    ctx.meta["json" if param.name == "as_json" else "debug"] = value
    return value


_EAGER_FLAG: dict[str, Any] = {"is_flag": True, "is_eager": True, "callback": _remember}


def model_option(function: F) -> F:
    """`--model`: an embedded model's name or a model file."""
    text = "An embedded model or a model file."
    return click.option(
        "--model", "model_name", type=ModelType(), default="demo-cars", show_default=True, metavar="NAME|FILE", help=text
    )(function)


def subject_options(default: str = format_seeds(DEFAULT_SEEDS)) -> Callable[[F], F]:
    """`--seeds` and `--subjects`: which subjects; see `chosen_seeds`. `default` is what the help says of seeds not given."""
    subjects_text = "The first N seeds, instead of --seeds."
    seeds_text = f"Seeds, such as 0-7 or 0,3,9-12.  [default: {default}]"

    def add(function: F) -> F:
        for option in (
            click.option("--subjects", type=click.IntRange(1, MAX_SUBJECTS), metavar="N", help=subjects_text),
            click.option("--seeds", type=SeedsType(), metavar="LIST", help=seeds_text),
        ):
            function = option(function)
        return function

    return add


def subject_file_option(function: F) -> F:
    """`--subject`, given any number of times: subject files instead of seeds; see `chosen_seeds`."""
    return click.option(
        "--subject",
        "subject_files",
        type=FilledPath(exists=True, dir_okay=False),
        multiple=True,
        metavar="FILE",
        help="A subject file instead of seeds, such as invert and edit write; may be given several times.",
    )(function)


def camera_options(function: F) -> F:
    """`--views`, `--yaw`, `--pitch` and `--random-views`: where each subject is seen from; see `chosen_views`."""
    return camera_options_from(FRONT_YAW_DEG, views="3, or 1 where yaw and pitch are single values")(function)


def yaw_option(untold_yaw_deg: tuple[float, float] = FRONT_YAW_DEG) -> Callable[[F], F]:
    """`--yaw`: a range of turns, None where it is not given; `untold_yaw_deg` stands in where the model tells none."""
    text = f"Turn in degrees, one value or a range.  [default: {yaw_text(untold_yaw_deg)}]"
    return click.option("--yaw", type=RangeType(360.0), metavar="A:B", help=text)


def camera_options_from(untold_yaw_deg: tuple[float, float], *, views: str) -> Callable[[F], F]:
    """`camera_options` with another default turn, and what the help says of the default number of views."""
    pitch_text = "Elevation in degrees, one value or a range.  [default: the model's own]"
    views_text = f"Views of each subject.  [default: {views}]"
    random_text = "Draw yaw and pitch uniformly, by seed and view; render and sample: --view-distribution uniform."

    def add(function: F) -> F:
        for option in (
            click.option("--random-views", is_flag=True, help=random_text),
            click.option("--pitch", type=RangeType(90.0), metavar="A:B", help=pitch_text),
            yaw_option(untold_yaw_deg),
            click.option("--views", type=click.IntRange(1, MAX_VIEWS), metavar="N", help=views_text),
        ):
            function = option(function)
        return function

    return add


def truncation_option(function: F) -> F:
    """`--truncation`: the factor psi that pulls a subject towards the mean."""
    return click.option(
        "--truncation",
        type=FiniteFloat(0.0, MAX_TRUNCATION),
        default=1.0,
        show_default=True,
        metavar="PSI",
        help="Pull subjects towards the mean: 1 leaves them, 0 is the mean.",
    )(function)


def resolution_option(function: F) -> F:
    """`--resolution`: the output's side in pixels."""
    return click.option(
        "--resolution",
        type=click.IntRange(MIN_RESOLUTION, MAX_RESOLUTION),
        metavar="PIXELS",
        help="Side of the views.  [default: the model's own]",
    )(function)


def device_option(function: F) -> F:
    """`--device`: where the engine computes."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="auto takes a CUDA device if there is one.",
    )(function)


def workers_option(function: F) -> F:
    """`--workers`: how many views are rendered side by side; None where it is not given."""
    text = f"Views rendered side by side; results do not depend on it.  [default: one a core, up to {MOST_WORKERS}]"
    return click.option("--workers", type=click.IntRange(1, MAX_WORKERS), metavar="N", help=text)(function)


def shard_option(function: F) -> F:
    """`--shard`: which part of the subjects; a pair (number, count)."""
    text = "Do part I of N of the subjects; the parts may run anywhere, at the same time, into one folder."
    return click.option("--shard", type=ShardType(), default="1/1", metavar="I/N", help=text)(function)


def exact_option(function: F) -> F:
    """`--exact`: the literal method's numbers."""
    text = "Read every sample in float32, as the papers write it: the fast path's reference, 10 to 25 times slower."
    return click.option("--exact", is_flag=True, help=text)(function)


def output_option(default: str) -> Callable[[F], F]:
    """`--output`: the folder that results go to."""
    return click.option(
        "--output",
        "-o",
        type=FilledPath(),
        default=default,
        show_default=True,
        metavar="FOLDER",
        help="Where the results go; made if it is not there.",
    )


def output_style_options(function: F) -> F:
    """`--json` and `--debug`, which every command has."""
    json_text = "One JSON object a line on stdout, the last one the summary."
    return click.option("--json", "as_json", help=json_text, **_EAGER_FLAG)(debug_option(function))


def debug_option(function: F) -> F:
    """`--debug`."""
    return click.option("--debug", expose_value=False, help="Show the traceback of a failure.", **_EAGER_FLAG)(function)
