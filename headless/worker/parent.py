"""The worker ends with its client, however that ended: stdin closes, or the process is no longer there."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

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


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number; one that may not be looked at is there."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    # os.kill(pid, 0) would end the process there
    import ctypes

    synchronize, access_denied, still_running = 0x00100000, 5, 0x00000102
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined, unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.WaitForSingleObject.argtypes = [ctypes.c_void_p, ctypes.c_ulong]
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return bool(ctypes.get_last_error() == access_denied)  # type: ignore[attr-defined, unused-ignore]
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == still_running)
    finally:
        kernel.CloseHandle(handle)
