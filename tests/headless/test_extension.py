"""`dnerf-headless extension`: the zip that Blender installs, and the two wheels inside it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import dnerf_core
from dnerf_core.errors import UsageError
from headless.cli import run
from headless.work import engine_wheel, extension_build
from tests.core.test_imports import CARRIED_MODULES, ROOT


@pytest.fixture(scope="module")
def extension() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(extension_build.extension_archive()))


def wheel_of(extension: zipfile.ZipFile) -> zipfile.ZipFile:
    manifest = tomllib.loads(extension.read("blender_manifest.toml").decode())
    (named,) = manifest["wheels"]
    return zipfile.ZipFile(io.BytesIO(extension.read(named.removeprefix("./"))))


def test_the_manifest_is_the_one_at_the_top_level(extension: zipfile.ZipFile) -> None:
    top = (ROOT / "blender_manifest.toml").read_text()
    assert extension_build.manifest_text() == top
    inside = tomllib.loads(extension.read("blender_manifest.toml").decode())
    assert {key: value for key, value in inside.items() if key != "wheels"} == tomllib.loads(top)


def test_every_file_of_the_addon_is_in_it_and_nothing_else(extension: zipfile.ZipFile) -> None:
    addon = ROOT / "blender_addon"
    sources = {p.relative_to(addon).as_posix() for p in addon.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    carried = {f"wheels/{extension_build.WHEEL_NAME}", f"engine/{engine_wheel.WHEEL_NAME}"}
    assert set(extension.namelist()) == sources | {"blender_manifest.toml"} | carried


def test_the_wheel_carries_what_needs_no_torch(extension: zipfile.ZipFile) -> None:
    wheel = wheel_of(extension)
    assert {name for name in wheel.namelist() if not name.startswith("datasetnerf_core")} == {
        f"dnerf_core/{name}" for name in extension_build.carried_files()
    }


@pytest.mark.parametrize("which", ["core", "engine"])
def test_the_wheels_record_is_right(extension: zipfile.ZipFile, which: str) -> None:
    engine = io.BytesIO(extension.read(f"engine/{engine_wheel.WHEEL_NAME}"))
    wheel = wheel_of(extension) if which == "core" else zipfile.ZipFile(engine)
    (record,) = (name for name in wheel.namelist() if name.endswith("/RECORD"))
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(wheel.read(record).decode()))}
    assert rows.pop(record) == ("", "")
    assert set(rows) == set(wheel.namelist()) - {record}
    for name, (digest, size) in rows.items():
        data = wheel.read(name)
        expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={expected}", str(len(data))), name


def test_pip_installs_the_wheel_and_it_loads_without_the_package(extension: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel = tmp_path / extension_build.WHEEL_NAME
    wheel.write_bytes(extension.read(f"wheels/{wheel.name}"))
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True, timeout=120, cwd=tmp_path)
    code = "import importlib, sys; sys.path.insert(0, sys.argv[1]); import dnerf_core.camera as c, dnerf_core.labels as l; "
    code += f"[importlib.import_module(name) for name in {CARRIED_MODULES}]; "
    code += "print(c.__file__, c.Camera.__name__, l.SHAPENET_CAR_LABELS.num_classes, 'torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-I", "-c", code, str(target)], capture_output=True, text=True, check=True, timeout=120, cwd=tmp_path
    ).stdout.split()
    assert found == [str(target / "dnerf_core" / "camera.py"), "Camera", "5", "False"]


def test_pip_installs_the_engine_with_all_its_files_and_its_command(extension: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel = tmp_path / engine_wheel.WHEEL_NAME
    wheel.write_bytes(extension.read(f"engine/{wheel.name}"))
    target = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(pip, check=True, timeout=120, cwd=tmp_path)
    for package in ("dnerf_core", "headless", "blender_addon"):
        folders = (target / package, ROOT / package)
        one, other = (
            {p.relative_to(f): p for p in f.rglob("*") if p.is_file() and "__pycache__" not in p.parts} for f in folders
        )
        assert one.keys() == other.keys()
        assert all(path.read_bytes() == other[name].read_bytes() for name, path in one.items())
    command = target / "bin" / "dnerf-headless"
    environment = {**os.environ, "PYTHONPATH": str(target)}
    found = subprocess.run(
        [command, "--version"], env=environment, capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert dnerf_core.__version__ in found
    metadata = (target / f"datasetnerf-{dnerf_core.__version__}.dist-info" / "METADATA").read_text("utf-8")
    assert "Requires-Dist: torch" in metadata


def test_the_record_that_a_build_leaves_among_sources_is_passed_over(
    extension: zipfile.ZipFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`pip install .` leaves a .egg-info in the folder, which Python finds first where it is started there."""
    left = tmp_path / "datasetnerf.egg-info"
    left.mkdir()
    (left / "PKG-INFO").write_text(f"Metadata-Version: 2.4\nName: datasetnerf\nVersion: {dnerf_core.__version__}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert engine_wheel.engine_wheel() == extension.read(f"engine/{engine_wheel.WHEEL_NAME}")


def test_without_pips_record_the_extension_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_wheel, "PROJECT", "datasetnerf-of-nobody")
    with pytest.raises(
        UsageError, match="expected datasetnerf-of-nobody installed by pip, which knows what it needs, found no record of it"
    ):
        extension_build.extension_archive()
    monkeypatch.undo()
    monkeypatch.setattr(engine_wheel, "__version__", "9.9.9")
    with pytest.raises(
        UsageError, match=rf"expected pip's record of datasetnerf 9\.9\.9, found one of {dnerf_core.__version__}; install"
    ):
        extension_build.extension_archive()


def test_the_same_sources_give_the_same_bytes() -> None:
    assert extension_build.extension_archive() == extension_build.extension_archive()


def test_the_command_writes_the_file_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "made" / "here"
    assert run(["extension", "--output", str(folder), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    (path,) = folder.iterdir()
    assert path.name == f"datasetnerf-{dnerf_core.__version__}.zip"
    assert (summary["path"], summary["bytes"]) == (str(path), path.stat().st_size)
    assert path.read_bytes() == extension_build.extension_archive()


def test_an_extension_that_blenders_tool_refuses_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "tool.py"
    tool.write_text("import sys; print('no tagline'); sys.exit(1)")
    monkeypatch.setattr(extension_build, "blender_tool", lambda: tool)
    with pytest.raises(Exception, match=r"its tool says: no tagline; install datasetnerf again"):
        extension_build.build_extension(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom a read-only folder stops")
def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert run(["extension", "--output", str(tmp_path / "out")]) == 1
    assert "choose a folder you can write to" in capsys.readouterr().err


def test_a_file_in_the_folders_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").touch()
    assert run(["extension", "--output", str(tmp_path / "out")]) == 1
    assert "expected to write" in capsys.readouterr().err
