"""The worker's own way out: stdout, kept for messages alone."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, BinaryIO

from dnerf_core.worker_protocol import message_line


class Wire:
    """Takes messages from any thread and writes each as one line. A reader that has gone is no error: the worker is ending then."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._lock = out, threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write a message."""
        line = message_line(message)
        with self._lock:
            try:
                self._out.write(line)
                self._out.flush()
            except OSError:
                return


def take_stdout() -> BinaryIO:
    """The stream that stdout was, while everything that prints there from now on, a library's C code too, prints to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(kept, "wb")
