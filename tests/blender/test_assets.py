"""Subjects as assets: what Make Asset makes, that it comes along into other files, and that Use This Subject trusts none of them."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.test_operators import failed, finished  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)


def make(session: ModuleType, seed: int = 3) -> Any:
    settings = bpy.context.scene.dnerf
    settings.seed, settings.cloud_views, settings.cloud_points = seed, 3, 2000
    finished(session, bpy.ops.dnerf.make_asset())
    return bpy.data.objects[f"subject s{seed:04d}"]


def thumbnail(item: Any) -> np.ndarray:
    """The picture that the asset browser shows, uint8 [H, W, 3]."""
    width, height = item.preview.image_size
    pixels = np.empty(4 * width * height, np.float32)
    item.preview.image_pixels_float.foreach_get(pixels)
    return np.rint(255 * pixels).astype(np.uint8).reshape(height, width, 4)[::-1, :, :3]


def bring(path: Path, name: str) -> Any:
    """Drop an asset of another file into this one, as appending it does."""
    with bpy.data.libraries.load(str(path), assets_only=True) as (there, here):
        assert name in there.objects
        here.objects = [name]
    (item,) = here.objects
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    return item


def test_an_asset_is_a_cloud_with_the_subjects_picture(session: ModuleType, tmp_path: Path) -> None:
    from blender_addon.scene.clouds import cloud_labels, read_cloud
    from tests.blender.test_operators import run_engine

    before = len(bpy.context.scene.objects)
    item = make(session)
    assert len(bpy.context.scene.objects) == before and not item.users_collection and item.parent is None
    assert item.asset_data is not None and item.use_fake_user
    assert item.asset_data.description.startswith("demo-cars, seed 3, truncation 1: a point cloud of ")
    tags = {tag.name for tag in item.asset_data.tags}
    assert tags == {"DatasetNeRF", "demo-cars", "hood", "roof", "wheels", "other"}
    assert len(read_cloud(item)) == 2000 and cloud_labels(item).names[1:] == ("hood", "roof", "wheels", "other")
    command = ["-m", "headless.cli", "render", "--seeds", "3", "--views", "1", "--yaw", "0", "--device", "cpu"]
    run_engine(tmp_path, *command, "-o", str(tmp_path / "cli"))
    (reference,) = (tmp_path / "cli" / "images").iterdir()
    from PIL import Image

    with Image.open(reference) as picture:
        np.testing.assert_array_equal(thumbnail(item), np.asarray(picture))


def test_made_again_it_takes_the_place_of_its_earlier_one(session: ModuleType) -> None:
    make(session)
    make(session)
    make(session, 4)
    assets = [item.name for item in bpy.data.objects if item.asset_data is not None]
    assert sorted(assets) == ["subject s0003", "subject s0004"]
    bpy.context.scene.collection.objects.link(bpy.data.objects["subject s0003"])
    bpy.context.scene.dnerf.seed = 3
    finished(session, bpy.ops.dnerf.make_asset())
    assert len([item for item in bpy.data.objects if item.asset_data is not None]) == 3, "one that a scene shows stays"


def test_dropped_into_another_file_it_brings_its_cloud_and_its_subject(session: ModuleType, tmp_path: Path) -> None:
    from blender_addon.scene.clouds import hide_part, is_cloud

    make(session)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    settings = bpy.context.scene.dnerf
    settings.seed, settings.truncation, settings.embedded_model = 11, 0.5, "demo-people"
    assert not bpy.ops.dnerf.use_subject.poll()
    item = bring(tmp_path / "library.blend", "subject s0003")
    assert is_cloud(item) and hide_part(item, 2) > 0
    assert (settings.seed, settings.embedded_model) == (11, "demo-people"), "dropping changes no setting"
    assert finished(session, bpy.ops.dnerf.use_subject()) == "demo-cars, seed 3, truncation 1: the scene's subject now"
    assert (settings.seed, settings.truncation, settings.embedded_model) == (3, 1.0, "demo-cars")
    item["dnerf_source"] = item["dnerf_source"].replace('"seed": 3', '"seed": 5')
    bpy.ops.dnerf.use_subject()
    assert settings.seed == 5 and session.current().job is None, "the model is known already"


def test_a_subject_file_and_a_model_file_are_found_again(session: ModuleType, small_model: Path, tmp_path: Path) -> None:
    settings = bpy.context.scene.dnerf
    subject = tmp_path / "three.safetensors"
    subject.write_bytes(small_model.with_name("three.safetensors").read_bytes())
    settings.model_kind, settings.model_path, settings.subject_file = "FILE", str(small_model), str(subject)
    settings.cloud_views, settings.cloud_points = 3, 500
    finished(session, bpy.ops.dnerf.make_asset())
    item = bpy.data.objects["subject three"]
    assert "subject file three.safetensors" in item.asset_data.description
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    settings.model_kind, settings.subject_file = "EMBEDDED", ""
    finished(session, bpy.ops.dnerf.use_subject())
    assert (settings.model_kind, settings.model_path, settings.subject_file) == ("FILE", str(small_model), str(subject))
    settings.subjects_folder = str(tmp_path / "new")
    (tmp_path / "new").mkdir()
    moved = subject.rename(tmp_path / "new" / subject.name)
    settings.subject_file = ""
    finished(session, bpy.ops.dnerf.use_subject())
    assert settings.subject_file == str(moved), "the folder of new files is looked at, too"
    moved.unlink()
    with pytest.raises(RuntimeError, match=r"subject: expected its file at .*, found none; copy it there"):
        bpy.ops.dnerf.use_subject()


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": -1},
        {"seed": "3"},
        {"seed": True},
        {"truncation": "much"},
        {"truncation": 1e9},
        {"truncation": float("nan")},
        {"model": 3},
        {"script": "import os"},
    ],
)
def test_what_a_file_says_is_checked(session: ModuleType, changed: dict[str, Any]) -> None:
    item = marked({"model": "demo-cars", "model_name": "demo-cars", "model_sha256": "0", **changed})
    before = bpy.context.scene.dnerf.seed, bpy.context.scene.dnerf.model_kind
    with pytest.raises(RuntimeError, match="expected the property dnerf_source as Make Asset wrote it"):
        bpy.ops.dnerf.use_subject()
    item["dnerf_source"] = "[" * 3000
    with pytest.raises(RuntimeError, match="expected the property dnerf_source as Make Asset wrote it"):
        bpy.ops.dnerf.use_subject()
    assert (bpy.context.scene.dnerf.seed, bpy.context.scene.dnerf.model_kind) == before


@pytest.mark.parametrize(
    "path", ["//server/share/m.safetensors", r"\\server\share\m.safetensors", "m.safetensors", "/etc/passwd", "/"]
)
def test_a_path_of_another_computer_or_of_another_kind_is_not_opened(session: ModuleType, path: str) -> None:
    marked({"model": path, "model_name": "m", "model_sha256": "0"})
    with pytest.raises(RuntimeError, match="model m: expected its file at"):
        bpy.ops.dnerf.use_subject()
    marked({"model": "demo-cars", "model_name": "m", "model_sha256": "0", "subject_file": path})
    with pytest.raises(RuntimeError, match="subject: expected its file at"):
        bpy.ops.dnerf.use_subject()
    assert bpy.context.scene.dnerf.subject_file == ""


def marked(source: dict[str, Any]) -> Any:
    """An active object that says this of itself."""
    item = bpy.data.objects.new("dropped", None)
    item["dnerf_source"] = json.dumps(source)
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    return item


def test_a_model_that_has_gone_ends_the_job(session: ModuleType, small_model: Path, tmp_path: Path) -> None:
    settings = bpy.context.scene.dnerf
    settings.model_kind, settings.model_path = "FILE", str(small_model)
    settings.subject_file = str(tmp_path / "three.safetensors")
    Path(settings.subject_file).write_bytes(b"no subject")
    assert "three.safetensors" in failed(session, bpy.ops.dnerf.make_asset())
    assert not any(item.asset_data for item in bpy.data.objects)
