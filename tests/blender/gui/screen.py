"""A real Blender on a screen of its own, with mouse and keyboard, from outside of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

REPOSITORY = Path(__file__).resolve().parents[3]
GUI = Path(__file__).resolve().parent
WIDTH_PX, HEIGHT_PX = 1280, 1440
_ROUNDS = 3
"""Of Blender's main loop: in one it hears of the mouse, in the next it handles that, and draws."""
_FIRST_ROUNDS = 20
_IN_ROOT = """\
set -e
mount -t proc proc "$ROOT/proc"; mount --bind /dev "$ROOT/dev"; mount -t tmpfs tmpfs "$ROOT/dev/shm"
while IFS= read -r folder; do
    mkdir -p "$ROOT$folder"; mount --bind "$folder" "$ROOT$folder"; mount -o remount,bind,ro "$ROOT$folder"
done <<<"$SHOWN"
mkdir -p "$ROOT/job"; mount --bind "$JOB" "$ROOT/job"
# one thread of torch: Blender draws beside the worker, in software, and there may be another window;
# shaders that one Blender has compiled for its drawing in software serve the next, in half the time until it draws
exec chroot "$ROOT" env -i HOME="$ROOT_HOME" LANG=C.UTF-8 PATH=/usr/bin:/bin:/usr/sbin:/sbin OMP_NUM_THREADS=1 \
    MESA_SHADER_CACHE_DIR=/var/cache/mesa "$@"
"""


class Root:
    """A folder with a Debian that has Blender, Xvfb, xdotool and ImageMagick: what `make_root.sh` makes.

    Attributes:
        job: a folder of it for the files of one test module, so that several modules can use the root at once; it is `/job` inside.
        interpreter: the path, inside, of this very Python with this repository's code.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.job = path / "jobs" / name
        shutil.rmtree(self.job, ignore_errors=True)
        (self.job / "home").mkdir(parents=True)
        script = self.job / "python"
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" "$@"\n')
        script.chmod(0o755)
        self.interpreter = "/job/python"

    def command(self, *argv: str) -> tuple[list[str], dict[str, str]]:
        """A command line that runs `argv` inside, and its environment: this repository and this Python are seen there, read-only."""
        shown = dict.fromkeys((str(REPOSITORY), sys.prefix, sys.base_prefix))
        environment = {
            **os.environ,
            "ROOT": str(self.path),
            "SHOWN": "\n".join(shown),
            "JOB": str(self.job),
            "ROOT_HOME": "/job/home",
        }
        return ["unshare", "-m", "--propagation", "private", "bash", "-c", _IN_ROOT, "in-root", *argv], environment

    def run(self, *argv: str, timeout_s: float = 120.0) -> str:
        """Run to its end; returns what it said."""
        command, environment = self.command(*argv)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Screen:
    """Blender, its window at the top left of a screen of its own. Use it in a `with` block."""

    def __init__(self, root: Root, *, blend: str | None = None) -> None:
        self.root = root
        command, environment = root.command("python3", str(GUI / "agent.py"), f"{WIDTH_PX}x{HEIGHT_PX}")
        self._agent = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.display = self._read()["display"]
        self.start(blend)

    def start(self, blend: str | None = None) -> None:
        """Start Blender, and wait until it draws."""
        name = f"blender-{time.monotonic_ns()}.sock"
        argv = ["blender", "-p", "0", "0", str(WIDTH_PX), str(HEIGHT_PX), *([] if blend is None else [blend])]
        argv += ["--python", str(GUI / "inside.py"), "--", f"/job/{name}"]
        self._blender = self._agent_does({"start": argv, "log": "/job/blender.log"})
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60.0)
        end = time.monotonic() + 60.0
        while True:
            try:
                self._socket.connect(str(self.root.job / name))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < end, self.log()
                time.sleep(0.1)
        self._answers = self._socket.makefile("r")
        self.ask("", rounds=_FIRST_ROUNDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        assert self._agent.stdin is not None
        self._agent.stdin.close()
        self._agent.wait(20)

    # --- asking

    def ask(self, code: str, *, rounds: int = 0) -> Any:
        """Run Python in Blender, outside of any operator, after some rounds of its main loop; returns what it left in `out`."""
        self._socket.sendall(json.dumps([rounds, code]).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        assert "error" not in answer, answer["error"]
        return answer["out"]

    def value(self, expression: str) -> Any:
        """The value of an expression in Blender."""
        return self.ask(f"out = {expression}")

    def until(self, expression: str, timeout_s: float = 60.0) -> Any:
        """Wait until an expression is true in Blender; returns it."""
        end = time.monotonic() + timeout_s
        while True:
            found = self.value(expression)
            if found:
                return found
            if time.monotonic() > end:
                self.screenshot("timeout")
                raise AssertionError(f"after {timeout_s} s still not: {expression}\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        """What Blender has printed."""
        return (self.root.job / "blender.log").read_text(errors="replace")

    def quit(self, timeout_s: float = 20.0) -> int | None:
        """Quit by Ctrl+Q without saving; returns Blender's exit code."""
        self.ask("bpy.context.preferences.view.use_save_prompt = False")
        self._xdotool("mousemove", "500", "500", "key", "ctrl+q")
        return self.ended(timeout_s)

    def ended(self, timeout_s: float) -> int | None:
        """Blender's exit code; None: it still runs."""
        return self._agent_does({"wait": self._blender["number"], "timeout_s": timeout_s})["code"]

    # --- mouse, keyboard, eyes

    def click(self, x: int, y: int, *, button: int = 1, heard: bool = True) -> None:
        """Click at a place of the screen, from the top left; `heard`: wait until Blender has dealt with it."""
        self.hover(x, y)
        self._xdotool("click", str(button))
        if heard:
            self.settle()

    def click_again(self) -> None:
        """Click where the mouse is, which stays there."""
        self._xdotool("click", "1")
        self.settle()

    def hover(self, x: int, y: int) -> None:
        """Move the mouse to a place of the screen."""
        self._xdotool("mousemove", str(x - 3), str(y), "mousemove", str(x), str(y))
        self.settle()

    def drag(self, points: list[tuple[int, int]], *, button: int = 1) -> None:
        """Press at the first point, move over the others, let go at the last."""
        self.hover(*points[0])
        words = ["mousedown", str(button), "sleep", "0.05"]
        for x, y in points[1:]:
            words += ["mousemove", str(x), str(y), "sleep", "0.03"]
        self._xdotool(*words, "mouseup", str(button))
        self.settle()

    def settle(self) -> None:
        """Let Blender take in what the mouse and the keyboard have done, and draw."""
        self.ask("", rounds=_ROUNDS)

    def key(self, name: str, *, at: tuple[int, int]) -> None:
        """Press a key with the mouse at a place."""
        self.hover(*at)
        self._xdotool("key", name)
        self.settle()

    def key_unheard(self, name: str) -> None:
        """Press a key where the mouse is while Blender is too busy to answer anything, as in a render that it waits for."""
        self._xdotool("key", name)

    def screenshot(self, name: str) -> Path:
        """The whole screen, as a PNG in the job folder."""
        answer = self._agent_does({"run": ["import", "-window", "root", f"/job/{name}.png"]})
        assert answer["code"] == 0, answer["output"]
        return self.root.job / f"{name}.png"

    def place_window(self, title: str, box: tuple[int, int, int, int]) -> None:
        """Move and size the window with a title, as a user would by its frame, to `box`: left, top, width, height."""
        left, top, width, height = map(str, box)
        words = ["search", "--name", title, "windowmove", "%1", left, top, "windowsize", "%1", width, height]
        answer = self._agent_does({"run": ["xdotool", *words]})
        assert answer["code"] == 0, answer["output"]

    def kill(self, *arguments: str) -> None:
        """`kill` inside the root."""
        answer = self._agent_does({"run": ["kill", *arguments]})
        assert answer["code"] == 0, answer["output"]

    def _xdotool(self, *words: str) -> list[float]:
        """Moves, clicks and keys, see `hand.py`; returns when each was done."""
        return list(self._agent_does({"move": words})["at"])

    def _agent_does(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._agent.stdin is not None
        self._agent.stdin.write(json.dumps(request) + "\n")
        self._agent.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._agent.stdout is not None
        line = self._agent.stdout.readline()
        assert line, "the agent inside the root has ended"
        return json.loads(line)
