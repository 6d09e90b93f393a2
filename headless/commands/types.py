"""The kinds of values that options and arguments take, in their text forms: seeds, subjects, angle ranges, squares, labels, paths, shares.

Here texts become values, and nowhere behind: a call holds a seed, a `Square` or a `Path`, never its spelling.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dnerf_core.errors import UsageError, brief, did_you_mean
from dnerf_core.files.opening.regular_files import strange_kind
from dnerf_core.limits import MAX_FRAMES, MAX_SEED
from dnerf_core.ranges import Rate, Share
from dnerf_core.seeds import parse_seeds

if TYPE_CHECKING:
    from dnerf_core.files.squares import Square

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


class SubjectType(click.ParamType[int | Path]):
    """A subject file of that name as a `Path`, else digits as a seed.

    Its refusals, as those of `SquareType`, are lines of our own: click's would begin otherwise than in earlier versions.
    """

    name = "subject"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Path:
        if isinstance(value, int | Path):
            return value
        if (path := Path(value)).is_file():
            return path
        if re.fullmatch(r"\d{1,10}", value, re.ASCII) is None or int(value) > MAX_SEED:
            raise UsageError(
                f"{value or 'FILE|SEED'}: expected a subject file or a seed from 0 to {MAX_SEED}, found neither; correct the name"
            )
        return int(value)


class SquareType(click.ParamType["Square"]):
    """`X,Y,SIDE` as a `Square`."""

    name = "square"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Square:
        from dnerf_core.files.squares import Square, parse_square  # brings Pillow

        try:
            return value if isinstance(value, Square) else parse_square(value)
        except ValueError as error:
            raise UsageError(f"{'square' if param is None else param.opts[0]}: {error}") from error


class CameraPathType(click.ParamType[Literal["arc", "orbit"] | Path]):
    """`arc` and `orbit` as these words, anything else as the `Path` of a file; one that has such a name is `./arc`."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Literal["arc", "orbit"] | Path:
        return value if value in ("arc", "orbit") else Path(value)


class FramesType(click.ParamType[tuple[int, int]]):
    """`A:B` or `A`, frames of a motion counted from 1, as a pair."""

    name = "frames"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,7})(?::(\d{1,7}))?", str(value), re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            self.fail(f"expected frames counted from 1 such as 1:60, found {brief(str(value))}", param, ctx)
        return first, last


class ClipFramesType(FramesType):
    """How many frames a clip has, such as `60`, or which of a motion it shows, such as `1:60`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and ":" in value:
            return super().convert(value, param, ctx)
        return click.IntRange(1, MAX_FRAMES).convert(value, param, ctx)


class LabelsType(click.ParamType[tuple[str, ...] | Path]):
    """A text that ends in .json as the `Path` of a labels file, else the names between its commas."""

    name = "labels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...] | Path:
        if isinstance(value, tuple | Path):
            return value
        return Path(value) if value.lower().endswith(".json") else tuple(part.strip() for part in value.split(","))


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


class ChoiceType(click.Choice[str]):
    """One of some words; a word that is nearly one of them is told which."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return super().get_invalid_choice_message(value, ctx).rstrip(".") + did_you_mean(str(value), self.choices)


class FormatsType(click.ParamType[tuple[str, ...]]):
    """Formats from text such as `ply,glb`; an option of this type may also be given several times, see `formats_option`."""

    name = "formats"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        parts = value if isinstance(value, tuple) else tuple(part.strip() for part in str(value).split(","))
        for part in parts:
            if part not in self.names:
                self.fail(
                    f"expected formats among {', '.join(self.names)}, found {brief(part)}{did_you_mean(part, self.names)}",
                    param,
                    ctx,
                )
        return parts


class CountsType(click.ParamType[tuple[int, ...]]):
    """`9,30,90` as numbers."""

    name = "counts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"expected numbers such as 9,30,90, found {brief(value)}", param, ctx)


class PartsType(click.ParamType[tuple[tuple[int, str], ...]]):
    """`8=roof,9=hood` as numbers with names."""

    name = "parts"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[tuple[int, str], ...]:
        if isinstance(value, tuple):
            return value
        pairs = [part.partition("=") for part in str(value).split(",")]
        if not all(number.strip().isdecimal() and len(number) < 10 and name.strip() for number, _, name in pairs):
            self.fail(f"expected numbers with labels such as 8=roof,9=hood, found {brief(value)}", param, ctx)
        found = tuple((int(number), name.strip()) for number, _, name in pairs)
        if len({number for number, _ in found}) < len(found):
            self.fail(f"expected each number once, found {brief(value)}", param, ctx)
        return found


class FilledPath(click.Path):
    """A path as a `Path`: not the empty text, which would mean the current folder, and no pipe, socket or device."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a path, found an empty text", param, ctx)
        path: Path = super().convert(value, param, ctx)  # type: ignore[assignment]  # of `path_type`
        kind = strange_kind(path)
        if kind is not None:
            self.fail(f"{str(path)!r}: expected a regular file or a folder, found {kind}; name another", param, ctx)
        return path


class AgainstType(click.ParamType["Path | Literal['truth']"]):
    """The word `truth` as it is, anything else as the `Path` of a folder that is there; one that has such a name is `./truth`."""

    name = "against"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | Literal["truth"]:
        if value == "truth":
            return "truth"
        folder: Path = FilledPath(exists=True, file_okay=False).convert(value, param, ctx)
        return folder


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


class ShareType(click.ParamType[float]):
    """A share from 0 to 1, or a whole number above 1, as a float; `0.5` is a share and `1` is one."""

    name = "share"

    def __init__(self, values: Share) -> None:
        self.values = values

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = self.values.take(float(value))
        except ValueError:
            number = None
        if number is None:
            self.fail(f"expected {self.values.expected}, found {value!r}", param, ctx)
        return number


class RateType(click.ParamType[int | Fraction]):
    """Frames a second: `24`, or exactly `24000/1001`."""

    name = "rate"

    def __init__(self, values: Rate) -> None:
        self.values = values

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Fraction:
        rate = self.values.take(value)
        if rate is None:
            self.fail(f"expected {self.values.expected}, found {value!r}", param, ctx)
        return rate
