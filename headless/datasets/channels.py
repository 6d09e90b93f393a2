"""The channels a view may have in a data set, and their text form."""

from __future__ import annotations

from typing import Literal

from dnerf_core.errors import brief

Channel = Literal["rgb", "mask", "depth", "normal", "uncertainty", "parts"]
CHANNELS: tuple[Channel, ...] = ("rgb", "mask", "depth", "normal", "uncertainty", "parts")
DEFAULT_CHANNELS: tuple[Channel, ...] = ("rgb", "mask", "depth")
LABEL_CHANNELS: tuple[Channel, ...] = ("mask", "uncertainty", "parts")
"""Those that need a semantic branch."""


def parse_channels(text: str) -> tuple[Channel, ...]:
    """Channels from text such as `rgb,mask,depth`, each once, in the order of `CHANNELS`.

    Raises:
        ValueError: an unknown channel, one named twice, none that can be looked at, or parts without the mask they are read from.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in CHANNELS:
            raise ValueError(f"expected channels among {', '.join(CHANNELS)}, found {brief(name)}")
        if names.count(name) > 1:
            raise ValueError(f"expected each channel once, found {name} twice")
    if not {"rgb", "mask", "depth"} & set(names):
        raise ValueError(f"expected rgb, mask or depth among them, found {text}; add one")
    if "parts" in names and "mask" not in names:
        raise ValueError("expected mask beside parts, which are read from it; add mask")
    return tuple(channel for channel in CHANNELS if channel in names)
