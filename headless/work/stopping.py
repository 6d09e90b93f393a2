"""Ctrl-C as a wish: the first one asks a job to end with the best so far, the second one ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ending_early() -> Iterator[Callable[[], bool]]:
    """Yields what tells whether Ctrl-C was pressed within the block. In a thread other than the main one nothing is caught; nor is it
    where the process was started with Ctrl-C ignored, as a shell's `&` and `nohup` do: it belongs to another command then."""
    interrupted = threading.Event()
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield interrupted.is_set
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted.is_set
    finally:
        signal.signal(signal.SIGINT, before)
