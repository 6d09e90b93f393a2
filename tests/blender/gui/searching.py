"""Blender's search by F3, and whether the screen has changed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.blender.gui.window import Window


def share_changed(before: Path, after: Path, box: tuple[int, int, int, int]) -> float:
    """How many pixels of a part of the screen differ; `box` is left, top, right, bottom."""
    first, second = (np.asarray(Image.open(path).convert("RGB").crop(box), np.int16) for path in (before, after))
    return float((np.abs(first - second).max(axis=2) > 8).mean())


def until_changed(window: Window, before: Path, name: str, box: tuple[int, int, int, int]) -> Path:
    """Wait until a menu, a dialog or a search is shown in a part of the screen: keys that are pressed earlier go to what is below it."""
    end = time.monotonic() + 20.0
    while share_changed(before, shot := window.screenshot(name), box) < 0.2:
        assert time.monotonic() < end, f"nothing new in {box}; see {name}.png"
        time.sleep(0.1)
    window.settle()
    return shot


def search(window: Window, words: str, at: tuple[int, int], name: str) -> None:
    """By F3, with the mouse in an editor, and the first that it finds. What is typed before Blender shows its search goes to the editor."""
    window.hover(*at)
    time.sleep(0.3)
    before = window.screenshot(f"{name}-before")
    box = (at[0] - 60, at[1] - 60, at[0] + 300, at[1] + 160)
    window.key("F3", at=at)
    until_changed(window, before, name, box)
    window._xdotool("type", words)
    window.settle()
    time.sleep(0.5)
    window.screenshot(name)
    window._xdotool("key", "Return")
    window.settle()
