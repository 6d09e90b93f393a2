"""A real Blender with a window, driven by the mouse and the keyboard, from outside of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
GUI = Path(__file__).resolve().parent
WIDTH_PX, HEIGHT_PX = 1280, 1440
_MOVE_S = 0.06
_IN_ROOT = """\
set -e
mount -t proc proc "$ROOT/proc"; mount --bind /dev "$ROOT/dev"; mount -t tmpfs tmpfs "$ROOT/dev/shm"
while IFS= read -r folder; do
    mkdir -p "$ROOT$folder"; mount --bind "$folder" "$ROOT$folder"; mount -o remount,bind,ro "$ROOT$folder"
done <<<"$SHOWN"
mkdir -p "$ROOT/job"; mount --bind "$JOB" "$ROOT/job"
# one thread of torch: Blender draws beside the worker, in software, and there may be another window
exec chroot "$ROOT" env -i HOME="$ROOT_HOME" LANG=C.UTF-8 PATH=/usr/bin:/bin:/usr/sbin:/sbin OMP_NUM_THREADS=1 "$@"
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


class Window:
    """Blender's window, at the top left of a screen of its own. Use it in a `with` block."""

    def __init__(self, root: Root, *, blend: str | None = None) -> None:
        self.root = root
        self.headers: dict[str, int] = {}
        self._below, self._anchor = "", (0, 0)
        self.prepare: Callable[[], None] = lambda: None
        command, environment = root.command("python3", str(GUI / "agent.py"), f"{WIDTH_PX}x{HEIGHT_PX}")
        self._agent = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.display = self._read()["display"]
        self.start(blend)

    def start(self, blend: str | None = None) -> None:
        """Start Blender, and wait until it draws."""
        name = f"blender-{time.monotonic_ns()}.sock"
        argv = ["blender", "-p", "0", "0", str(WIDTH_PX), str(HEIGHT_PX), *([] if blend is None else [blend])]
        argv += ["--python", str(GUI / "inside.py"), "--", f"/job/{name}"]
        self.headers.clear()
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
        time.sleep(1.0)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        assert self._agent.stdin is not None
        self._agent.stdin.close()
        self._agent.wait(20)

    # --- asking

    def ask(self, code: str) -> Any:
        """Run Python in Blender, outside of any operator; returns what it left in `out`."""
        self._socket.sendall(json.dumps(code).encode() + b"\n")
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

    def click(self, x: int, y: int, *, button: int = 1) -> None:
        """Click at a place of the screen, from the top left."""
        self._xdotool("mousemove", str(x), str(y), "sleep", str(_MOVE_S), "click", str(button), "sleep", str(_MOVE_S))

    def click_again(self) -> None:
        """Click where the mouse is, which stays there."""
        self._xdotool("click", "1", "sleep", str(_MOVE_S))

    def hover(self, x: int, y: int) -> None:
        """Move the mouse to a place of the screen."""
        self._xdotool("mousemove", str(x), str(y), "sleep", str(_MOVE_S))

    def drag(self, points: list[tuple[int, int]], *, button: int = 1) -> None:
        """Press at the first point, move over the others, let go at the last."""
        words = ["mousemove", *map(str, points[0]), "sleep", "0.1", "mousedown", str(button), "sleep", "0.05"]
        for x, y in points[1:]:
            words += ["mousemove", str(x), str(y), "sleep", "0.03"]
        self._xdotool(*words, "mouseup", str(button), "sleep", "0.1")

    def scroll(self, steps: int) -> None:
        """Turn the wheel over the side panel: towards its end, or with fewer than 0 steps towards its beginning."""
        left, top, right, bottom = self.box()
        turns = ["click", "5" if steps > 0 else "4", "sleep", "0.01"] * abs(steps)
        self._xdotool("mousemove", str((left + right) // 2), str((top + bottom) // 2), *turns)
        self.settle()

    def key(self, name: str, *, at: tuple[int, int]) -> None:
        """Press a key with the mouse at a place."""
        self._xdotool("mousemove", str(at[0]), str(at[1]))
        self.settle()
        self._xdotool("key", name, "sleep", "0.05")

    def key_unheard(self, name: str) -> None:
        """Press a key where the mouse is while Blender is too busy to answer anything, as in a render that it waits for."""
        self._xdotool("key", name)

    def screenshot(self, name: str) -> Path:
        """The whole screen, as a PNG in the job folder."""
        answer = self._agent_does({"run": ["import", "-window", "root", f"/job/{name}.png"]})
        assert answer["code"] == 0, answer["output"]
        return self.root.job / f"{name}.png"

    def kill(self, *arguments: str) -> None:
        """`kill` inside the root."""
        answer = self._agent_does({"run": ["kill", *arguments]})
        assert answer["code"] == 0, answer["output"]

    # --- the side panel

    def open_side_panel(self) -> None:
        """Show the side panel's tab DatasetNeRF, and learn where the headers of its closed panels are."""
        self.ask(_OPEN_PANEL)
        time.sleep(0.5)
        self.ask("show_tab()")
        time.sleep(0.5)

    def box(self, region: str = "side_region()") -> tuple[int, int, int, int]:
        """A region of Blender on the screen: left, top, right, bottom."""
        x, y, width, height = self.value(f"place_of({region})")
        return x, HEIGHT_PX - y - height, x + width, HEIGHT_PX - y

    def probe(self, x: int, y: int, keys: str = "ctrl+c") -> str:
        """What Blender copies with the mouse there: over a button the Python of what it does."""
        self.ask("bpy.context.window_manager.clipboard = ''")
        self._xdotool("mousemove", str(x - 3), str(y), "mousemove", str(x), str(y))
        self.settle()
        self._xdotool("key", keys)
        self.settle()
        return str(self.value("bpy.context.window_manager.clipboard"))

    def settle(self) -> None:
        """Let Blender take in what the mouse and the keyboard have done."""
        for _ in range(3):
            self.ask("")
            time.sleep(0.005)

    def find(
        self,
        text: str,
        *,
        keys: str = "ctrl+c",
        top: int | None = None,
        columns: tuple[float, ...] = (0.5, 0.93, 0.06),
        region: str = "side_region()",
    ) -> tuple[int, int]:
        """Where a button of a side panel is whose Python contains `text`; `columns` are the shares of the width to look at."""
        left, region_top, right, bottom = self.box(region)
        for share in columns:
            x = int(left + 8 + share * (right - left - 36))
            for y in range(region_top + 6 if top is None else top, bottom - 4, 10):
                if text in self.probe(x, y, keys):
                    return x, y
        self.screenshot("not-found")
        raise AssertionError(f"no button {text!r} in the side panel; see not-found.png")

    def press(self, operator: str, **place: Any) -> None:
        """Click the button of an operator, such as `dnerf.render_views`."""
        self.click(*self.find(operator, **place))

    def press_property(self, name: str, **place: Any) -> None:
        """Click the button of a property of `scene.dnerf`."""
        self.click(*self.find(f"dnerf.{name}", keys="ctrl+alt+shift+c", **place))

    def learn_headers(self, below: str) -> None:
        """Find the headers of the closed panels, which lie under the button of the property `below`, by opening and closing each."""
        left, _, right, bottom = self.box()
        x = left + int(0.4 * (right - left))
        x_found, y_found = self.find(f"dnerf.{below}", keys="ctrl+alt+shift+c")
        self._below, self._anchor = below, (x_found, y_found + 5)  # off the edge, which may shift by a pixel
        y = self._anchor[1] + 16
        self.headers.clear()
        missed = 0
        while missed < 4 and y < bottom - 6:
            self.ask("drawn.clear()")
            self.click(x, y)
            self.settle()
            opened = self.value("[name for name in drawn if name not in ('DNERF_PT_main', 'DNERF_PT_model', 'DNERF_PT_subject')]")
            if opened:
                self.headers[opened[0]] = y
                self.click(x, y)
                self.settle()
            missed = 0 if opened else missed + 1
            y += 16 if opened else 7

    def _shift_px(self) -> int:
        """How much lower the panels are than when their headers were learnt: the status may have become longer."""
        text, keys = f"dnerf.{self._below}", "ctrl+alt+shift+c"
        x, y = self._anchor
        for shift in sorted(range(-105, 106, 21), key=abs):
            if text in self.probe(x, y + shift, keys):
                return shift
        self.screenshot("not-found")
        raise AssertionError(f"no button {text!r} near {self._anchor}; see not-found.png")

    @contextmanager
    def panel(self, name: str) -> Iterator[int]:
        """Open a panel, such as `DNERF_PT_views`, by a click on its header, and close it in the end; yields where it begins."""
        left, _, right, _ = self.box()
        x, y = left + int(0.4 * (right - left)), self.headers[name] + self._shift_px()
        self.ask("drawn.clear()")
        self.click(x, y)
        self.until(f"drawn.get({name!r})", 5.0)
        try:
            yield y + 14
        finally:
            self.scroll(-40)
            self.click(x, self.headers[name] + self._shift_px())
            self.settle()

    def _xdotool(self, *words: str) -> None:
        answer = self._agent_does({"run": ["xdotool", *words]})
        assert answer["code"] == 0, answer["output"]

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


_OPEN_PANEL = """
def view_area():
    areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "VIEW_3D"]
    return areas[0]

def side_region():
    return next(r for r in view_area().regions if r.type == "UI")

def paint_region(kind="UI"):
    editors = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.ui_type == "IMAGE_EDITOR"]
    return next(r for r in editors[0].regions if r.type == kind)

def place_of(region):
    for window in bpy.context.window_manager.windows:
        if any(r == region for a in window.screen.areas for r in a.regions):
            return [window.x + region.x, window.y + region.y, region.width, region.height]

def show_tab():
    side_region().active_panel_category = "DatasetNeRF"
    view_area().tag_redraw()

drawn = {}
def count(cls):
    draw = cls.draw
    def counted(self, context):
        drawn[cls.__name__] = drawn.get(cls.__name__, 0) + 1
        draw(self, context)
    return counted

for panel in [cls for cls in bpy.types.Panel.__subclasses__() if cls.__name__.startswith("DNERF_PT_")]:
    panel.draw = count(panel)

# or the viewport below is drawn again with every move of the mouse over the panel
bpy.context.preferences.system.use_region_overlap = False
# what Ctrl+C does where there is no button costs a second a time
for keymap in bpy.context.window_manager.keyconfigs.user.keymaps:
    for item in keymap.keymap_items:
        if item.idname in ("view3d.copybuffer", "view3d.pastebuffer"):
            item.active = False
view_area().spaces.active.show_region_ui = True
"""
