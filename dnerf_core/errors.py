"""The exceptions that reach a user: one line each, naming the thing, what was expected, what was found and the remedy."""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any


class DNeRFError(Exception):
    """A job failed for a reason the user can act on. The command line prints its message as one line and exits with `exit_code`."""

    exit_code = 1


class UsageError(DNeRFError):
    """The call itself is wrong: an option, an argument or a combination of them."""

    exit_code = 2


class CheckpointError(DNeRFError):
    """A checkpoint or model file cannot be used as it is."""


class AnnotationError(DNeRFError):
    """An annotated folder, mask or label set cannot be used as it is."""


class UnpaintedError(AnnotationError):
    """Masks of an annotated folder have yet to be painted."""


class PhotoError(DNeRFError):
    """A photo that a subject is sought for cannot be used as it is."""


class PoseError(DNeRFError):
    """A file of poses, or of a map between two skeletons, cannot be used as it is."""


class TemplateError(CheckpointError):
    """A template file, or a rigged mesh that is to become one, cannot be used as it is."""


class OutputError(DNeRFError):
    """Results cannot be written where they were asked for."""


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 60
_BRIEF.maxlevel = 3


def brief(value: Any) -> str:
    """What a message shows of a value that a file holds: its repr on one line, cut where it is long or deep."""
    text = " ".join(_BRIEF.repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def json_fault(error: ValueError | RecursionError) -> str:
    """What a message says of a text that `json.loads` refused, by the exception that it raised."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}"
    return "values nested too deeply" if isinstance(error, RecursionError) else "a number with too many digits"


def did_you_mean(found: str, names: Iterable[str]) -> str:
    """What a message adds to a name that is none of `names`: ` (did you mean rgb?)` where one is near, else nothing."""
    known = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(found.casefold(), known, n=1)
    return f" (did you mean {known[near[0]]}?)" if near else ""


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """`1 view`, `2 views`; a plural of its own where the singular with an s is none. Words before the noun go along: `1 random view`."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def listed(phrases: Sequence[str], most: int) -> str:
    """The first ones and how many there are besides: `a, b and 3 more`."""
    more = f" and {len(phrases) - most} more" if len(phrases) > most else ""
    return ", ".join(phrases[:most]) + more
