"""The worker's client against a stand-in process: every way in which a worker can be of no use, and that nothing waits or stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender_addon.bridge import exchange, interpreter, losses, process
from blender_addon.bridge.check import check_interpreter
from blender_addon.bridge.client import WorkerClient
from blender_addon.bridge.errors import WorkerError, WorkerFault
from blender_addon.bridge.interpreter import find_interpreters
from blender_addon.bridge.launch import worker_command, worker_environment
from dnerf_core.alive import is_alive
from dnerf_core.worker_protocol import Code

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
WAIT_S = 20.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and scripts of POSIX")


def wait(client: WorkerClient, done: Callable[[], Any], limit_s: float = WAIT_S) -> None:
    """Poll until something holds."""
    end = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end, (client.state, client.loss)
        client.poll()
        time.sleep(0.005)


@pytest.fixture
def start() -> Iterator[Callable[..., WorkerClient]]:
    """Starts stand-ins, and stops them."""
    clients = []

    def make(behaviour: str = "serve") -> WorkerClient:
        client = WorkerClient([sys.executable, str(STAND_IN), behaviour])
        client.start()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.stop(0.5)


def ended(pid: int) -> bool:
    """Whether a process is gone or only waits to be counted by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return not is_alive(pid)


def test_requests_before_the_greeting_are_kept_and_answered_in_order(start: Callable[..., WorkerClient]) -> None:
    client = start()
    heard: list[Any] = []
    first = client.request("echo", {"a": 1}, on_done=heard.append)
    second = client.request(
        "steps",
        {"rgb": "w1.npy"},
        on_part=heard.append,
        on_progress=lambda done, total, text: heard.append((done, total, text)),
        on_done=heard.append,
    )
    assert (client.state, heard, second) == ("starting", [], first + 1)
    wait(client, lambda: len(heard) == 4)
    assert heard == [{"a": 1}, (1, 2, "steps"), {"rgb": "w1.npy"}, {"seconds": 0.1}]
    assert client.ready is not None
    assert (client.state, client.ready["version"]) == ("ready", "0.1.0")
    assert client.poll() == 0


def test_killed_in_the_middle(start: Callable[..., WorkerClient]) -> None:
    client = start()
    faults: list[WorkerFault] = []
    client.request("wait", {}, on_error=faults.append)
    client.request("die", {}, on_error=faults.append)
    wait(client, lambda: client.state == "lost")
    assert [fault.code for fault in faults] == [Code.LOST, Code.LOST]
    assert client.loss == faults[0].message
    assert "during wait with SIGKILL" in client.loss
    assert "a library's last words" in client.loss
    assert "\n" not in client.loss
    with pytest.raises(WorkerError, match="SIGKILL"):
        client.request("echo", {})
    client.stop()
    again = start()
    answers: list[Any] = []
    again.request("echo", {"back": True}, on_done=answers.append)
    wait(again, lambda: answers)
    assert answers == [{"back": True}]


def test_everybody_hears_of_a_loss_also_where_one_breaks_down(start: Callable[..., WorkerClient]) -> None:
    client = start()
    faults: list[int] = []

    def break_down(fault: WorkerFault) -> None:
        raise KeyError("a caller's mistake")

    for on_error in (lambda fault: faults.append(1), break_down, lambda fault: faults.append(3)):
        client.request("wait", {}, on_error=on_error)
    client.request("die", {})
    with pytest.raises(KeyError, match="a caller's mistake"):
        wait(client, lambda: client.state == "lost")
    assert (client.state, faults) == ("lost", [1, 3])


def test_what_cannot_be_sent_is_told_at_once_and_holds_up_nothing(start: Callable[..., WorkerClient]) -> None:
    client = start()
    answers: list[Any] = []
    client.request("echo", {"first": True}, on_done=answers.append)
    for params, kind in (({"value": float("nan")}, ValueError), ({"value": np.float32(1)}, TypeError)):
        with pytest.raises(kind):
            client.request("echo", params, on_done=answers.append)
    client.request("echo", {"second": True}, on_done=answers.append)
    wait(client, lambda: len(answers) == 2)
    assert answers == [{"first": True}, {"second": True}]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("newer", "expected a worker of protocol 1, found 99 (datasetnerf 9.9.9); update this extension, or datasetnerf there"),
        ("older", "expected a datasetnerf that has the worker, found an older one; press Create Environment in the preferences"),
        ("garbage", "expected the worker's messages, found 'Python 2.7 says hello'"),
        ("ends", "expected a worker that starts, it ended with exit code 0"),
    ],
)
def test_a_worker_that_is_none(start: Callable[..., WorkerClient], behaviour: str, message: str) -> None:
    client = start(behaviour)
    faults: list[WorkerFault] = []
    client.request("echo", {}, on_error=faults.append)
    pid = client.pid
    wait(client, lambda: client.state == "lost")
    assert client.loss.startswith(f"{sys.executable}: {message}")
    assert [(fault.code, fault.message) for fault in faults] == [(Code.LOST, client.loss)]
    assert pid is not None
    wait(client, lambda: ended(pid))


def test_chatter_among_the_messages_ends_it(start: Callable[..., WorkerClient]) -> None:
    client = start()
    client.request("chatter", {})
    wait(client, lambda: client.state == "lost")
    assert "found 'Downloading something 100%'" in client.loss


def test_a_message_without_end(start: Callable[..., WorkerClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LINE_BYTES", 1000)
    client = start("endless")
    wait(client, lambda: client.state == "lost")
    assert len(client.loss) < 400


def test_closed_stdout_is_an_end(start: Callable[..., WorkerClient]) -> None:
    client = start()
    client.request("mute", {})
    wait(client, lambda: client.state == "lost")
    assert "during mute" in client.loss


def test_one_that_does_not_end_is_killed(start: Callable[..., WorkerClient]) -> None:
    client = start("deaf")
    wait(client, lambda: client.state == "ready")
    pid, folder = client.pid, client._exchange
    assert pid is not None
    assert folder is not None
    before = time.monotonic()
    client.stop(0.3)
    assert time.monotonic() - before < 5
    assert ended(pid)
    assert not folder.path.exists()
    assert client.state == "stopped"


def test_nothing_waits_for_one_that_does_not_read(start: Callable[..., WorkerClient]) -> None:
    client = start("deaf")
    wait(client, lambda: client.state == "ready")
    before = time.monotonic()
    for _ in range(200):
        client.request("echo", {"text": "x" * 10_000})
    client.poll()
    assert time.monotonic() - before < 2


def test_cancelling(start: Callable[..., WorkerClient]) -> None:
    client = start()
    faults: list[int] = []
    early = client.request("wait", {}, on_error=lambda fault: faults.append(fault.code))
    client.cancel(early)
    client.poll()
    assert faults == [Code.CANCELLED]
    wait(client, lambda: client.state == "ready")
    client.request("wait", {}, on_error=lambda fault: faults.append(fault.code))
    client.request("wait", {}, on_error=lambda fault: faults.append(fault.code))
    client.cancel_all()
    wait(client, lambda: len(faults) == 3)
    assert set(faults) == {Code.CANCELLED}
    client.cancel(early)  # has ended; nothing happens


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    text, binary = tmp_path / "python", tmp_path / "python3"
    text.write_text("no program")
    binary.write_bytes(b"\x00\x01")
    binary.chmod(0o700)
    before = set(Path(tempfile.gettempdir()).glob(f"{exchange.PREFIX}{os.getpid()}-*"))
    for program, message in (
        (tmp_path / "none", "found no such program"),
        (text, "found something that may not be run"),
        (binary, "it cannot be started"),
    ):
        client = WorkerClient(worker_command(program))
        with pytest.raises(WorkerError, match=message):
            client.start()
        assert client.state == "stopped"
        assert check_interpreter(program).message.startswith(f"{program}: expected")
    assert set(Path(tempfile.gettempdir()).glob(f"{exchange.PREFIX}{os.getpid()}-*")) == before


def test_an_interpreter_without_datasetnerf() -> None:
    client = WorkerClient([sys.executable, "-I", "-S", "-m", "headless.cli", "worker"])
    client.start()
    wait(client, lambda: client.state == "lost")
    client.stop()
    assert client.loss.startswith(f"{sys.executable}: expected an interpreter with datasetnerf, found none in it; install")


def test_arrays_travel_by_plain_names(start: Callable[..., WorkerClient], tmp_path: Path) -> None:
    client = start()
    folder = client._exchange
    assert folder is not None
    assert folder.path.stat().st_mode & 0o777 == 0o700
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    name = client.put_array(array)
    assert np.array_equal(client.array(name), array)
    with pytest.raises(WorkerError, match="expected an array of the worker"):
        client.array(name)  # once
    np.save(tmp_path / "outside.npy", array)
    for bad in ("../outside.npy", str(tmp_path / "outside.npy"), "a\\b.npy", "", "x.txt", ".npy"):
        with pytest.raises(WorkerError, match="expected a plain name"):
            client.array(bad)
    np.save(folder.path / "w1.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(WorkerError, match="cannot be read"):
        client.array("w1.npy")


def test_arrays_that_nobody_takes_are_removed(start: Callable[..., WorkerClient]) -> None:
    client = start()
    folder = client._exchange
    assert folder is not None
    for name in ("w1.npy", "w2.npy", "w3.npy"):
        np.save(folder.path / name, np.zeros(3))
    done: list[Any] = []
    client.request("steps", {"rgb": "w1.npy", "views": [{"mask": "w2.npy"}], "other": "../w3.npy"}, on_done=done.append)
    wait(client, lambda: done)
    assert sorted(path.name for path in folder.path.iterdir()) == ["w3.npy"]


def test_exchange_folder_gone(start: Callable[..., WorkerClient]) -> None:
    client = start()
    assert client._exchange is not None
    client._exchange.remove()
    with pytest.raises(WorkerError, match="expected to write an array"):
        client.put_array(np.zeros(3))
    with pytest.raises(WorkerError, match="expected an array of the worker"):
        client.array("w1.npy")
    client.stop()


def test_folders_of_dead_clients_are_cleared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    stale = tmp_path / f"{exchange.PREFIX}{gone.pid}-abc"
    kept = [
        tmp_path / f"{exchange.PREFIX}{os.getpid()}-abc",
        tmp_path / f"other-{gone.pid}-abc",
        tmp_path / f"{exchange.PREFIX}x-abc",
    ]
    for folder in (stale, *kept):
        folder.mkdir()
        (folder / "w1.npy").touch()
    link = tmp_path / f"{exchange.PREFIX}{gone.pid}-link"
    link.symlink_to(kept[1])
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    exchange.clear_stale()
    assert stale.exists()  # another user's
    monkeypatch.setattr(os, "getuid", lambda: own)
    exchange.clear_stale()
    assert not stale.exists()
    assert all((folder / "w1.npy").exists() for folder in kept)
    assert link.is_symlink()


def test_a_client_that_ends_leaves_nothing() -> None:
    code = f"""
import sys, time
from blender_addon.bridge.client import WorkerClient
client = WorkerClient([sys.executable, {str(STAND_IN)!r}, "serve"])
client.start()
while client.state == "starting":
    client.poll()
    time.sleep(0.01)
print(client.pid, client._exchange.path)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    pid, folder = result.stdout.split()
    assert ended(int(pid))
    assert not Path(folder).exists()


def test_start_and_use_out_of_turn(start: Callable[..., WorkerClient]) -> None:
    client = start()
    with pytest.raises(WorkerError, match="not started before"):
        client.start()
    idle = WorkerClient(["python"])
    for call in (lambda: idle.request("echo", {}), lambda: idle.array("w1.npy")):
        with pytest.raises(WorkerError, match="expected a started one"):
            call()
    assert idle.poll() == 0
    idle.stop()


def test_interpreters_are_found_without_running_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def install(folder: Path, first_lines: str, python: str | None) -> Path:
        folder.mkdir(parents=True)
        if python is not None:
            (folder / python).write_text("#!/bin/sh\ntouch RAN\n")
            (folder / python).chmod(0o700)
        (folder / interpreter.PROGRAM).write_text(first_lines + "\nimport sys\n")
        return folder

    named = install(tmp_path / "named", f"#!{tmp_path}/named/python3.11", "python3.11")
    spaced = install(
        tmp_path / "with space", f"#!/bin/sh\n'''exec' \"{tmp_path}/with space/python\" \"$0\" \"$@\"\n' '''", "python"
    )
    beside = install(tmp_path / "beside", "#!/usr/bin/env python3", "python3")
    install(tmp_path / "relative", "#!/usr/bin/env python3", "python3")
    gone = install(tmp_path / "gone", "#!/nowhere/python", None)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / interpreter.PROGRAM).symlink_to(beside / interpreter.PROGRAM)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, [named, spaced, gone, linked, beside, "relative", ""])))
    monkeypatch.chdir(tmp_path)
    assert find_interpreters() == [named / "python3.11", spaced / "python", beside / "python3"]
    assert not (tmp_path / "RAN").exists()


def test_blenders_own_python_settings_stay_with_it() -> None:
    given = {"PYTHONHOME": "/blender", "PYTHONPATH": "/blender", "PATH": "/bin", "HOME": "/root"}
    assert worker_environment(given) == {"PATH": "/bin", "HOME": "/root"}
    assert worker_command(Path("/x/python"), "cpu") == ["/x/python", "-P", "-m", "headless.cli", "worker", "--device", "cpu"]


def test_checking_gives_up_in_time(tmp_path: Path) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    before = time.monotonic()
    check = check_interpreter(slow, timeout_s=0.3)
    assert (check.ok, check.message) == (False, f"{slow}: expected an answer within 0.3 s, found none; check that interpreter")
    assert time.monotonic() - before < 8


def test_an_engine_of_an_older_protocol_is_replaced_by_the_extensions_own() -> None:
    line = losses.wrong_protocol("/env/bin/python", {"protocol": losses.PROTOCOL - 1, "version": "0.0.9"})
    assert line.endswith(
        "(datasetnerf 0.0.9); press Create Environment in the preferences, which installs this extension's engine, or update "
        "datasetnerf there"
    )
