"""Blender as a Python module, for commands that read and write .blend files: whether it is there, and how to have it work quietly."""

from __future__ import annotations

import ctypes
import importlib.util
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from dnerf_core.errors import UsageError


def need_blender(option: str) -> None:
    """Refuse an option that reads or writes a .blend file where Blender is not installed as the module bpy.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("bpy") is None:
        raise UsageError(
            f"{option}: expected Blender as the Python module bpy, found none; install it with pip install 'datasetnerf[blender]' "
            "(Python 3.11)"
        )


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Blender prints on the process's stdout, where our results go: for a while that is nowhere."""
    c_library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    sys.stdout.flush()
    c_library.fflush(None)
    stdout_fd = os.dup(1)
    devnull_fd = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull_fd, 1)
        with redirect_stdout(io.StringIO()):  # some of it goes by way of Python
            yield
    finally:
        c_library.fflush(None)  # what Blender printed may wait in C's buffer still
        os.dup2(stdout_fd, 1)
        os.close(devnull_fd)
        os.close(stdout_fd)
