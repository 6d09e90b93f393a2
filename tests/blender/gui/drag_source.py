"""Drags files from another program and drops them: `python3 drag_source.py X Y FILE ...`, by X's protocol XDND, version 5.

It runs inside the root, on its own Python, by libX11 alone. The window that it is dropped onto is the lowest one that takes drops.
"""

from __future__ import annotations

import ctypes as c
import sys
import time
from pathlib import Path

X11 = c.CDLL("libX11.so.6")
CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31
LIMIT_S = 10.0
Number, Pointer = c.c_ulong, c.c_void_p


class ClientMessage(c.Structure):
    _fields_ = (
        *(("type", c.c_int), ("serial", Number), ("send_event", c.c_int), ("display", Pointer), ("window", Number)),
        *(("message_type", Number), ("format", c.c_int), ("values", c.c_long * 5)),
    )


class SelectionRequest(c.Structure):
    _fields_ = (
        *(("type", c.c_int), ("serial", Number), ("send_event", c.c_int), ("display", Pointer), ("owner", Number)),
        *(("requestor", Number), ("selection", Number), ("target", Number), ("property", Number), ("time", Number)),
    )


class SelectionNotify(c.Structure):
    _fields_ = (
        *(("type", c.c_int), ("serial", Number), ("send_event", c.c_int), ("display", Pointer), ("requestor", Number)),
        *(("selection", Number), ("target", Number), ("property", Number), ("time", Number)),
    )


class Event(c.Union):
    _fields_ = (
        ("type", c.c_int),
        ("client", ClientMessage),
        ("request", SelectionRequest),
        ("notify", SelectionNotify),
        ("pad", c.c_long * 24),
    )


X11.XOpenDisplay.restype = Pointer
X11.XDefaultRootWindow.restype = X11.XCreateSimpleWindow.restype = X11.XInternAtom.restype = Number
X11.XOpenDisplay.argtypes = (c.c_char_p,)
X11.XDefaultRootWindow.argtypes = X11.XFlush.argtypes = X11.XPending.argtypes = (Pointer,)
X11.XInternAtom.argtypes = (Pointer, c.c_char_p, c.c_int)
X11.XCreateSimpleWindow.argtypes = (Pointer, Number, *(c.c_int,) * 2, *(c.c_uint,) * 3, *(Number,) * 2)
X11.XSetSelectionOwner.argtypes = (Pointer, *(Number,) * 3)
X11.XSendEvent.argtypes = (Pointer, Number, c.c_int, c.c_long, Pointer)
X11.XNextEvent.argtypes = (Pointer, Pointer)
X11.XChangeProperty.argtypes = (Pointer, *(Number,) * 3, *(c.c_int,) * 2, c.c_char_p, c.c_int)
X11.XQueryTree.argtypes = (Pointer, Number, *(Pointer,) * 4)
X11.XListProperties.argtypes = (Pointer, Number, Pointer)
X11.XListProperties.restype = c.POINTER(Number)


class Source:
    """A program that drags files."""

    def __init__(self, paths: list[Path]) -> None:
        self.display = X11.XOpenDisplay(None)
        self.root = X11.XDefaultRootWindow(self.display)
        self.window = X11.XCreateSimpleWindow(self.display, self.root, 0, 0, 1, 1, 0, 0, 0)
        self.content = "".join(f"{path.as_uri()}\r\n" for path in paths).encode()
        X11.XSetSelectionOwner(self.display, self.atom("XdndSelection"), self.window, 0)

    def atom(self, name: str) -> int:
        return X11.XInternAtom(self.display, name.encode(), 0)

    def target(self) -> int:
        """The window that takes drops."""
        parent, root, children, count = Number(), Number(), c.POINTER(Number)(), c.c_uint()
        X11.XQueryTree(self.display, self.root, *(c.byref(part) for part in (root, parent, children, count)))
        for window in children[: count.value]:
            found = c.c_int()
            properties = X11.XListProperties(self.display, window, c.byref(found))
            if found.value and self.atom("XdndAware") in properties[: found.value]:
                return window
        raise SystemExit("no window takes drops")

    def tell(self, window: int, name: str, *values: int) -> None:
        event = Event()
        message = event.client
        message.type, message.window, message.message_type, message.format = CLIENT_MESSAGE, window, self.atom(name), 32
        message.values[:] = [self.window, *values, *[0] * (4 - len(values))]
        X11.XSendEvent(self.display, window, 0, 0, c.byref(event))
        X11.XFlush(self.display)

    def wait_for(self, name: str) -> None:
        """Answer what the target asks, until it says this."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if not X11.XPending(self.display):
                time.sleep(0.01)
                continue
            event = Event()
            X11.XNextEvent(self.display, c.byref(event))
            if event.type == SELECTION_REQUEST:
                self.give(event.request)
            elif event.type == CLIENT_MESSAGE and event.client.message_type == self.atom(name):
                return
        raise SystemExit(f"the window said no {name}")

    def give(self, request: SelectionRequest) -> None:
        """The files' addresses, to who asks for them."""
        X11.XChangeProperty(
            self.display, request.requestor, request.property, request.target, 8, 0, self.content, len(self.content)
        )
        event = Event()
        answer = event.notify
        answer.type, answer.requestor, answer.selection = SELECTION_NOTIFY, request.requestor, request.selection
        answer.target, answer.property, answer.time = request.target, request.property, request.time
        X11.XSendEvent(self.display, request.requestor, 0, 0, c.byref(event))
        X11.XFlush(self.display)


def main(x: int, y: int, paths: list[Path]) -> None:
    source = Source(paths)
    window = source.target()
    source.tell(window, "XdndEnter", 5 << 24, source.atom("text/uri-list"))
    for step in (-8, -4, 0):
        source.tell(window, "XdndPosition", 0, (x + step) << 16 | y, 0, source.atom("XdndActionCopy"))
        source.wait_for("XdndStatus")
    source.tell(window, "XdndDrop", 0, 0)
    source.wait_for("XdndFinished")


main(int(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
