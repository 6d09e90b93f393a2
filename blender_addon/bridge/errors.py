"""What the worker's client raises, or hands on."""

from __future__ import annotations

from dnerf_core.errors import DNeRFError


class WorkerError(Exception):
    """The worker cannot be started or used; one line that says why and what to do."""


class WorkerFault(Exception):  # noqa: N818  # an answer, not a mistake of this program
    """How a request ended that did not end well: `code` (a `Code` where it is a known one) and a one-line `message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


EXPECTED = (DNeRFError, WorkerError, OSError)
"""What goes wrong for a reason that a user can act on; its text is the line that is shown."""


def error_line(error: BaseException, title: str = "") -> str:
    """One line for an error: its own where a user can act on it; otherwise that the extension is at fault."""
    if isinstance(error, EXPECTED):
        return str(error)
    text = " ".join(str(error).split())
    return (
        f"{title or 'DatasetNeRF'}: expected to take in what the engine sent, found a fault of the extension "
        f"({type(error).__name__}{f': {text}' if text else ''}); report it with what Blender's console says"
    )
