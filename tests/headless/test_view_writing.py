"""Views on their way into files: rendering does not wait for the disk, and folders of earlier versions go on."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.files import exr, pictures, whole
from dnerf_core.files.pictures import read_depth, read_image
from headless import cli
from tests.headless.fake_engine import FakeModel
from tests.headless.test_render import contents, render


def test_rendering_goes_on_while_a_file_waits_for_the_disk(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered, synced, waited = Event(), whole.os.fsync, []

    def seen() -> None:
        if len(fake_model.views_made) >= 2:
            rendered.set()

    def slow(descriptor: int) -> None:
        if fake_model.views_made:
            waited.append(rendered.wait(20))
        synced(descriptor)

    fake_model.before_view = seen
    monkeypatch.setattr(whole.os, "fsync", slow)
    assert render(tmp_path / "cars", "--workers", "1") == 0
    assert waited and all(waited), "the disk must not hold up the one thread that renders"


def test_a_disk_that_fails_ends_the_rendering(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(descriptor: int) -> None:
        if fake_model.views_made:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole.os, "fsync", broken)
    assert render(tmp_path / "cars", "--seeds", "0-99", "--workers", "1") != 0
    assert "No space left on device; free some space" in capsys.readouterr().err
    assert len(fake_model.views_made) < 20, "views that nobody can write are not made"
    monkeypatch.undo()


def pillows_png(array: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_folder_of_an_earlier_versions_files_goes_on(
    fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path / "new") == 0
    cars = tmp_path / "cars"
    with monkeypatch.context() as earlier:
        earlier.setattr(pictures, "rgb_png", pillows_png)
        earlier.setattr(pictures, "ids_png", pillows_png)
        earlier.setattr(exr, "_ZLIB_LEVEL", 4)
        assert render(cars, "--seeds", "0-1") == 0
    before = contents(cars)
    assert before["images/s0000_v00.png"] != contents(tmp_path / "new")["images/s0000_v00.png"]
    (cars / "masks" / "s0001_v00.png").unlink()
    fake_model.views_made.clear()
    assert render(cars, "--extend") == 0
    assert len(fake_model.views_made) == 3, "the view that lost its mask, and the two of the new subject"
    after = contents(cars)
    kept = [name for name in before if name.startswith(("images/", "depth/", "masks/s0000"))]
    assert len(kept) == 10 and all(after[name] == before[name] for name in kept)
    for kind in ("images", "masks", "depth"):
        read = read_depth if kind == "depth" else read_image
        for path in sorted((cars / kind).iterdir()):
            np.testing.assert_array_equal(read(path), read(tmp_path / "new" / kind / path.name))
    capsys.readouterr()
    assert cli.run(["render", "--seeds", "0-2", "--views", "2", "-o", str(cars), "--verify"]) == 0
    assert contents(cars) == after


def test_a_model_is_loaded_without_torchs_compiler() -> None:
    """It takes longer to import than a model to load; torch does so to draw random numbers on the meta device, or to divide there."""
    code = (
        "import sys; from headless.models import load_model; load_model('demo-cars', 'cpu'); load_model('demo-people', 'cpu'); "
        "print(*(name for name in ('torch._dynamo', 'sympy') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []
