"""What the worker's client raises, or hands on."""

from __future__ import annotations


class WorkerError(Exception):
    """The worker cannot be started or used; one line that says why and what to do."""


class WorkerFault(Exception):  # noqa: N818  # an answer, not a mistake of this program
    """How a request ended that did not end well: `code` (a `Code` where it is a known one) and a one-line `message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
