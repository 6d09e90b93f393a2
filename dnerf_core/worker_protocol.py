"""What a worker and its client say to each other: JSON-RPC 2.0, a line a message, UTF-8. docs/worker.md has every method."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PROTOCOL = 1
"""Both sides have to have the same number."""

MAX_LINE_BYTES = 64 * 2**20

Number = int | str
"""What a request may be called by."""


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


@dataclass(frozen=True)
class Request:
    """A request, or a notification where `number` is None."""

    number: Number | None
    method: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """A line that is no request, and what to answer."""

    number: Number | None
    code: Code
    message: str


def message_line(message: dict[str, Any]) -> bytes:
    """A message as the bytes of one line."""
    return (json.dumps(message, allow_nan=False) + "\n").encode()


def request_line(method: str, params: dict[str, Any], number: Number | None = None) -> bytes:
    """A request, or without a number a notification, as the bytes of one line."""
    return message_line(notification(method, params) | ({} if number is None else {"id": number}))


def read_line(line: bytes) -> dict[str, Any] | None:
    """The message of a line; None where it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None


def read_request(line: bytes) -> Request | Refusal:
    """What a line of stdin asks for."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return Refusal(None, Code.NOT_JSON, f"expected a JSON object a line, found {line[:40]!r}")
    number = message.get("id") if isinstance(message, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | str | None):
        number = None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        return Refusal(number, Code.NO_REQUEST, "expected a JSON-RPC 2.0 request with a method, found another message")
    params = message.get("params", {})
    if not isinstance(params, dict):
        return Refusal(number, Code.NO_REQUEST, "params: expected an object, found another value")
    if "id" in message and number is None:
        return Refusal(None, Code.NO_REQUEST, "id: expected a whole number or a text, found another value")
    return Request(number, message["method"], params)


def result_message(number: Number, result: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request that ended well."""
    return {"jsonrpc": "2.0", "id": number, "result": result}


def error_message(number: Number | None, code: Code, text: str) -> dict[str, Any]:
    """The answer to one that did not; the text becomes one line."""
    return {"jsonrpc": "2.0", "id": number, "error": {"code": int(code), "message": " ".join(text.split())}}


def notification(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A message that wants no answer."""
    return {"jsonrpc": "2.0", "method": method, "params": params}
