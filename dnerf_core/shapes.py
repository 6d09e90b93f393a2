"""Shapes of arrays, checked at the public door: one helper that binds named dimensions across arguments (no numpy, no torch).

>>> check_shapes(rgb=(rgb, "uint8 H W 3"), mask=(mask, "uint8 H W"))
{'H': 480, 'W': 640}
>>> check_shapes(rgb=(rgb, "uint8 H W 3"), mask=(mask[:100], "uint8 H W"))
UsageError: mask: expected uint8 [480, 640] to go with rgb, found uint8 [100, 640]; resize one of them
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Relative, because the extension carries this module under a package name of Blender's choosing.
from .errors import DNeRFError, UsageError

Given = tuple[Any, str] | tuple[Any, str, str]
"""An array of numpy or torch, or None; what it is expected to be; and, if not the usual words, what to do where it is not."""

_KINDS = {"float": ("float", "bfloat"), "int": ("int", "uint"), "number": ("float", "bfloat", "int", "uint")}
"""What the names of dtypes of a kind begin with; any other word is a dtype's own name."""

_TOKEN = re.compile(
    r"(?P<kind>[a-z][a-z0-9_]*)|(?P<run>[A-Z]*\.\.\.)|(?P<dim>[A-Z][A-Za-z]*)|(?P<size>[0-9]+)|(?P<either>[A-Z]\|1)"
)


@dataclass(frozen=True)
class _Expected:
    """A parsed expectation: the dtype's word or "", and the dimensions' tokens."""

    kind: str
    dims: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> _Expected:
        tokens = text.split()
        strange = [token for token in tokens if _TOKEN.fullmatch(token) is None]
        runs = [token for token in tokens if token.endswith("...")]
        kinds = [token for token in tokens if token[:1].islower()]
        if strange or len(runs) > 1 or kinds != tokens[: len(kinds)] or len(kinds) > 1:
            raise ValueError(f"shape: expected one such as 'uint8 H W 3', '... 3' or 'B|1 H W', found {text!r}")
        return cls("".join(kinds), tuple(tokens[len(kinds) :]))

    def fits_kind(self, dtype: str) -> bool:
        return not self.kind or dtype.startswith(_KINDS.get(self.kind, ())) or dtype == self.kind

    def spread(self, shape: Sequence[int]) -> list[tuple[str, tuple[int, ...]]] | None:
        """Each token with the sizes that it stands for; None where there are too many or too few."""
        at = next((place for place, token in enumerate(self.dims) if token.endswith("...")), None)
        surplus = len(shape) - len(self.dims)
        if (at is None and surplus != 0) or (at is not None and surplus < -1):
            return None
        pairs: list[tuple[str, tuple[int, ...]]] = []
        start = 0
        for place, token in enumerate(self.dims):
            length = surplus + 1 if place == at else 1
            pairs.append((token, tuple(shape[start : start + length])))
            start += length
        return pairs


def check_shapes(error: type[DNeRFError] = UsageError, where: str = "", /, **arrays: Given) -> dict[str, int | tuple[int, ...]]:
    """Refuse arguments that are not of the types and shapes that go together.

    An expectation is words apart by spaces: perhaps a dtype first (`uint8`, `float32`, `bool`; `float`, `int` and `number` for all
    of a kind), then the dimensions. A name in capitals binds a size, and stands for that size from then on, in the order in which
    the arguments are given; a number is a size; `B|1` is the size of B, or 1; `...` is any number of dimensions, and `S...` binds
    them.

    Args:
        error: what is raised.
        where: how the message begins, such as a file's path or `view 3`.
        arrays: by the names that the message gives them: (array, expectation) or (array, expectation, remedy). None, for an
            argument that was left out, is not looked at.

    Returns:
        The size of every name, and the sizes of a run of dimensions such as `S...` by the name `S...`.

    Raises:
        UsageError: or what `error` says: the first that does not fit. The message names it, what was expected, and what was found.

    Example:
        >>> check_shapes(uv=(uv, "... 2"), depth_planar=(depth, "float32 H W", "pass one image"))
    """
    bound: dict[str, int | tuple[int, ...]] = {}
    origin: dict[str, str] = {}
    for name, (array, text, *remedy) in arrays.items():
        if array is None:
            continue
        expected = _Expected.parse(text)
        title = f"{where}: {name}" if where else name
        shape, dtype = getattr(array, "shape", None), str(getattr(array, "dtype", "")).removeprefix("torch.")
        if shape is None or not dtype:
            raise error(f"{title}: expected {_shape_text(expected, {})}, found {type(array).__name__}; pass an array")
        spread = expected.spread(shape)
        actual = f"{dtype} {list(shape)}" if expected.kind else f"{list(shape)}"
        if spread is None or not expected.fits_kind(dtype) or any(_off(token, sizes, {}) for token, sizes in spread):
            raise error(
                f"{title}: expected {_shape_text(expected, {})}, found {actual}; {_remedy(remedy, 'pass an array of that shape')}"
            )
        if any(_off(token, sizes, bound) for token, sizes in spread):
            others = list(
                dict.fromkeys(origin[token.removesuffix("|1")] for token, _ in spread if token.removesuffix("|1") in bound)
            )
            companions = f" to go with {' and '.join(others)}" if others != [name] else ""
            raise error(
                f"{title}: expected {_shape_text(expected, bound)}{companions}, found {actual}; {_remedy(remedy, 'resize one of them')}"
            )
        for token, sizes in spread:
            if token[0].isupper() and token not in bound and not token.endswith("|1"):
                bound[token] = sizes if token.endswith("...") else sizes[0]
                origin[token] = name
            if _off(token, sizes, bound):  # one name twice in one shape
                raise error(
                    f"{title}: expected {_shape_text(expected, {})}, found {actual}; {_remedy(remedy, 'pass an array of that shape')}"
                )
    return bound


def _off(token: str, sizes: tuple[int, ...], bound: Mapping[str, int | tuple[int, ...]]) -> bool:
    """Whether sizes are none that a token may stand for."""
    if token.endswith("..."):
        return token in bound and bound[token] != sizes
    if token.isdigit():
        return sizes[0] != int(token)
    name = token.removesuffix("|1")
    return name in bound and bound[name] != sizes[0] and not (token.endswith("|1") and sizes[0] == 1)


def _shape_text(expected: _Expected, bound: Mapping[str, int | tuple[int, ...]]) -> str:
    """An expectation as a message shows it: `uint8 [H, W, 3]`, with the sizes that are bound in the place of their names."""
    dims: list[str] = []
    for token in expected.dims:
        name = token.removesuffix("|1")
        size = bound.get(name)
        if size is None:
            dims.append(token.replace("|", " or "))
        elif isinstance(size, tuple):
            dims += map(str, size)
        else:
            dims.append(f"{size} or 1" if token != name else str(size))
    kind = {"": "shape", "float": "floats", "int": "whole numbers", "number": "numbers"}.get(expected.kind, expected.kind)
    return f"{kind} [{', '.join(dims)}]"


def _remedy(given: Sequence[str], usual: str) -> str:
    return given[0] if given else usual
