"""JSON values as people read them."""

from __future__ import annotations

from typing import Any


def short_text(value: Any) -> str:
    """A JSON value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {short_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(short_text(item) for item in value) or "none"
    return " ".join(str(value).split())
