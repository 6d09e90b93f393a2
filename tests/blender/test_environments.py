"""Making environments by real pip: progress, cancelling and every fault leave a whole one or none, the earlier one untouched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blender_addon.bridge.errors import WorkerError
from blender_addon.environments import faults, generations
from blender_addon.environments.making import EnvironmentMaking, Progress
from blender_addon.environments.pip_output import PipOutput, newest_file_bytes
from blender_addon.environments.source import Source
from tests.blender.package_index import served_index, stand_in_wheel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts of POSIX")


@pytest.fixture(autouse=True)
def plain_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip without this computer's own settings and files, which gives up at once where nobody answers."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_RETRIES", "0")


@pytest.fixture(scope="module")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This Python, but its environments are copies of one that it has made: pip's part takes seconds, and is what most tests are of."""
    folder = tmp_path_factory.mktemp("quick")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "template")], check=True, timeout=120)
    script = folder / "python"
    copying = f'if [ "$1 $2" = "-m venv" ]; then exec cp -a "{folder}/template/." "$3"; fi'
    script.write_text(f'#!/bin/sh\n{copying}\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o700)
    return script


def wheels_of(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels of mine"
    folder.mkdir(exist_ok=True)
    return folder


def finished(making: EnvironmentMaking, limit_s: float = 120) -> EnvironmentMaking:
    making.start()
    assert making.join(limit_s)
    assert not making.running
    return making


def until(condition: Callable[[], object], limit_s: float = 60.0, says: Callable[[], str] = lambda: "") -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, says()
        time.sleep(0.01)


def test_one_is_made_from_a_folder_of_wheels(tmp_path: Path) -> None:
    wheels = wheels_of(tmp_path)
    stand_in_wheel(wheels, needs="ballast")
    stand_in_wheel(wheels, "ballast", engine="")
    folder = tmp_path / "my env"
    making = finished(EnvironmentMaking(folder, "datasetnerf", source=Source("FOLDER", wheel_folder=str(wheels))))
    assert making.succeeded, making.line
    assert making.python == folder / "env-1" / "bin" / "python"
    assert making.line == f"{folder / 'env-1'}: ready; it is the interpreter now (datasetnerf 0.0, torch 2.9, a stand-in)"
    subprocess.run([str(making.python), "-I", "-c", "import datasetnerf_stand_in, ballast_stand_in"], check=True, timeout=60)
    assert generations.is_whole(folder / "env-1")
    left = {path.name for path in (folder / "env-1").iterdir()} - {"bin", "include", "lib", "lib64", "pyvenv.cfg", ".gitignore"}
    assert left == {generations.STATE_NAME}, "neither temporary files nor a log"


class HeardMaking(EnvironmentMaking):
    """A making that keeps all that its progress has been: a look now and then misses what lasts milliseconds."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, Progress):
            self.__dict__.setdefault("heard", []).append(value)
        super().__setattr__(name, value)


def test_progress_is_seen_while_it_downloads_and_installs(tmp_path: Path) -> None:
    wheels = wheels_of(tmp_path)
    stand_in_wheel(wheels, needs="ballast")
    stand_in_wheel(wheels, "ballast", engine="", more_bytes=3_000_000)
    with served_index(wheels, bytes_a_second=1_000_000) as url:
        making = finished(HeardMaking(tmp_path / "env", "datasetnerf", source=Source("MIRROR", url)))
    assert making.succeeded, making.line
    seen = {progress.text: progress.share for progress in making.__dict__["heard"] if progress.text}
    texts = list(seen)
    assert texts[:2] == ["looking at the base Python", "making the environment"]
    assert texts[-1] == "starting the engine once"
    shares = [share for text, share in seen.items() if text.startswith("downloading ballast (file 2): ") and " of 3 MB" in text]
    assert len(shares) >= 3 and shares == sorted(shares) and 0.2 < shares[-1] <= 1.0, seen
    assert any(text.startswith("installing: ") and " of 2 packages" in text for text in texts), texts


@pytest.mark.parametrize("phase", ["making the environment", "downloading ballast", "starting the engine once"])
def test_a_cancelled_one_leaves_nothing_half(tmp_path: Path, quick_python: Path, phase: str) -> None:
    wheels, folder = wheels_of(tmp_path), tmp_path / "env"
    stand_in_wheel(wheels, needs="ballast", engine="import time\ntime.sleep(100)\n")
    stand_in_wheel(wheels, "ballast", engine="", more_bytes=3_000_000 if phase.startswith("down") else 0)
    with served_index(wheels, bytes_a_second=500_000) as url:
        python = sys.executable if phase == "making the environment" else quick_python
        making = EnvironmentMaking(folder, "datasetnerf", source=Source("MIRROR", url), base_python=python)
        making.start()
        until(
            lambda: making.progress.text.startswith(phase) and children_in(folder),
            says=lambda: f"{making.progress} {making.line}",
        )
        began_s = time.monotonic()
        making.cancel()
        assert time.monotonic() - began_s < 0.5, "Blender does not stand still meanwhile"
        assert making.join(30)
    assert making.line == f"{folder}: cancelled, nothing was kept of it"
    assert not making.succeeded and making.python is None and not folder.exists()
    until(lambda: not children_in(folder), 10)


def children_in(folder: Path) -> list[int]:
    """The processes whose command line names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found


def test_the_earlier_one_stays_whole_until_the_next_one_after_it(tmp_path: Path, quick_python: Path) -> None:
    wheels, folder = wheels_of(tmp_path), tmp_path / "env"
    wheel = stand_in_wheel(wheels)
    source = Source("FOLDER", wheel_folder=str(wheels))
    first = finished(EnvironmentMaking(folder, "datasetnerf", source=source, base_python=quick_python)).python
    assert first is not None
    stand_in_wheel(wheels, engine="print('no engine')\n")
    failed = finished(EnvironmentMaking(folder, "datasetnerf", source=source, base_python=quick_python, used_python=first))
    assert (
        failed.line.startswith("datasetnerf: expected an engine that starts; ")
        and "expected the worker's messages" in failed.line
    )
    cancelled = EnvironmentMaking(folder, "datasetnerf", source=source, base_python=quick_python, used_python=first)
    cancelled.start()
    cancelled.cancel()
    assert cancelled.join(30)
    assert [path.name for path in folder.iterdir()] == ["env-1"]
    subprocess.run([str(first), "-c", "import datasetnerf_stand_in"], check=True, timeout=60)
    wheel.unlink()
    stand_in_wheel(wheels)
    for used, expected in ((first, ["env-1", "env-2"]), (folder / "env-2/bin/python", ["env-2", "env-3"])):
        again = finished(EnvironmentMaking(folder, "datasetnerf", source=source, base_python=quick_python, used_python=used))
        assert again.succeeded, again.line
        assert sorted(path.name for path in folder.iterdir()) == expected


def test_half_of_one_whose_blender_was_killed_is_never_taken_for_a_whole_one(tmp_path: Path, quick_python: Path) -> None:
    wheels, folder = wheels_of(tmp_path), tmp_path / "env"
    stand_in_wheel(wheels)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for number, pid in ((1, gone.pid), (2, os.getppid())):
        (folder / f"env-{number}" / "bin").mkdir(parents=True)
        (folder / f"env-{number}" / generations.STATE_NAME).write_text(json.dumps({"state": "making", "pid": pid}))
    (folder / "env-4").mkdir()
    (folder / ".DS_Store").touch()
    making = finished(
        EnvironmentMaking(folder, "datasetnerf", source=Source("FOLDER", wheel_folder=str(wheels)), base_python=quick_python)
    )
    assert making.succeeded, making.line
    assert sorted(path.name for path in folder.iterdir()) == [".DS_Store", "env-2", "env-3"], (
        "env-2 is being made by a living one"
    )
    assert [generations.is_whole(folder / name) for name in ("env-2", "env-3")] == [False, True]


def test_one_that_can_only_be_removed_in_part_is_not_whole_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where files of a program that runs cannot be removed."""
    monkeypatch.setattr(generations, "_REMOVE_WAIT_S", 0.0)
    path = generations.begin_generation(tmp_path / "env")
    for name in ("bin", "lib"):
        (path / name).mkdir()
        (path / name / "file").touch()
    generations.end_generation(path, {})
    assert generations.is_whole(path)
    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda place, **more: None if place.name in ("lib", "env-1") else remove(place, **more))
    assert not generations.remove_generation(path)
    assert not generations.is_whole(path) and (path / "lib" / "file").exists()
    monkeypatch.setattr(shutil, "rmtree", remove)
    generations.check_folder(tmp_path / "env")
    generations.clear_unused(tmp_path / "env", tmp_path)
    assert list((tmp_path / "env").iterdir()) == []


def test_one_that_another_blenders_worker_runs_in_stays(tmp_path: Path) -> None:
    """Two Blenders that share a folder: the second one's new environments do not take the first one's away."""
    paths = [generations.begin_generation(tmp_path / "env") for _ in range(3)]
    for path in paths:
        generations.end_generation(path, {})
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        generations.note_worker(generations.python_of(paths[0]), worker.pid)
        generations.note_worker(tmp_path / "other" / "bin" / "python", worker.pid)
        generations.clear_unused(tmp_path / "env", generations.python_of(paths[2]))
        assert sorted(path.name for path in (tmp_path / "env").iterdir()) == ["env-1", "env-3"]
    finally:
        worker.communicate(b"\n")
    generations.note_worker(generations.python_of(paths[0]), os.getpid())
    assert sorted(path.name for path in paths[0].glob("worker-*")) == [f"worker-{os.getpid()}"], (
        "the mark of one that has ended goes"
    )
    (paths[0] / f"worker-{os.getpid()}").rename(paths[0] / f"worker-{worker.pid}")
    generations.clear_unused(tmp_path / "env", generations.python_of(paths[2]))
    assert sorted(path.name for path in (tmp_path / "env").iterdir()) == ["env-3"]
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["photo.jpg", "env-1", "env-01", "env-2"])
def test_a_folder_with_something_else_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "mine"
    (folder / name).mkdir(parents=True)
    (folder / name / "file").write_text("mine")
    with pytest.raises(WorkerError, match="found something else in it; choose another folder"):
        EnvironmentMaking(folder, "datasetnerf")
    assert (folder / name / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("package", "source", "message"),
    [
        ("--index-url=x", Source(), "package: expected a name, a folder or a wheel, found '--index-url=x'"),
        ("datasetnerf", Source("MIRROR", ""), "mirror: expected the address of a package index, found ''; write such as https"),
        ("datasetnerf", Source("MIRROR", "ftp://host/simple"), "mirror: expected the address of a package index, found 'ftp:"),
        (
            "datasetnerf",
            Source("MIRROR", "https://me:secret@host/simple"),
            "mirror: expected an address without a name and a pass",
        ),
        ("datasetnerf", Source("FOLDER", "", ""), "folder of wheels: expected a folder that is there, found ''"),
        (
            "datasetnerf",
            Source("FOLDER", "", str(Path(__file__).parent)),
            "expected wheels (.whl), found none; fill it on a comp",
        ),
    ],
)
def test_what_cannot_work_is_said_at_once(tmp_path: Path, package: str, source: Source, message: str) -> None:
    with pytest.raises(WorkerError) as error:
        EnvironmentMaking(tmp_path / "env", package, source=source)
    assert message in str(error.value) and "secret" not in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(WorkerError, match="expected a whole path"):
        EnvironmentMaking(Path("env"), "datasetnerf")


def fault_of(tmp_path: Path, source: Source, **more: object) -> str:
    making = finished(EnvironmentMaking(tmp_path / "env", "datasetnerf", source=source, **more))
    assert not making.succeeded and not (tmp_path / "env").exists()
    assert "\n" not in making.line
    return making.line


def test_nobody_answers(tmp_path: Path, quick_python: Path) -> None:
    with served_index(wheels_of(tmp_path)) as url:
        pass
    assert fault_of(tmp_path, Source("MIRROR", url), base_python=quick_python) == (
        f"{url}: expected to reach it, found no connection; check the network and its proxy, or choose a mirror or a folder of "
        "wheels that you can reach"
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            404,
            "expected a package index, it answers 404 (not found); correct the address, such as https://HOST/simple, or choose",
        ),
        (403, "expected to be let in, it answers 403; put name and password into the file .netrc, which pip reads, or choose"),
    ],
)
def test_a_mirror_that_refuses(tmp_path: Path, quick_python: Path, status: int, message: str) -> None:
    with served_index(wheels_of(tmp_path), status=status) as url:
        assert fault_of(tmp_path, Source("MIRROR", url), base_python=quick_python).startswith(f"{url}: {message}")


def test_a_package_that_is_not_there_for_this_python(tmp_path: Path, quick_python: Path) -> None:
    wheels = wheels_of(tmp_path)
    stand_in_wheel(wheels, needs="torch")
    shutil.copy(stand_in_wheel(tmp_path, "torch", engine=""), wheels / "torch-0.0-cp39-cp39-win_amd64.whl")
    line = fault_of(tmp_path, Source("FOLDER", wheel_folder=str(wheels)), base_python=quick_python)
    version = ".".join(map(str, sys.version_info[:3]))
    assert line == (
        f"torch: expected one for Python {version} on this computer in {wheels}, found none (versions there: none); name another "
        "Base Python, or choose another source"
    )


def test_an_engine_that_nobody_has(tmp_path: Path, quick_python: Path) -> None:
    wheels = wheels_of(tmp_path)
    stand_in_wheel(wheels, "other")
    assert fault_of(tmp_path, Source("FOLDER", wheel_folder=str(wheels)), base_python=quick_python) == (
        f"datasetnerf: expected it in {wheels}, found none; leave Package empty for the engine that the extension carries, or write "
        "a wheel or a folder on this computer"
    )


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('echo \'{"version": [3, 9, 2], "venv": true}\'', "expected Python 3.11 or newer, found 3.9.2; name another Base Python"),
        (
            'echo \'{"version": [3, 13, 5], "venv": false}\'',
            "expected a Python that can make environments, found one without venv or ensurepip; install these (Debian: python3-venv), "
            "or name another Base Python",
        ),
        (
            "echo Unknown option: -I; exit 2",
            "expected Python 3.11 or newer, found something else (it ended with 2); name another",
        ),
        (
            'case "$*" in *venv\\ *) echo "The virtual environment was not created successfully because ensurepip is not available"; '
            'exit 1;; *) echo \'{"version": [3, 11, 2], "venv": true}\';; esac',
            "expected a Python that can make environments, found one without venv or ensurepip",
        ),
    ],
)
def test_a_wrong_base_python(tmp_path: Path, script: str, message: str) -> None:
    wheels, python = wheels_of(tmp_path), tmp_path / "python"
    stand_in_wheel(wheels)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o700)
    source = Source("FOLDER", wheel_folder=str(wheels))
    assert fault_of(tmp_path, source, base_python=python).startswith(f"{python}: {message}")
    assert fault_of(tmp_path, source, base_python=tmp_path / "none") == (
        f"{tmp_path / 'none'}: expected a Python, it cannot be started: No such file or directory; name another Base Python"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting needs the user root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    wheels = wheels_of(tmp_path)
    stand_in_wheel(wheels)
    making = finished(EnvironmentMaking(small_disk / "env", "datasetnerf", source=Source("FOLDER", wheel_folder=str(wheels))))
    assert making.line == (
        f"{small_disk / 'env' / 'env-1'}: expected room for the engine and torch, found the disk full; free some space, or choose "
        "another folder"
    )
    assert list(small_disk.iterdir()) == []


def test_faults_by_what_pip_says() -> None:
    """Words of pip that are hard to bring about here."""

    def line(*said: str, source: Source = Source(), log: str = "") -> str:  # noqa: B008
        return faults.pip_fault("datasetnerf", source, "3.14.0", Path("/env"), 1, said, log)

    full = "/env: expected room for the engine and torch, found the disk full"
    assert line("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device").startswith(full)
    assert line("OSError: [WinError 112] There is not enough space on the disk").startswith(full)
    retried = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'"
    many = ["Collecting a"] * 20
    assert "no connection" in line(retried, "ERROR: No matching distribution found for datasetnerf")
    assert "expected pip to install it, it ended with 1" in line(retried, *many, "error: subprocess-exited-with-error")
    assert "no connection" in line(*many, "pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.")
    assert "no connection" not in line("getaddrinfo failed", source=Source("FOLDER", wheel_folder="/w"))
    assert "a certificate that this computer trusts" in line("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))")
    assert "expected packages, it answers 503; try again" in line("HTTPError: 503 Server Error: Service Unavailable for url: x")
    other = (
        "ERROR: Ignored the following versions that require a different python version: 0.1.0 Requires-Python <3.14",
        "ERROR: Could not find a version that satisfies the requirement datasetnerf (from versions: none)",
        "ERROR: No matching distribution found for datasetnerf",
    )
    assert line(*other).startswith(
        "datasetnerf: expected one for Python 3.14.0 on this computer in the package index, found none"
    )
    assert "/env: expected a folder that can be written to" in line("error: [Errno 13] Permission denied: '/env/x'")


def test_progress_by_what_pip_says() -> None:
    output = PipOutput()
    assert output.progress(0, 0, 0) == ("looking for packages", 0.0)
    output.hear("Collecting torch>=2.4 (from datasetnerf)")
    assert output.progress(0, 0, 0) == ("looking for torch", 0.0)
    output.hear("  Downloading https://host/files/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl (200.0 MB)")
    assert output.progress(50_000_000, 0, 0) == ("downloading torch (file 1): 50 of 200 MB", 0.25)
    output.hear("     Retrying (Retry(total=4, connect=None)) after connection broken by 'ReadTimeoutError'")
    assert output.progress(0, 0, 0)[0] == "the connection broke; trying again"
    output.hear("  Downloading torch-2.13.0-cp311-cp311-win_amd64.whl.metadata (28 kB)")
    assert output.progress(0, 0, 0)[0] == "the connection broke; trying again", "a file of facts is no download to show"
    output.hear("Processing c:\\wheels\\numpy-2.3.5-cp311-cp311-win_amd64.whl (from datasetnerf)")
    assert output.progress(0, 0, 0)[0] == "looking for numpy"
    output.hear("Installing collected packages: mpmath, numpy, torch, datasetnerf")
    assert output.progress(0, 1, 12_000_000) == ("installing: 1 of 4 packages, 12 MB", 0.25)
    assert output.progress(0, -1, 0)[1] == 0.0 and output.progress(0, 9, 0)[1] == 1.0


def test_a_folder_that_pip_removes_while_it_is_looked_at_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("pip-unpack-a", 3), ("pip-unpack-b", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.whl").write_bytes(bytes(size))
        os.utime(tmp_path / name / "a.whl", (size, size))
    assert newest_file_bytes(tmp_path) == 5
    glob = Path.glob

    def glob_and_remove(folder: Path, pattern: str) -> list[Path]:
        found = list(glob(folder, pattern))
        shutil.rmtree(tmp_path / "pip-unpack-b")
        return found

    monkeypatch.setattr(Path, "glob", glob_and_remove)
    assert newest_file_bytes(tmp_path) == 3
