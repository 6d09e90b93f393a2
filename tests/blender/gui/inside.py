"""Runs in the real Blender (`blender --python inside.py -- SOCKET`): answers what the test asks, on Blender's main thread.

A question is a line of JSON, `[ROUNDS, CODE]`: so many rounds of Blender's main loop go by before the code is run. After three of them
Blender has heard and drawn what the X server had when the question was sent.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback

import bpy

_SOCKET = sys.argv[sys.argv.index("--") + 1]
_server = socket.socket(socket.AF_UNIX)
_server.bind(_SOCKET)
_server.listen(1)
_server.setblocking(False)
_connection: socket.socket | None = None
_received = b""
_question: list | None = None
_names: dict = {"bpy": bpy}


def _serve() -> float:
    global _connection, _received, _question  # noqa: PLW0603
    if _connection is None:
        try:
            _connection, _ = _server.accept()
            _connection.setblocking(False)
        except BlockingIOError:
            return 0.02
    try:
        data = _connection.recv(65536)
        if not data:
            os._exit(3)  # the test has gone
        _received += data
    except BlockingIOError:
        pass
    if _question is None and b"\n" in _received:
        line, _received = _received.split(b"\n", 1)
        _question = json.loads(line)
    if _question is not None:
        _question[0] -= 1
        if _question[0] < 0:
            code, _question = _question[1], None
            _reply(code)
    # in the next round of the main loop, which rests by itself
    return 0.0


def _reply(code: str) -> None:
    assert _connection is not None
    _connection.setblocking(True)
    _connection.sendall(json.dumps(_answer(code), default=str).encode() + b"\n")
    _connection.setblocking(False)


def _answer(code: str) -> dict:
    _names["out"] = None
    try:
        exec(code, _names)
    except Exception:
        return {"error": traceback.format_exc()}
    return {"out": _names["out"]}


bpy.context.preferences.view.show_splash = False
# a viewport is drawn once where Blender would draw it nine times to smooth its edges, which takes a second in software
_names["smoothing"] = bpy.context.preferences.system.viewport_aa
bpy.context.preferences.system.viewport_aa = "OFF"
bpy.app.timers.register(_serve, persistent=True)
