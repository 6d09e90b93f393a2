"""Engines that start at once: a process that has loaded torch forks one for each start, so that 200 tests do not load it 200 times.

`WarmEngine` starts that process; the program that its `script` makes is a Python to the extension. A worker comes from a fork; anything
else that it is asked to run goes to the Python itself. Whoever ends the program ends the fork, whose exit code is the program's.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

WORKER = ["-P", "-m", "headless.cli", "worker"]
_LENGTH_BYTES = 4


class WarmEngine:
    """The process that has loaded torch; it ends with this one, or by `end`."""

    def __init__(self, folder: Path, python: str, code: Path) -> None:
        self.python, self.code, self.address = python, code, folder / "engines"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [python, "-P", __file__, "serve", str(self.address)],
            env=environment | {"PYTHONPATH": str(code)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the engine cannot be loaded"

    def script(self, folder: Path) -> Path:
        """A program in a folder that is to the extension what the Python is."""
        path = folder / "python"
        path.write_text(
            f'#!/bin/sh\nif [ "$4" = worker ]; then exec "{self.python}" -S -E -s "{__file__}" start "{self.address}" "$@"; fi\n'
            f'PYTHONPATH="{self.code}" exec "{self.python}" "$@"\n'
        )
        path.chmod(0o755)
        return path

    def end(self) -> None:
        """No engine starts any more; those that run are ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def start(address: str, arguments: list[str]) -> int:
    """What the program does: give its streams to a fork, and wait until that has ended."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(address)
    text = json.dumps({"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    socket.send_fds(link, [len(text).to_bytes(_LENGTH_BYTES, "big")], [0, 1, 2])
    link.sendall(text)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # whoever reads them hears of the fork's end
        os.dup2(nothing, stream)
    code = int(link.makefile().read() or "1")
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


def serve(address: str) -> None:
    """Load the engine, and fork until stdin ends."""
    import headless.cli
    import headless.worker.methods  # with torch
    from tests.blender.warm_models import keep_demo

    keep_demo()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    print("ready", flush=True)
    links: dict[int, socket.socket] = {}
    while True:
        readable, _, _ = select.select([0, listener, woken, *links.values()], [], [])
        if woken in readable:
            os.read(woken, 1024)
            _tell_ended(links)
        for pid, link in links.items():
            if link in readable and not link.recv(1):  # the program has been killed
                os.kill(pid, signal.SIGKILL)
                link.setblocking(True)
        for pid in [pid for pid, link in links.items() if link in readable]:
            os.waitpid(pid, 0)
            links.pop(pid).close()
        if listener in readable:
            link = listener.accept()[0]
            length, streams, _, _ = socket.recv_fds(link, _LENGTH_BYTES, 3)
            request = json.loads(link.makefile("rb").read(int.from_bytes(length, "big")))
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.setsid()
                for other in (listener, link, *links.values()):
                    other.close()
                _become_worker(request, streams, headless.cli.main)
            for stream in streams:
                os.close(stream)
            links[pid] = link
        if 0 in readable:
            for pid in links:
                os.kill(pid, signal.SIGKILL)
            return


def _tell_ended(links: dict[int, socket.socket]) -> None:
    """Give the exit codes of forks that have ended to their programs."""
    for pid in list(links):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            link = links.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # the program has been killed
                link.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            link.close()


def _become_worker(request: dict[str, object], streams: list[int], main: object) -> None:
    """The fork is what `python -m headless.cli worker` is: its streams, folder, environment and arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv = ["headless.cli", *request["arguments"][len(WORKER) - 1 :]]  # type: ignore[index]
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    code = 0
    try:
        main()  # type: ignore[operator]
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "start":
        sys.exit(start(sys.argv[2], sys.argv[3:]))
    serve(sys.argv[2])
