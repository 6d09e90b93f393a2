"""Mouse and keyboard inside the root, by the library that xdotool is made of: no process has to be started for each move.

It runs there, on its own Python. What is asked for has come to the X server when a call returns.
"""

from __future__ import annotations

import ctypes as c
import time
from collections.abc import Iterator

_XDO = c.CDLL("libxdo.so.3")
_X = c.CDLL("libX11.so.6")
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
_X.XOpenDisplay.restype = c.c_void_p
_X.XOpenDisplay.argtypes = [c.c_char_p]
_X.XStringToKeysym.restype = c.c_ulong
_X.XStringToKeysym.argtypes = [c.c_char_p]
_X.XKeysymToKeycode.restype = c.c_ubyte
_X.XKeysymToKeycode.argtypes = [c.c_void_p, c.c_ulong]
_X.XkbKeycodeToKeysym.restype = c.c_ulong
_X.XkbKeycodeToKeysym.argtypes = [c.c_void_p, c.c_ubyte, c.c_int, c.c_int]


class Hand:
    """What moves, presses and types on a display."""

    def __init__(self, display: str) -> None:
        self._xdo = _XDO.xdo_new(display.encode())
        self._display = _X.XOpenDisplay(display.encode())
        assert self._xdo and self._display, f"no display {display}"

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
            _XDO.xdo_send_keysequence_window(xdo, window, self._by_code(next(rest)).encode(), _KEY_HELD_US)
        elif word == "type":
            _XDO.xdo_enter_text_window(xdo, window, next(rest).encode(), _KEY_HELD_US)
        else:
            raise ValueError(f"hand: expected a word of xdotool that it knows, found {word!r}")

    def _by_code(self, keys: str) -> str:
        """Keys such as `ctrl+F3` with the numbers of those that need no modifier.

        By its name libxdo presses Alt with F3 where the keyboard's layout has F3 at several levels, as that of xkb-data 2.48 does.
        """
        return "+".join(str(self._code(name) or name) for name in keys.split("+"))

    def _code(self, name: str) -> int:
        """The number of the key that has a name on it, at its first level; 0: none has, or one digit would be taken for its name."""
        symbol = _X.XStringToKeysym(name.encode())
        code = int(_X.XKeysymToKeycode(self._display, symbol)) if symbol else 0
        return code if code > 9 and _X.XkbKeycodeToKeysym(self._display, code, 0, 0) == symbol else 0
