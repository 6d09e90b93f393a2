"""The door of the library: names that come when they are used, and what each thing says of itself in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dnerf_core
from dnerf_core import Camera, Label, LabeledView, LabelSet, Model, PointCloud, arc_cameras
from headless.work.extension_build import CARRIED

ROOT = Path(__file__).resolve().parents[2]


def run_fresh(code: str, folder: Path) -> str:
    """Standard output of `code` in a new interpreter that starts in `folder`."""
    result = subprocess.run(
        [sys.executable, "-E", "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("name", dnerf_core.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(dnerf_core, name).__name__ == name
    assert name in dir(dnerf_core)


def test_the_table_of_places_is_what_type_checkers_read() -> None:
    assert sorted(dnerf_core._PLACES) == dnerf_core.__all__
    text = Path(dnerf_core.__file__).read_text()
    for place, names in dnerf_core._NAMES.items():
        assert f"from .{place} import {', '.join(names)}\n" in text


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'dnerf_core' has no attribute 'nothing'"):
        dnerf_core.nothing  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from dnerf_core import nothing  # type: ignore[attr-defined]  # noqa: F401


def test_a_name_loads_no_more_than_it_needs() -> None:
    code = "import sys\nfrom dnerf_core import Camera, LabelSet, PointCloud, fuse_views, UsageError, InversionSettings\n"
    code += "print('torch' in sys.modules)\nfrom dnerf_core import Model\nprint('torch' in sys.modules)"
    assert run_fresh(code, ROOT).split() == ["False", "True"]
    assert run_fresh("import sys, dnerf_core\ndir(dnerf_core)\nprint('numpy' in sys.modules)", ROOT) == "False"


def test_inside_the_extension_what_it_carries_is_there_and_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    inside = tmp_path / "extension" / "dnerf_core"
    inside.mkdir(parents=True)
    (inside.parent / "__init__.py").touch()
    for name in {"__init__.py", *CARRIED}:
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dnerf_core" / name, inside / name)
    code = "from extension.dnerf_core import Camera, LabelSet\nprint(Camera.__module__)\n"
    code += "try:\n    from extension.dnerf_core import Model\nexcept ImportError as error:\n    print(error)"
    carried, refused = run_fresh(code, tmp_path).splitlines()
    assert carried == "extension.dnerf_core.camera_pinhole"
    assert refused == (
        "extension.dnerf_core.Model: expected the whole engine, found: No module named 'extension.dnerf_core.model'; "
        "install datasetnerf, with torch"
    )


def test_what_things_say_of_themselves() -> None:
    model = Model.load("demo-cars")
    assert repr(model) == "Model(demo-cars, 256 x 256 px, labels background, hood, roof, wheels, other, on cpu)"
    assert repr(model.subject(3)) == "Subject(of demo-cars, latents 12 x 128, on cpu)"
    camera = model.front_camera()
    assert repr(camera) == "Camera(at (0, 0, 3.5), looking along (0, 0, -1), focal 1.707 x 1.707)"
    view = LabeledView(camera, np.zeros((4, 6, 3), np.uint8), None, np.ones((4, 6), np.float32))
    assert repr(view) == f"LabeledView(6 x 4 px, rgb, depth, {camera!r})"
    assert repr(LabelSet.from_names(["a", "b"])) == "LabelSet(background, a, b)"
    many = LabelSet.from_names([f"p{k}" for k in range(12)])
    assert repr(many) == "LabelSet(background, p0, p1, p2, p3, p4, p5, p6 and 5 more)"
    assert repr(Label(1, "a", (1, 2, 3))) == "Label(id=1, name='a', color=(1, 2, 3))"
    points, colors = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint8)
    assert repr(PointCloud(points, points, colors)) == "PointCloud(2 points, no labels, y up)"
    labels, sure = np.ones(2, np.uint8), np.ones(2, np.float32)
    assert repr(PointCloud(points, points, colors, labels, sure)) == "PointCloud(2 points, labels not named, y up)"
    named = PointCloud(points, points, colors, labels, sure, LabelSet.from_names(["a"]), "z")
    assert repr(named) == "PointCloud(2 points, labels background, a, z up)"


def test_reprs_are_one_short_line_without_arrays() -> None:
    for camera in arc_cameras(Model.load("demo-cars").config.cameras, (-30, 30), count=3):
        assert isinstance(camera, Camera) and "\n" not in repr(camera) and "array" not in repr(camera)
