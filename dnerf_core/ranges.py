"""What a value may be, as data that the command line, the worker, the panel in Blender and the calls themselves read: a bound stands once.

Numpy and torch stay out, since the extension carries this module. `dnerf_core.job_ranges` holds the values that several jobs share.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .errors import (  # relative, because the extension carries this module under a name of Blender's choosing
    UsageError,
    brief,
    did_you_mean,
)

_KEY = "range"
_FRACTION = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9}))?")


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both included.

    Attributes:
        high: None: there is no upper end.
        default: where none is given; None: something else decides then.
        usual: what stands in for a default of None where nothing tells better.
        text: what it is, a sentence or two for people.
    """

    low: int
    high: int | None
    default: int | None = None
    text: str = ""
    usual: int | None = None

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return f"a whole number of at least {self.low}" if self.high is None else f"a whole number from {self.low} to {self.high}"

    def take(self, value: Any) -> int | None:
        """The value; None: it is none of these."""
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if self.low <= value and (self.high is None or value <= self.high) else None


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`, both included; see `Whole`.

    Attributes:
        above: `low` itself is left out.
    """

    low: float
    high: float | None
    default: float | None = None
    text: str = ""
    above: bool = False

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        if self.high is None:
            return f"a number {'above' if self.above else 'of at least'} {self.low:g}"
        return f"a number from {self.low:g} to {self.high:g}"

    def take(self, value: Any) -> float | None:
        """The value; None: it is none of these."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return None
        if value < self.low or (self.above and value == self.low) or (self.high is not None and value > self.high):
            return None
        return float(value)


@dataclass(frozen=True)
class Degrees:
    """Two angles in degrees, each from -limit to limit; see `Whole`."""

    limit: float
    default: tuple[float, float] | None = None
    text: str = ""
    usual: tuple[float, float] | None = None

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return f"two numbers from {-self.limit:g} to {self.limit:g}"

    def take(self, value: Any) -> tuple[float, float] | None:
        """The value; None: it is none of these."""
        if not isinstance(value, list | tuple) or len(value) != 2:
            return None
        angle = Number(-self.limit, self.limit)
        low, high = (angle.take(item) for item in value)
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True)
class Choice:
    """One of some texts; see `Whole`."""

    choices: tuple[str, ...]
    default: str | None = None
    text: str = ""

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return " or ".join(self.choices)

    def take(self, value: Any) -> str | None:
        """The value; None: it is none of these."""
        return value if isinstance(value, str) and value in self.choices else None


@dataclass(frozen=True)
class Choices:
    """Some of some texts, at least one, each once, in the order of `choices`; see `Whole`."""

    choices: tuple[str, ...]
    default: tuple[str, ...] | None = None
    text: str = ""

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return f"a list of one or more of {', '.join(self.choices)}"

    def take(self, value: Any) -> tuple[str, ...] | None:
        """The texts in the order of `choices`; None: they are none of these."""
        if not isinstance(value, list | tuple) or not value or any(item not in self.choices for item in value):
            return None
        return tuple(choice for choice in self.choices if choice in value)


@dataclass(frozen=True)
class Flag:
    """True or false; see `Whole`."""

    default: bool = False
    text: str = ""

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return "true or false"

    def take(self, value: Any) -> bool | None:
        """The value; None: it is none of these."""
        return value if isinstance(value, bool) else None


@dataclass(frozen=True)
class Share:
    """A share from 0 to 1, or above 1 a whole number up to `max_count`; `0.5` is a share, `1` is one. See `Whole`."""

    max_count: int
    default: float | None = None
    text: str = ""

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return "a number of subjects such as 3, or a share such as 0.1"

    def take(self, value: Any) -> float | None:
        """The value; None: it is none of these."""
        number = Number(0, self.max_count).take(value)
        return None if number is None or (number > 1 and number != int(number)) else number


@dataclass(frozen=True)
class Rate:
    """Frames a second from `low` to `high`: a whole number, or a fraction, as text such as `24000/1001`; see `Whole`."""

    low: int
    high: int
    default: int | None = None
    text: str = ""

    @property
    def expected(self) -> str:
        """What is expected, for errors."""
        return f"a whole number from {self.low} to {self.high}, or a fraction such as 24000/1001"

    def take(self, value: Any) -> int | Fraction | None:
        """The rate, whole where it can be; None: it is none of these."""
        if isinstance(value, str):
            match = _FRACTION.fullmatch(value)
            if match is None or (match[2] is not None and not int(match[2])):
                return None
            value = Fraction(int(match[1]), int(match[2] or 1))
        if isinstance(value, bool) or not isinstance(value, int | Fraction) or not self.low <= value <= self.high:
            return None
        return int(value) if value.denominator == 1 else value


Range = Whole | Number | Degrees | Choice | Choices | Flag | Share | Rate


def ranged(values: Range) -> Any:
    """A field of a call that carries what it may be, and has its default."""
    return dataclasses.field(default=values.default, metadata={_KEY: values})


def ranges_of(call: Any) -> dict[str, Range]:
    """What the fields of a call, or of its class, may be, by their names; fields without a range are left out."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(call) if _KEY in field.metadata}


def defaults_of(call: Any) -> dict[str, Any]:
    """The defaults of a call's fields; fields that have to be given are left out."""
    return {field.name: field.default for field in dataclasses.fields(call) if field.default is not dataclasses.MISSING}


def _near(value: Any, values: Range) -> str:
    """The name that was meant, where a value is none of a choice's."""
    if not isinstance(values, Choice | Choices):
        return ""
    items = value if isinstance(value, list | tuple) else [value]
    return next(
        (did_you_mean(item, values.choices) for item in items if isinstance(item, str) and item not in values.choices), ""
    )


class Ranged:
    """Of calls: one cannot be made with a value that its field's range does not hold, whoever makes it.

    Raises:
        UsageError: from making one, where it is tried.
    """

    def __post_init__(self) -> None:
        for name, values in ranges_of(self).items():
            value = getattr(self, name)
            if value is None and values.default is None:
                continue
            if values.take(value) is None:
                raise UsageError(
                    f"{name}: expected {values.expected}, found {brief(value)}{_near(value, values)}; choose another"
                )
