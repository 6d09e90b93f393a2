"""Text out of JSON that other programs may have written (the standard library only)."""

from __future__ import annotations

import re
from typing import Any

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def without_surrogates(value: Any) -> Any:
    """What `json.loads` gave, with U+FFFD for each half of a surrogate pair that stands alone, in texts and in names.

    JSON's escapes can spell such halves. They are no characters: a file name, a UTF-8 file, a terminal and a window refuse them, each
    in its own way.
    """
    if isinstance(value, str):
        return _LONE_SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(name): without_surrogates(item) for name, item in value.items()}
    return value
