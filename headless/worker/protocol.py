"""What worker and client say to each other: JSON-RPC 2.0, a line a message, UTF-8. docs/worker.md has every method.

The client's side of the same is `blender_addon.bridge.protocol`, which may not be imported from here; a test compares the two.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PROTOCOL = 1
MAX_LINE_BYTES = 64 * 2**20

Number = int | str
"""What a request may be called by."""


class Code(IntEnum):
    """Why a request failed."""

    FAILED = 1
    WRONG_CALL = 2
    CANCELLED = 3
    OUT_OF_MEMORY = 4
    NOT_JSON = -32700
    NO_REQUEST = -32600
    NO_SUCH_METHOD = -32601
    FAULT = -32603


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
