"""What a request's params hold, checked: every value by name, kind and range, and nothing that no method reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError, brief
from dnerf_core.files.squares import Square
from dnerf_core.job_ranges import FIT, RESOLUTION, SEED, TRUNCATION
from dnerf_core.limits import MAX_FRAMES
from dnerf_core.ranges import Number, Range, Whole, ranges_of
from dnerf_core.subject_key import SubjectKey

T = TypeVar("T")
_NOT_GIVEN = object()
POSE_NUMBER = Number(-1e6, 1e6, None)
MAX_POSE_NUMBERS = 10_000
SQUARE_PX = Whole(-9_999_999, 9_999_999)
"""As many digits as `--crop` takes."""


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
        taken = read(value)
        if taken is None:
            shown = "none" if value is None else brief(value)
            raise UsageError(f"{self._where}: {name}: expected {expected}, found {shown}; correct the request")
        return taken

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

    def ranged(self, name: str, values: Range) -> Any:
        """A value of a range, its default where it is not given."""
        return self._get(name, values.default, values.expected, values.take)

    def needed(self, name: str, values: Range) -> Any:
        """A value of a range that has to be given."""
        return self._get(name, _NOT_GIVEN, values.expected, values.take)

    def record(self, name: str) -> dict[str, Any]:
        """An object that something else reads."""
        return self._get(name, _NOT_GIVEN, "an object", lambda value: value if isinstance(value, dict) else None)

    def field(self, call: type, field: str, name: str | None = None) -> Any:
        """What a field of a call is to be, by its own range and default.

        Args:
            name: of the value; None: the field's.
        """
        return self.ranged(name or field, ranges_of(call)[field])

    def fields(self, call: type, *names: str) -> dict[str, Any]:
        """The same of several fields, by their names."""
        return {name: self.field(call, name) for name in names}

    def items(
        self, name: str, read: Callable[[Any], T | None], expected: str, *, most: int = MAX_FRAMES, default: Any = _NOT_GIVEN
    ) -> list[T]:
        """A list of 1 to `most` values, each of which `read` takes."""

        def all_of(value: Any) -> list[T] | None:
            if not isinstance(value, list) or not 1 <= len(value) <= most:
                return None
            taken = [read(item) for item in value]
            return None if any(item is None for item in taken) else [item for item in taken if item is not None]

        return self._get(name, default, f"a list of 1 to {most} {expected}", all_of)

    def wholes(self, name: str, values: Whole, *, most: int = MAX_FRAMES, default: Any = _NOT_GIVEN) -> list[int]:
        """A list of whole numbers of a range."""
        return self.items(
            name, values.take, values.expected.replace("a whole number", "whole numbers"), most=most, default=default
        )

    def texts(self, name: str, default: Any = _NOT_GIVEN) -> list[str]:
        """A list of texts that are not empty."""
        return self.items(name, lambda value: value if isinstance(value, str) and value else None, "texts", default=default)

    def parts(self, name: str, default: Any = _NOT_GIVEN) -> list[Params]:
        """A list of objects, each as params of its own."""
        parts = self.items(name, lambda value: value if isinstance(value, dict) else None, "objects", default=default)
        return [Params(value, f"{self._where}: {name}[{index}]") for index, value in enumerate(parts)]

    def part(self, name: str) -> Params:
        """An object, as params of its own."""
        return Params(self.record(name), f"{self._where}: {name}")

    # --- what the engine's words mean

    def subject(self) -> SubjectKey | Path:
        """`seed` and `truncation`, or `subject_file` instead: an absolute path.

        Raises:
            UsageError: both, or neither.
        """
        file, seed = self.path("subject_file", None), self._get("seed", None, SEED.expected, SEED.take)
        truncation = self._get("truncation", None, TRUNCATION.expected, TRUNCATION.take)
        if file is not None:
            for name, value in (("seed", seed), ("truncation", truncation)):
                if value is not None:
                    raise UsageError(f"{self._where}: {name}: expected none beside subject_file, found {value:g}; leave it out")
            return file
        if seed is None:
            raise UsageError(f"{self._where}: seed: expected {SEED.expected}, or a subject_file, found none; correct the request")
        return SubjectKey(seed, TRUNCATION.default if truncation is None else truncation)

    def pose(self) -> tuple[float, ...] | None:
        """`pose`: the numbers of a pose, row by row; None: it is not given, and the subject keeps its own."""
        given = self.items("pose", POSE_NUMBER.take, "numbers", most=MAX_POSE_NUMBERS, default=None)
        return None if given is None else tuple(given)

    def size_px(self) -> int | None:
        """`size_px`, the side of a square picture; None: it is not given."""
        return self._get("size_px", None, RESOLUTION.expected, RESOLUTION.take)

    def fit(self) -> dict[str, Any]:
        """`fit`: how a picture becomes square, as the fields `fit` and `crop` of a call."""

        def read(value: Any) -> dict[str, Any] | None:
            if FIT.take(value) is not None:
                return {"fit": value, "crop": None}
            if not isinstance(value, list) or len(value) != 3:
                return None
            left, top, side = (SQUARE_PX.take(item) for item in value)
            return None if left is None or top is None or side is None or side < 1 else {"crop": Square(left, top, side)}

        return self._get("fit", {}, "pad, crop, or left, top and side in whole pixels", read)

    def camera(self) -> tuple[str, Camera]:
        """An object's own cam2world, intrinsics and name."""
        self._read |= {"cam2world", "intrinsics"}
        return self.text("name", ""), Camera.from_json(self._values, self._where)

    def camera_or_none(self, name: str) -> Camera | None:
        """The camera of that name; None: it is not given."""
        self._read.add(name)
        return None if self._values.get(name) is None else self.part(name).camera()[1]

    def cameras(self) -> list[tuple[str, Camera]]:
        """`cameras`: names and cameras."""
        return [part.camera() for part in self.parts("cameras")]


def chosen_poses(params: Params, frames: int | None) -> list[tuple[float, ...]] | None:
    """`poses`: the numbers of the pose of each frame; None: they are not given, and subjects keep their own.

    Args:
        frames: how many there are; None: any number.

    Raises:
        UsageError: not one for each frame.
    """

    def read(value: Any) -> tuple[float, ...] | None:
        return Params({"pose": value}).pose() if isinstance(value, list) else None

    poses = params.items("poses", read, "lists of numbers", default=None)
    if poses is not None and frames is not None and len(poses) != frames:
        raise UsageError(f"params: poses: expected one for each of {frames} cameras, found {len(poses)}; correct them")
    return poses
