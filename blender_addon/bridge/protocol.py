"""What client and worker say to each other: JSON-RPC 2.0, a line a message, UTF-8. docs/worker.md has every method."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

PROTOCOL = 1
"""Both sides have to have the same number."""

MAX_LINE_BYTES = 64 * 2**20


class Code(IntEnum):
    """Why a request failed."""

    FAILED = 1
    WRONG_CALL = 2
    CANCELLED = 3
    OUT_OF_MEMORY = 4
    LOST = 5
    """The worker has gone; said by the client alone."""
    NOT_JSON = -32700
    NO_REQUEST = -32600
    NO_SUCH_METHOD = -32601
    FAULT = -32603
    """The worker's own mistake."""


class WorkerError(Exception):
    """The worker cannot be started or used; one line that says why and what to do."""


class WorkerFault(Exception):  # noqa: N818  # an answer, not a mistake of this program
    """How a request ended that did not end well: `code` (a `Code` where it is a known one) and a one-line `message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def request_line(method: str, params: dict[str, Any], number: int | None = None) -> bytes:
    """A request, or without a number a notification, as the bytes of one line."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    return (json.dumps(message, allow_nan=False) + "\n").encode()


def read_line(line: bytes) -> dict[str, Any] | None:
    """The message of a line; None where it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None
