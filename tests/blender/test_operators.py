"""Operators under pip's bpy with a real worker: what they make equals what the scene code and the engine make."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import ENGINE_PYTHON, REPOSITORY, interpreter_script  # noqa: E402
from tests.blender.painted import paint  # noqa: E402
from tests.blender.warm_engine import WarmEngine  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)


@pytest.fixture
def settings(session: ModuleType, tmp_path: Path) -> bpy.types.PropertyGroup:
    found = bpy.context.scene.dnerf
    found.views_folder = str(tmp_path / "views")
    found.video_folder = str(tmp_path / "videos")
    found.annotation_folder = str(tmp_path / "annotations")
    found.pack_views = True  # the views as images that tests look at
    return found


def finished(session: ModuleType, result: set[str], timeout_s: float = 120.0) -> str:
    """Wait for the job that a button began; returns the status line of its good end."""
    assert result == {"FINISHED"}
    current = session.current()
    assert current.wait(timeout_s), "the job did not end"
    assert current.level == "INFO", current.status
    return str(current.status)


def failed(session: ModuleType, result: set[str], timeout_s: float = 120.0) -> str:
    """The same for a job that ends otherwise."""
    assert result == {"FINISHED"}
    current = session.current()
    assert current.wait(timeout_s), "the job did not end"
    assert current.level != "INFO", current.status
    return str(current.status)


def pixels(image: bpy.types.Image) -> np.ndarray:
    from blender_addon.scene.views import image_to_array

    return image_to_array(image)[..., :3]


def test_load_model_fills_the_panel(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.model_facts import known_facts

    assert known_facts(bpy.context.scene) is None
    assert finished(session, bpy.ops.dnerf.load_model()) == "demo-cars: 256 px, 4 labels"
    facts = known_facts(bpy.context.scene)
    assert facts is not None and facts.labels is not None
    assert facts.labels.names == ("background", "hood", "roof", "wheels", "other")
    settings.model_kind = "FILE"
    assert known_facts(bpy.context.scene) is None, "what was said of another model"


def test_placed_cameras_are_the_engines(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.model_facts import known_facts
    from blender_addon.scene.cameras import read_camera
    from dnerf_core.camera import arc_cameras

    settings.camera_count, settings.own_pitch = 4, False
    settings.pitch_first_deg, settings.pitch_last_deg = 5.0, 25.0
    assert finished(session, bpy.ops.dnerf.place_cameras()).startswith("4 cameras placed")
    facts = known_facts(bpy.context.scene)
    expected = arc_cameras(facts.cameras, (-30.0, 30.0), (5.0, 25.0), count=4)
    placed = sorted(bpy.data.collections["DatasetNeRF cameras"].objects, key=lambda item: item.name)
    for item, camera in zip(placed, expected, strict=True):
        found = read_camera(item, bpy.context.scene, world_up=facts.cameras.world_up)
        assert (found.width_px, found.height_px) == (256, 256)
        np.testing.assert_allclose(found.camera.cam2world, camera.cam2world, atol=1e-5)
        np.testing.assert_allclose(found.camera.intrinsics, camera.intrinsics, atol=1e-5)


def test_the_views_are_the_engines_pixel_by_pixel(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    settings.seed, settings.camera_count, settings.want_depth = 3, 2, True
    finished(session, bpy.ops.dnerf.render_views())
    names = ["s0003_v00", "s0003_v01"]
    command = ["-m", "headless.cli", "render", "--seeds", "3", "--views", "2", "--device", "cpu", "--masks", "palette"]
    run_engine(tmp_path, *command, "-o", str(tmp_path / "cli"))
    for name in names:
        reference = bpy.data.images.load(str(tmp_path / "cli" / "images" / f"{name}.png"))
        np.testing.assert_array_equal(pixels(bpy.data.images[name]), pixels(reference))
        saved = (tmp_path / "views" / "masks" / f"{name}.png").read_bytes()
        mask = bpy.data.images.load(str(tmp_path / "cli" / "masks" / f"{name}.png"))
        np.testing.assert_array_equal(pixels(bpy.data.images[f"{name} labels"]), pixels(mask))
        assert saved[:4] == b"\x89PNG" and saved[24:26] == b"\x08\x00"  # 8 bits, gray: ids
    cameras = json.loads((tmp_path / "views" / "cameras.json").read_text())
    assert [view["name"] for view in cameras["views"]] == names


def test_any_shape_and_a_shifted_lens_is_cut_out_of_the_square(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    finished(session, bpy.ops.dnerf.place_cameras())
    scene = bpy.context.scene
    settings.view_source, settings.want_depth = "ACTIVE", False
    finished(session, bpy.ops.dnerf.render_views())
    (whole,) = [image for image in bpy.data.images if image.name.endswith("v00")]
    square = pixels(whole)
    # the middle half of the height: the same lens over the same width
    scene.render.resolution_x, scene.render.resolution_y = 256, 128
    finished(session, bpy.ops.dnerf.render_views())
    (whole,) = [image for image in bpy.data.images if image.name.endswith("v00")]
    assert tuple(whole.size) == (256, 128)
    difference = np.abs(pixels(whole).astype(int) - square[64:192].astype(int))
    assert difference.max() <= 2, "the same rays up to Blender's single precision"
    scene.camera.data.type = "ORTHO"
    assert "expected a perspective camera" in failed(session, bpy.ops.dnerf.render_views())


def test_the_cloud_is_the_commands(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    from blender_addon.scene.clouds import read_cloud

    settings.seed = 3
    finished(session, bpy.ops.dnerf.fuse_cloud())
    found = read_cloud(bpy.context.active_object)
    run_engine(
        tmp_path,
        "-m",
        "headless.cli",
        "pointcloud",
        "--seeds",
        "3",
        "--format",
        "npz",
        "--device",
        "cpu",
        "-o",
        str(tmp_path / "cli"),
    )
    with np.load(next((tmp_path / "cli").rglob("*.npz"))) as expected:
        assert len(found) == len(expected["points"])
        np.testing.assert_allclose(found.points, expected["points"], atol=1e-6)
        np.testing.assert_array_equal(found.labels, expected["labels"])
        np.testing.assert_array_equal(found.colors, expected["colors"])
        np.testing.assert_allclose(found.confidence, expected["confidence"])


def test_the_clouds_buttons(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    from blender_addon.scene.clouds import hidden_parts, shows_parts

    settings.cloud_views, settings.cloud_points = 4, 2000
    finished(session, bpy.ops.dnerf.fuse_cloud())
    item = bpy.context.active_object
    assert len(item.data.vertices) <= 2000
    assert bpy.ops.dnerf.hide_part(part_id=3) == {"FINISHED"} and hidden_parts(item) == {3}
    assert bpy.ops.dnerf.hide_part(part_id=3) == {"FINISHED"} and hidden_parts(item) == set()
    assert bpy.ops.dnerf.select_part(part_id=3) == {"FINISHED"} and item.mode == "EDIT"
    assert bpy.ops.dnerf.cloud_colors(part_colors=False) == {"FINISHED"} and not shows_parts(item)
    settings.export_path = str(tmp_path / "cloud.ply")
    assert bpy.ops.dnerf.export_cloud() == {"FINISHED"} and item.mode == "OBJECT"
    assert (tmp_path / "cloud.ply").read_bytes().startswith(b"ply\nformat binary_little_endian")
    settings.export_path = str(tmp_path / "cloud.obj")
    with pytest.raises(RuntimeError, match=r"expected a name that ends in \.ply or \.npz"):
        bpy.ops.dnerf.export_cloud()
    assert bpy.ops.dnerf.separate_parts() == {"FINISHED"}
    assert len(bpy.context.selected_objects) == 4
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.dnerf.hide_part.poll()


def test_cancel_ends_the_job_and_the_next_click_works(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.camera_count = 200
    assert bpy.ops.dnerf.render_views() == {"FINISHED"}
    assert not bpy.ops.dnerf.render_views.poll(), "one job at a time"
    current = session.current()
    end = time.monotonic() + 60
    while not current.job.done and time.monotonic() < end:
        current.poll()
        time.sleep(0.005)
    assert current.job.done
    assert bpy.ops.dnerf.cancel() == {"FINISHED"}
    assert current.wait(30) and current.level == "CANCELLED" and current.status == "Rendering views: cancelled"
    assert not bpy.ops.dnerf.cancel.poll()
    settings.camera_count = 1
    assert "1 view in" in finished(session, bpy.ops.dnerf.render_views())


def test_a_worker_killed_in_its_job_is_told_and_replaced(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.camera_count = 200
    assert bpy.ops.dnerf.render_views() == {"FINISHED"}
    current = session.current()
    end = time.monotonic() + 60
    while not current.job.done and time.monotonic() < end:
        current.poll()
        time.sleep(0.005)
    os.kill(current.client.pid, signal.SIGKILL)
    assert current.wait(30)
    assert current.level == "ERROR" and current.status.endswith("memory runs out; the next click starts a new worker"), (
        current.status
    )
    assert current.status.count(";") == 1, "one remedy"
    assert current.worker_state == "lost"
    settings.camera_count = 1
    finished(session, bpy.ops.dnerf.render_views())


def test_restart_gives_a_new_worker(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    finished(session, bpy.ops.dnerf.load_model())
    before = session.current().client.pid
    assert "worker ready: datasetnerf" in finished(session, bpy.ops.dnerf.restart_worker())
    assert session.current().client.pid != before


def test_another_file_drops_what_was_asked_for(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.camera_count = 50
    assert bpy.ops.dnerf.render_views() == {"FINISHED"}
    current = session.current()
    pid = current.client.pid
    bpy.ops.wm.read_homefile()
    assert current.client is None and current.job is None
    assert current.status == "Rendering views: stopped, because another file was opened; start it again in the file it belongs to"
    assert not [image for image in bpy.data.images if image.name.startswith("s0000")]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    finished(session, bpy.ops.dnerf.load_model())


def test_what_a_file_keeps(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    from blender_addon.model_facts import known_facts

    finished(session, bpy.ops.dnerf.load_model())
    settings.seed, settings.truncation, settings.camera_count, settings.views_folder = 42, 0.5, 9, "//views"
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile()
    assert bpy.context.scene.dnerf.seed == 0
    bpy.ops.wm.open_mainfile(filepath=str(path))
    found = bpy.context.scene.dnerf
    assert (found.seed, found.truncation, found.camera_count, found.views_folder) == (42, 0.5, 9, "//views")
    facts = known_facts(bpy.context.scene)
    assert facts is not None and facts.name == "demo-cars"
    assert session.current().client is None, "opening a file starts nothing"
    found.camera_count = 1
    finished(session, bpy.ops.dnerf.render_views())
    assert (tmp_path / "views" / "images" / "s0042_v00.png").is_file()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_kind": "FILE"}, "model: expected a model file, found no path; choose a .safetensors file"),
        ({"model_kind": "FILE", "model_path": "/gone.safetensors"}, "expected a file at /gone.safetensors, found none"),
        ({"views_folder": ""}, "views: save to: expected a path, found none; choose one"),
        ({"views_folder": "//views"}, "expected a saved .blend file for '//views', found an unsaved one"),
        ({"views_folder": "/proc/nowhere"}, "/proc/nowhere: expected to"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_starts(
    session: ModuleType, settings: bpy.types.PropertyGroup, values: dict[str, str], message: str
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.dnerf.render_views()
    assert message in str(caught.value)
    assert session.current().client is None and not session.busy()


def test_no_selected_camera_ends_the_job_with_its_line(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.view_source = "SELECTED"
    for item in bpy.context.scene.objects:
        item.select_set(False)
    assert failed(session, bpy.ops.dnerf.render_views()).startswith("cameras: expected selected cameras, found none selected")


def test_the_seed_steps_within_its_range(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    bpy.ops.dnerf.step_seed(step=-1)
    assert settings.seed == 0
    bpy.ops.dnerf.step_seed(step=1)
    assert settings.seed == 1
    seeds = set()
    for _ in range(5):
        bpy.ops.dnerf.random_seed()
        seeds.add(settings.seed)
    assert len(seeds) > 1


@pytest.mark.parametrize(
    ("interpreter", "message"),
    [
        ("/nowhere/python", "/nowhere/python"),
        ("without datasetnerf", "datasetnerf"),
        ("of another version", "expected a worker of protocol 1, found 0"),
    ],
)
def test_an_interpreter_that_does_not_serve(
    session: ModuleType,
    settings: bpy.types.PropertyGroup,
    warm_engine: WarmEngine,
    tmp_path: Path,
    interpreter: str,
    message: str,
) -> None:
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    if interpreter == "without datasetnerf":
        script = tmp_path / "bare-python"
        script.write_text(f'#!/bin/sh\nexec "{ENGINE_PYTHON}" -I -S "$@"\n')
        script.chmod(0o755)
        preferences.interpreter = str(script)
    elif interpreter == "of another version":
        script = tmp_path / "old-python"
        greeting = '{"jsonrpc": "2.0", "method": "ready", "params": {"protocol": 0, "version": "0.0.1"}}'
        script.write_text(f"#!/bin/sh\necho '{greeting}'\nexec sleep 5\n")
        script.chmod(0o755)
        preferences.interpreter = str(script)
    else:
        preferences.interpreter = interpreter
    try:
        line = failed(session, bpy.ops.dnerf.load_model())
    except RuntimeError as error:
        line = str(error)
    assert message in line, line
    preferences.interpreter = str(warm_engine.script(tmp_path))
    finished(session, bpy.ops.dnerf.load_model())


OUT_OF_MEMORY = """#!/bin/sh
exec "{python}" -c '
import json, sys
def say(**message): print(json.dumps(dict(jsonrpc="2.0", **message)), flush=True)
say(method="ready", params={{"protocol": 1, "version": "0", "torch": "0", "device": "cuda", "device_name": "GPU"}})
for line in sys.stdin:
    say(id=json.loads(line)["id"], error=dict(code=4, message="GPU: expected free memory, found none; render smaller views"))
'
"""


def test_a_gpu_out_of_memory_is_told_and_the_worker_stays(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    script = tmp_path / "small-gpu"
    script.write_text(OUT_OF_MEMORY.format(python=ENGINE_PYTHON))
    script.chmod(0o755)
    bpy.context.preferences.addons["blender_addon"].preferences.interpreter = str(script)
    line = failed(session, bpy.ops.dnerf.render_views())
    assert line == "GPU: expected free memory, found none; render smaller views"
    assert session.current().worker_state == "ready" and bpy.ops.dnerf.render_views.poll()


TWO = """
import sys
from pathlib import Path
import bpy
from tests.blender.addon import enabled_addon
with enabled_addon(Path(sys.argv[1])) as session:
    bpy.context.scene.dnerf.camera_count = 2
    bpy.context.scene.dnerf.views_folder = sys.argv[2]
    bpy.ops.dnerf.render_views()
    assert session.current().wait(120)
    print(session.current().level, session.current().status)
"""


def test_two_blenders_at_once(tmp_path: Path) -> None:
    python = str(interpreter_script(tmp_path))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, python, str(tmp_path / name)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for name in ("first", "second")
    ]
    for process, name in zip(started, ("first", "second"), strict=True):
        said, _ = process.communicate(timeout=200)
        assert "INFO 2 views in" in said
        assert len(list((tmp_path / name / "images").iterdir())) == 2


def test_annotating_from_sample_to_model(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    from blender_addon.annotation_list import annotation_labels, mask_path, read_mask
    from blender_addon.model_facts import known_facts
    from blender_addon.painting.mask_files import open_view_mask
    from blender_addon.scene.annotation import ids_of

    scene = bpy.context.scene
    settings.annotation_subjects, settings.annotation_views = 1, 3
    assert finished(session, bpy.ops.dnerf.sample_views()) == "3 views, 3 still to paint"
    finished(session, bpy.ops.dnerf.render_views())
    labels = annotation_labels(scene)
    truth = ids_of(bpy.data.images["s0000_v01 labels"], labels).ids
    settings.annotation_index = 1
    with pytest.raises(RuntimeError, match="expected its mask to be open for painting"):
        bpy.ops.dnerf.save_mask()
    image = open_view_mask(scene, "s0000_v01")
    paint(image, truth, labels)
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"}
    np.testing.assert_array_equal(read_mask(mask_path(scene, "s0000_v01"), labels), truth)
    image.pixels[4 * 256 * 128 + 4 * 128] = 0.5
    with pytest.raises(RuntimeError, match="expected only the label set's colours"):
        bpy.ops.dnerf.save_mask()
    assert bpy.ops.dnerf.save_mask(repair=True) == {"FINISHED"}
    assert session.current().status == "s0000_v01: mask saved, 1 pixel repaired; 2 views still to paint"
    line = finished(session, bpy.ops.dnerf.prefill())
    assert line.startswith("2 views prefilled: ") and "of them rightly; paint what is white" in line
    assert [item.painted for item in settings.annotation_items] == [True, True, True]
    assert finished(session, bpy.ops.dnerf.open_annotations()) == "3 views, 0 still to paint"
    settings.trained_path, settings.training_steps = str(tmp_path / "new.safetensors"), 3
    assert "it is the model now" in finished(session, bpy.ops.dnerf.train(), 300)
    assert (settings.model_kind, settings.model_path) == ("FILE", str(tmp_path / "new.safetensors"))
    assert known_facts(scene) is not None
    (tmp_path / "new.safetensors").unlink()
    with pytest.raises(RuntimeError, match=r"expected a file at .*new\.safetensors, found none; choose the model file again"):
        bpy.ops.dnerf.render_views()


def test_a_label_video_of_a_wide_scene(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.frame_end = 3
    finished(session, bpy.ops.dnerf.animate_camera())
    scene.render.resolution_x, scene.render.resolution_y = 192, 108
    assert "3 frames in" in finished(session, bpy.ops.dnerf.render_video())
    pictures = sorted((tmp_path / "videos").rglob("images/*.png"))
    assert len(pictures) == 3
    assert tuple(bpy.data.images.load(str(pictures[0])).size) == (192, 108)
    from blender_addon.interchange.strips import strips_of

    assert not len(strips_of(scene)), "unless it is asked for"


def run_engine(folder: Path, *arguments: str) -> None:
    """The command line of this repository on the engine's Python: in this process where it is that one, and has loaded torch."""
    if arguments[:2] == ("-m", "headless.cli") and sys.executable == ENGINE_PYTHON:
        from headless import cli

        assert cli.run(list(arguments[2:])) == 0
        return
    subprocess.run([str(interpreter_script(folder)), *arguments], check=True, timeout=180, capture_output=True)
