"""NVIDIA Warp, started without a word. Importing this imports and starts it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import warp

__all__ = ["warp"]


@contextmanager
def _silent_library() -> Iterator[None]:
    """Where no GPU is, Warp's library says so on the process's own error stream, past Python; it is no news to anyone who has none."""
    if torch.cuda.is_available():
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _start() -> None:
    # it would tell of itself on standard output, which may be a command's JSON or the worker's protocol
    warp.config.log_level = warp.LOG_WARNING
    if "WARP_CACHE_PATH" not in os.environ and not _can_be_made(Path.home() / ".cache" / "warp"):
        # its compiled kernels need a place; a folder of this process's own is safe from others, and costs seconds of compiling each time
        warp.config.kernel_cache_dir = tempfile.mkdtemp(prefix="datasetnerf-warp-")
    with _silent_library():
        warp.init()


def _can_be_made(folder: Path) -> bool:
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


_start()
