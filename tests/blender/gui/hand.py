"""Mouse and keyboard inside the root, by the library that xdotool is made of: no process has to be started for each move.

It runs there, on its own Python. What is asked for has come to the X server when a call returns.
"""

from __future__ import annotations

import ctypes as c
import time
from collections.abc import Iterator

_XDO = c.CDLL("libxdo.so.3")
_FOCUSED_WINDOW = 0
_KEY_HELD_US = 12_000
"""As long as xdotool holds a key."""
_XDO.xdo_new.restype = c.c_void_p
_XDO.xdo_new.argtypes = [c.c_char_p]
_XDO.xdo_move_mouse.argtypes = [c.c_void_p, c.c_int, c.c_int, c.c_int]
_XDO.xdo_get_mouse_location.argtypes = [c.c_void_p, c.POINTER(c.c_int), c.POINTER(c.c_int), c.POINTER(c.c_int)]
for _name in ("xdo_mouse_down", "xdo_mouse_up", "xdo_click_window"):
    getattr(_XDO, _name).argtypes = [c.c_void_p, c.c_ulong, c.c_int]
for _name in ("xdo_send_keysequence_window", "xdo_enter_text_window"):
    getattr(_XDO, _name).argtypes = [c.c_void_p, c.c_ulong, c.c_char_p, c.c_uint]


class Hand:
    """What moves, presses and types on a display."""

    def __init__(self, display: str) -> None:
        self._xdo = _XDO.xdo_new(display.encode())
        assert self._xdo, f"no display {display}"

    def move(self, words: list[str]) -> list[float]:
        """Follow xdotool's words: `mousemove X Y`, `click N`, `mousedown N`, `mouseup N`, `key NAME`, `type TEXT`, `sleep SECONDS`.

        Returns when each of them was done, by the clock `time.monotonic`, which is one for all programs of a machine.
        """
        rest, at = iter(words), []
        for word in rest:
            self._follow(word, rest)
            at.append(time.monotonic())
        x, y, screen = c.c_int(), c.c_int(), c.c_int()  # its answer comes after all that was sent
        _XDO.xdo_get_mouse_location(self._xdo, c.byref(x), c.byref(y), c.byref(screen))
        return at

    def _follow(self, word: str, rest: Iterator[str]) -> None:
        xdo, window = self._xdo, _FOCUSED_WINDOW
        if word == "sleep":
            time.sleep(float(next(rest)))
        elif word == "mousemove":
            _XDO.xdo_move_mouse(xdo, int(next(rest)), int(next(rest)), 0)
        elif word == "click":
            _XDO.xdo_click_window(xdo, window, int(next(rest)))
        elif word == "mousedown":
            _XDO.xdo_mouse_down(xdo, window, int(next(rest)))
        elif word == "mouseup":
            _XDO.xdo_mouse_up(xdo, window, int(next(rest)))
        elif word == "key":
            _XDO.xdo_send_keysequence_window(xdo, window, next(rest).encode(), _KEY_HELD_US)
        elif word == "type":
            _XDO.xdo_enter_text_window(xdo, window, next(rest).encode(), _KEY_HELD_US)
        else:
            raise ValueError(f"hand: expected a word of xdotool that it knows, found {word!r}")
