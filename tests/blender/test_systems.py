"""What the bridge does on Windows and macOS, branch by branch, on whatever system the tests run: paths, folders, ends of processes.

No test here starts anything on those systems; docs/blender.md says what was tried where.
"""

from __future__ import annotations

import ctypes
import ntpath
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.bridge import exchange, groups, losses, process
from blender_addon.bridge.groups import end_group, group_options
from blender_addon.bridge.interpreter import (
    PROGRAM,
    find_interpreters,
    interpreter_at,
    named_by_launcher,
    pointed_to,
    program_folders,
    pythons_in,
    pythons_near,
)
from blender_addon.bridge.launch import worker_command, worker_environment
from blender_addon.environments.generations import python_of
from dnerf_core import alive
from tests.blender.addon import REPOSITORY

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")


def touch(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o700)
    return path


# --- paths


@pytest.mark.parametrize(
    "folder",
    [r"C:\Users\Ann Lee\my env", r"\\?\C:\Users\Ann Lee\my env", r"\\server\share\my env", r"\\?\UNC\server\share\my env", r"D:"],
)
def test_places_of_interpreters_on_windows(folder: str) -> None:
    scripts = PureWindowsPath(folder, "Scripts")
    assert [str(path) for path in pythons_near(scripts / f"{PROGRAM}.exe", "win32")] == [
        ntpath.join(folder, r"Scripts\python.exe"),
        ntpath.join(folder, "python.exe"),
    ]
    assert [str(path) for path in pythons_in(PureWindowsPath(folder), "win32")] == [
        ntpath.join(folder, r"Scripts\python.exe"),
        ntpath.join(folder, "python.exe"),
    ]


def test_places_of_interpreters_on_macos() -> None:
    bundle = PurePosixPath("/Library/Frameworks/Python.framework/Versions/3.11/Resources/Python.app")
    assert pythons_in(bundle, "darwin")[-1] == bundle / "Contents" / "MacOS" / "Python"
    assert bundle / "Contents" / "MacOS" / "Python" not in pythons_in(bundle, "linux")


def test_the_interpreter_of_an_environment() -> None:
    assert python_of(Path("/x y/env-1"), windows=True) == Path("/x y/env-1/Scripts/python.exe")
    assert python_of(Path("/x y/env-1"), windows=False) == Path("/x y/env-1/bin/python")


@pytest.mark.parametrize(
    ("text", "system", "expected"),
    [
        (r'"C:\Program Files\Python311\python.exe"', "win32", r"C:\Program Files\Python311\python.exe"),
        ("  C:\\python.exe\n", "win32", r"C:\python.exe"),
        (r"C:\it's here\python.exe", "win32", r"C:\it's here\python.exe"),
        ("'/Users/ann lee/env/bin/python'", "darwin", "/Users/ann lee/env/bin/python"),
        ('"/half', "darwin", '"/half'),
        ('"', "win32", '"'),
        ("", "linux", ""),
    ],
)
def test_pasted_paths(text: str, system: str, expected: str) -> None:
    assert pointed_to(text, system=system) == expected


@posix
def test_what_is_pointed_to(tmp_path: Path) -> None:
    windows = touch(tmp_path / "win env" / "Scripts" / "python.exe")
    script = touch(windows.with_name(f"{PROGRAM}.exe"), b"MZ")
    bundle = touch(tmp_path / "Python.app" / "Contents" / "MacOS" / "Python")
    unix = touch(tmp_path / "env" / "bin" / "python")
    assert interpreter_at(tmp_path / "win env", system="win32") == windows
    assert interpreter_at(script, system="win32") == windows
    assert interpreter_at(windows, system="win32") == windows
    assert interpreter_at(tmp_path / "Python.app", system="darwin") == bundle
    assert interpreter_at(tmp_path / "env", system="darwin") == interpreter_at(unix, system="linux") == unix
    assert interpreter_at(tmp_path / "none", system="win32") == tmp_path / "none"
    assert interpreter_at(tmp_path, system="linux") == tmp_path, "starting it says what is wrong"


@posix
def test_found_on_windows(tmp_path: Path) -> None:
    """In an environment, beside Scripts, and for one user, where only the program itself says which Python it is of."""
    env = touch(tmp_path / "my env" / "Scripts" / "python.exe")
    touch(env.with_name(f"{PROGRAM}.exe"), b"MZ")
    whole = touch(tmp_path / "Python311" / "python.exe")
    touch(whole.parent / "Scripts" / f"{PROGRAM}.exe", b"MZ")
    one = touch(tmp_path / "Program Files" / "python.exe")
    appdata = tmp_path / "Roaming"
    touch(appdata / "Python" / "Python311" / "Scripts" / f"{PROGRAM}.exe", b'MZ..#!"' + bytes(one) + b'"\r\nPK\x03\x04zip')
    path = ";".join([f'"{env.parent}"', "", str(whole.parent / "Scripts"), r"relative\folder"])
    found = find_interpreters(system="win32", environment={"PATH": path, "APPDATA": str(appdata)}, home=tmp_path)
    assert found == [env, whole, one]
    assert program_folders("win32", {"PATH": ""}, tmp_path) == [], "no ~/.local/bin there"


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (b"MZ\0\0#!C:\\Python311\\python.exe\r\nPK\x03\x04", r"C:\Python311\python.exe"),
        (b'MZ\0\0#!"C:\\Program Files\\Python 3\\python.exe"\nPK\x03\x04', r"C:\Program Files\Python 3\python.exe"),
        ("MZ#!C:\\Users\\Jos\u00e9\\python.exe\r\nPK".encode(), "C:\\Users\\Jos\u00e9\\python.exe"),
        (b"MZ#!\\\\?\\C:\\deep\\python.exe\nPK", r"\\?\C:\deep\python.exe"),
        (b"MZ and no line", ""),
        (b"#!python.exe but no zip", ""),
    ],
)
def test_the_python_that_a_windows_program_names(end: bytes, expected: str) -> None:
    assert named_by_launcher(end) == expected


@posix
def test_found_on_macos_although_a_desktops_path_is_short(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    own = touch(home / "Library" / "Python" / "3.12" / "bin" / "python3")
    framework = root / "Library" / "Frameworks" / "Python.framework" / "Versions" / "3.11"
    bundle = touch(framework / "Resources" / "Python.app" / "Contents" / "MacOS" / "Python")
    brew = touch(root / "opt" / "homebrew" / "bin" / "python3")
    touch(own.with_name(PROGRAM), b"#!/usr/bin/env python3\n")
    touch(framework / "bin" / PROGRAM, f"#!{bundle}\n".encode())
    touch(brew.with_name(PROGRAM), b"#!/usr/bin/env python3\n")
    short = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    system_has_it = any((Path(part) / PROGRAM).exists() for part in short["PATH"].split(":"))
    found = find_interpreters(system="darwin", environment=short, home=home, root=root)
    assert found[-3:] == [own, brew, bundle] and (system_has_it or len(found) == 3)
    assert find_interpreters(system="linux", environment={"PATH": ""}, home=home, root=root) == []


def test_a_command_is_a_list_so_that_no_shell_reads_spaces() -> None:
    python = PureWindowsPath(r"\\?\C:\Users\Ann & Bob\env (1)\Scripts\python.exe")
    words = worker_command(str(python), "cpu")
    assert words[0] == str(python)
    if sys.platform != "win32":
        return
    assert subprocess.list2cmdline(words).startswith(f'"{python}" -P')


def test_windows_gives_the_environment_in_capitals() -> None:
    given = {"PYTHONHOME": "x", "SYSTEMROOT": r"C:\Windows", "TEMP": r"C:\t"}
    assert worker_environment(given) == {"SYSTEMROOT": r"C:\Windows", "TEMP": r"C:\t"}, "without SystemRoot no socket opens there"


# --- processes


def test_how_groups_are_begun() -> None:
    assert group_options(windows=True) == {"creationflags": 0x200 | 0x08000000}
    assert group_options(windows=False) == {"start_new_session": True}
    if sys.platform == "win32":
        assert groups.CREATE_NEW_PROCESS_GROUP == subprocess.CREATE_NEW_PROCESS_GROUP
        assert groups.CREATE_NO_WINDOW == subprocess.CREATE_NO_WINDOW


@pytest.mark.parametrize("force", [False, True])
def test_on_windows_a_group_is_ended_by_taskkill_while_it_runs(force: bool) -> None:
    calls: list[Any] = []
    running: Any = SimpleNamespace(pid=4711, poll=lambda: None)
    ended: Any = SimpleNamespace(pid=4711, poll=lambda: 0)
    for one in (running, ended):
        end_group(one, force=force, windows=True, run=lambda words, **more: calls.append((words, more)))
    ((words, more),) = calls  # the number of one that has ended may be another's by now
    assert words == ["taskkill", "/T", "/F", "/PID", "4711"]
    assert more["timeout"] > 0 and more["creationflags"] == groups.CREATE_NO_WINDOW and not more["check"]


@posix
@pytest.mark.parametrize("force", [False, True])
def test_a_group_is_ended_with_what_it_has_started(force: bool) -> None:
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    code += "print(p.pid, flush=True); p.wait()"
    started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **group_options())
    assert started.stdout is not None
    child = int(started.stdout.readline())
    end_group(started, force=force)
    assert started.wait(20) == -(signal.SIGKILL if force else signal.SIGTERM)
    end = time.monotonic() + 20
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(child)
    end_group(started, force=True)  # nothing is there any more
    started.stdout.close()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@posix
def test_macos_refuses_signals_to_what_has_just_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def killpg(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", killpg)
    gone: Any = SimpleNamespace(pid=4711)
    end_group(gone, force=True, windows=False)


def test_the_worker_is_begun_as_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[dict[str, Any]] = []

    def popen(command: list[str], **options: Any) -> None:
        begun.append(options)
        raise OSError(193, "%1 is not a valid Win32 application")

    monkeypatch.setattr(process, "group_options", lambda: group_options(windows=True))
    monkeypatch.setattr(process.subprocess, "Popen", popen)
    with pytest.raises(process.WorkerError, match="it cannot be started: %1 is not a valid Win32 application; choose another"):
        process.WorkerProcess(["python.exe"], {})
    assert begun[0]["creationflags"] == 0x08000200 and "start_new_session" not in begun[0] and "shell" not in begun[0]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (0xC0000005, "exit code 0xc0000005, an access violation in a library or a driver"),
        (0xC000012D, "exit code 0xc000012d, which Windows sends where memory runs out"),
        (
            0xC0000135,
            "exit code 0xc0000135, a DLL that is missing: install Microsoft's Visual C++ Redistributable, which torch needs",
        ),
        (-11, "SIGSEGV"),
        (-9, "SIGKILL, which the system sends where memory runs out"),
        (-4711, "signal 4711"),
    ],
)
def test_how_a_worker_ended(code: int, words: str) -> None:
    assert losses.lost_after(code, [], ["render"]) == (
        f"worker: it ended during render with {words}; the next click starts a new worker"
    )


def test_nothing_forks() -> None:
    """A fork is not to be had on Windows, and breaks frameworks on macOS: processes are spawned, or programs started."""
    sources = [path for name in ("blender_addon", "dnerf_core", "headless") for path in (REPOSITORY / name).rglob("*.py")]
    assert len(sources) > 400
    for path in sources:
        text = path.read_text("utf-8")
        assert not re.search(r"os\.fork|forkpty|preexec_fn|ProcessPoolExecutor\(|multiprocessing\.(?:Process|Pool)\(", text), path
        assert set(re.findall(r"get_context\((.*?)\)", text)) <= {'"spawn"'}, path


# --- whether a process is there, as Windows tells it


@pytest.mark.parametrize(
    ("handle", "error", "waited", "expected"),
    [(7, 0, 0x102, True), (7, 0, 0, False), (0, 5, 0, True), (0, 87, 0, False)],
    ids=["runs", "has ended", "may not be looked at", "none"],
)
def test_whether_a_process_is_there_on_windows(
    monkeypatch: pytest.MonkeyPatch, handle: int, error: int, waited: int, expected: bool
) -> None:
    """Never by `os.kill`, which ends it there."""
    closed: list[int] = []
    kernel = SimpleNamespace(
        OpenProcess=Function(lambda access, inherit, pid: handle),
        WaitForSingleObject=Function(lambda found, timeout_ms: waited),
        CloseHandle=Function(closed.append),
    )
    monkeypatch.setattr(alive.sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: kernel, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: error, raising=False)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("os.kill ends a process on Windows"))
    found = alive.is_alive(4711)
    monkeypatch.undo()
    assert found is expected
    assert closed == ([handle] if handle else []), "each handle that was opened is closed"


class Function:
    """Of a DLL: it can be called, and takes `restype` and `argtypes`."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.restype: Any = None
        self.argtypes: Any = None

    def __call__(self, *arguments: Any) -> Any:
        return self._answer(*arguments)


@posix
def test_exchange_folders_where_there_are_no_numbers_of_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Windows has a temporary folder a user."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delattr(os, "getuid")
    monkeypatch.setattr(exchange, "is_alive", lambda pid: pid == 1)
    for number in (1, 2):
        (tmp_path / f"{exchange.PREFIX}{number}-abc").mkdir()
    exchange.clear_stale()
    assert [path.name for path in tmp_path.iterdir()] == [f"{exchange.PREFIX}1-abc"]
