"""The worker ends with its client, however that ended: stdin closes, or the process is no longer there."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from dnerf_core.alive import is_alive

_LOOK_S = 1.0


def watch(parent: int | None, gone: Callable[[], None]) -> None:
    """Look once a second, by a thread, whether the client and the process that started this one are there; call `gone` when not.

    Args:
        parent: the client's number; None: only the one that started this.
    """
    started_by = os.getppid()

    def look() -> None:
        # on Windows the number of what started this stays after its end
        while (sys.platform == "win32" or os.getppid() == started_by) and (parent is None or is_alive(parent)):
            time.sleep(_LOOK_S)
        gone()

    threading.Thread(target=look, name="parent watch", daemon=True).start()
