"""Programs that start others, such as pip: begun as a group of their own, and ended with all that they have started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW = 0x00000200, 0x08000000
"""Of Windows, as `subprocess` has them there."""
_TASKKILL_TIMEOUT_S = 10.0


def group_options(*, windows: bool = sys.platform == "win32") -> dict[str, Any]:
    """Options of `Popen`: Ctrl-C in the terminal is not the program's business, and on Windows no console appears."""
    if windows:
        return {"creationflags": CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW}
    return {"start_new_session": True}


def end_group(
    process: subprocess.Popen[Any],
    *,
    force: bool,
    windows: bool = sys.platform == "win32",
    run: Callable[..., Any] = subprocess.run,
) -> None:
    """Ask a program that was begun with `group_options`, and what it has started, to end; returns soon.

    Args:
        force: do not ask. Windows knows no asking: programs without a window are always ended by force there.
        run: what starts `taskkill`, which alone knows on Windows what a program has started.
    """
    if windows:
        if process.poll() is None:  # of one that has ended the number may be another's by now
            run(
                ["taskkill", "/T", "/F", "/PID", str(process.pid)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_TASKKILL_TIMEOUT_S,
                creationflags=CREATE_NO_WINDOW,
            )
        return
    try:
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return  # all of it has ended; macOS refuses where it has not been counted by its parent yet
