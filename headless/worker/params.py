"""What a request's params hold, checked: every value by name, kind and range, and nothing that no method reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.squares import Fit, Square
from dnerf_core.limits import MAX_RESOLUTION, MAX_TRUNCATION, MIN_RESOLUTION
from dnerf_core.seeds import MAX_SEED
from dnerf_core.subject_key import SubjectKey

T = TypeVar("T")
_NOT_GIVEN = object()
MAX_VIEWS = 100_000
MAX_SQUARE_PX = 9_999_999


class Params:
    """The params of one request. A value that was not read is an error (`close`): a misspelt name would be silently ignored."""

    def __init__(self, values: dict[str, Any], where: str = "params") -> None:
        self._values, self._where = values, where
        self._read: set[str] = set()

    def close(self) -> None:
        """Refuse values that nothing has read.

        Raises:
            UsageError: there are such.
        """
        surplus = sorted(set(self._values) - self._read)
        if surplus:
            raise UsageError(
                f"{self._where}: expected {', '.join(sorted(self._read)) or 'no values'}, found {brief(surplus[0])}; leave it out"
            )

    def _get(self, name: str, default: Any, expected: str, read: Callable[[Any], T | None]) -> T:
        self._read.add(name)
        value = self._values.get(name)
        if value is None and default is not _NOT_GIVEN:
            given: T = default
            return given
        found = read(value)
        if found is None:
            shown = "none" if value is None else brief(value)
            raise UsageError(f"{self._where}: {name}: expected {expected}, found {shown}; correct the request")
        return found

    def text(self, name: str, default: Any = _NOT_GIVEN) -> str:
        """A text that is not empty."""
        return self._get(name, default, "a text", lambda value: value if isinstance(value, str) and value else None)

    def path(self, name: str, default: Any = _NOT_GIVEN) -> Path:
        """An absolute path: the worker's current folder means nothing to its client."""

        def read(value: Any) -> Path | None:
            return Path(value) if isinstance(value, str) and "\0" not in value and Path(value).is_absolute() else None

        return self._get(name, default, "an absolute path", read)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        return self._get(name, default, "true or false", lambda value: value if isinstance(value, bool) else None)

    def whole(self, name: str, low: int, high: int, default: Any = _NOT_GIVEN) -> int:
        """A whole number in a range."""
        return self._get(name, default, f"a whole number from {low} to {high}", lambda value: _whole(value, low, high))

    def number(self, name: str, low: float, high: float, default: Any = _NOT_GIVEN) -> float:
        """A number in a range."""
        return self._get(name, default, f"a number from {low:g} to {high:g}", lambda value: _number(value, low, high))

    def items(
        self, name: str, read: Callable[[Any], T | None], expected: str, *, most: int = MAX_VIEWS, default: Any = _NOT_GIVEN
    ) -> list[T]:
        """A list of 1 to `most` values, each of which `read` takes."""

        def all_of(value: Any) -> list[T] | None:
            if not isinstance(value, list) or not 1 <= len(value) <= most:
                return None
            found = [read(item) for item in value]
            return None if any(item is None for item in found) else [item for item in found if item is not None]

        return self._get(name, default, f"a list of 1 to {most} {expected}", all_of)

    def wholes(self, name: str, low: int, high: int, *, most: int = MAX_VIEWS, default: Any = _NOT_GIVEN) -> list[int]:
        """A list of whole numbers in a range."""
        expected = f"whole numbers from {low} to {high}"
        return self.items(name, lambda value: _whole(value, low, high), expected, most=most, default=default)

    def texts(self, name: str, default: Any = _NOT_GIVEN) -> list[str]:
        """A list of texts that are not empty."""
        return self.items(name, lambda value: value if isinstance(value, str) and value else None, "texts", default=default)

    def range(self, name: str, limit: float, default: Any = _NOT_GIVEN) -> tuple[float, float]:
        """A pair of numbers, from -limit to limit."""

        def read(value: Any) -> tuple[float, float] | None:
            if not isinstance(value, list) or len(value) != 2:
                return None
            low, high = (_number(item, -limit, limit) for item in value)
            return None if low is None or high is None else (low, high)

        return self._get(name, default, f"two numbers from {-limit:g} to {limit:g}", read)

    def choice(self, name: str, choices: Sequence[str], default: Any = _NOT_GIVEN) -> str:
        """One of some texts."""
        return self._get(name, default, " or ".join(choices), lambda value: value if value in choices else None)

    def choices(self, name: str, choices: Sequence[str], default: Sequence[str]) -> tuple[str, ...]:
        """Some of some texts, each once, in the order of `choices`."""
        found = self.items(
            name, lambda value: value if value in choices else None, f"of {', '.join(choices)}", default=[*default]
        )
        return tuple(choice for choice in choices if choice in found)

    def parts(self, name: str, default: Any = _NOT_GIVEN) -> list[Params]:
        """A list of objects, each as params of its own."""
        found = self.items(name, lambda value: value if isinstance(value, dict) else None, "objects", default=default)
        return [Params(value, f"{self._where}: {name}[{index}]") for index, value in enumerate(found)]

    def part(self, name: str) -> Params:
        """An object, as params of its own."""
        found = self._get(name, _NOT_GIVEN, "an object", lambda value: value if isinstance(value, dict) else None)
        return Params(found, f"{self._where}: {name}")

    # --- what the engine's words mean

    def subject(self) -> SubjectKey | Path:
        """`seed` and `truncation`, or `subject_file` instead: an absolute path.

        Raises:
            UsageError: both, or neither.
        """
        file, seed = self.path("subject_file", None), self.whole("seed", 0, MAX_SEED, None)
        truncation = self.number("truncation", 0.0, MAX_TRUNCATION, None)
        if file is not None:
            for name, value in (("seed", seed), ("truncation", truncation)):
                if value is not None:
                    raise UsageError(f"{self._where}: {name}: expected none beside subject_file, found {value:g}; leave it out")
            return file
        if seed is None:
            raise UsageError(
                f"{self._where}: seed: expected a whole number from 0 to {MAX_SEED}, or a subject_file, found none; "
                "correct the request"
            )
        return SubjectKey(seed, 1.0 if truncation is None else truncation)

    def truncation(self) -> float:
        """`truncation`, 1 where it is not given."""
        return self.number("truncation", 0.0, MAX_TRUNCATION, 1.0)

    def size_px(self, default: Any = _NOT_GIVEN) -> int:
        """`size_px`, the side of a square picture."""
        return self.whole("size_px", MIN_RESOLUTION, MAX_RESOLUTION, default)

    def fit(self) -> Fit:
        """`fit`: how a picture becomes square; "pad" where it is not given."""

        def read(value: Any) -> Fit | None:
            if value in ("pad", "crop"):
                return "pad" if value == "pad" else "crop"
            if not isinstance(value, list) or len(value) != 3:
                return None
            left, top, side = (_whole(item, -MAX_SQUARE_PX, MAX_SQUARE_PX) for item in value)
            return None if left is None or top is None or side is None or side < 1 else Square(left, top, side)

        return self._get("fit", "pad", "pad, crop, or left, top and side in whole pixels", read)

    def camera(self) -> tuple[str, Camera]:
        """An object's own cam2world, intrinsics and name."""
        self._read |= {"cam2world", "intrinsics"}
        return self.text("name", ""), Camera.from_json(self._values, self._where)

    def cameras(self) -> list[tuple[str, Camera]]:
        """`cameras`: names and cameras."""
        return [part.camera() for part in self.parts("cameras")]


def _whole(value: Any, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _number(value: Any, low: float, high: float) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and low <= value <= high else None
