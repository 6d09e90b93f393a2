"""The exceptions that reach a user: one line each, naming the thing, what was expected, what was found and the remedy."""

from __future__ import annotations


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


class OutputError(DNeRFError):
    """Results cannot be written where they were asked for."""
