"""Every button of the panel, pressed by the mouse in a real Blender; the worker runs on the Python of the tests.

The tests of this file go on from one another, as a user's day does: run the whole file.
"""

from __future__ import annotations

import itertools
import math
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

LEAST_UPDATES = 2
"""Of a preview that follows at all; how often it does is printed, and depends on what else the machine does."""
MANY_VIEWS = 3000
"""More than are rendered before they are cancelled, however fast the machine is."""
LONG_JOBS = itertools.count()


def finish(window: Window, timeout_s: float = 120.0) -> str:
    """Wait for the end of the job that a click began; returns the status line."""
    status = window.until("idle()", timeout_s)
    assert window.value("current().level") == "INFO", status
    return str(status)


def test_load_model(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.press("dnerf.load_model")
    assert finish(window) == "demo-cars: 256 px, 4 labels"
    window.screenshot("01-model")


def test_the_subjects_buttons(window: Window) -> None:
    forward = window.find("step_seed(step=1)", columns=(0.97, 0.93))
    window.click(*forward)
    window.until("bpy.context.scene.dnerf.seed == 1")
    time.sleep(0.6)  # or it is a double click
    window.click(*forward)
    window.until("bpy.context.scene.dnerf.seed == 2")
    window.press("step_seed(step=-1)", columns=(0.08,), top=forward[1] - 6)
    window.until("bpy.context.scene.dnerf.seed == 1")
    window.press("dnerf.random_seed", top=forward[1] + 6)
    window.until("bpy.context.scene.dnerf.seed != 1")
    window.learn_headers("live_preview", anew=True)
    assert {"cameras", "views", "video", "cloud", "mesh", "segment", "data_set", "composite", "edit", "annotate"} == {
        name.removeprefix("DNERF_PT_") for name in window.headers
    }


def test_cameras_and_undo(window: Window) -> None:
    with window.panel("DNERF_PT_cameras") as top:
        window.press("dnerf.place_cameras", top=top + 60)
        window.until("len(bpy.data.collections['DatasetNeRF cameras'].objects) == 3")
        window.screenshot("02-cameras")
        window.key("ctrl+z", at=(300, 600))
        window.until("'DatasetNeRF cameras' not in bpy.data.collections")
        window.press("dnerf.place_cameras", top=top + 60)
        window.until("len(bpy.data.collections['DatasetNeRF cameras'].objects) == 3")
        window.ask("bpy.context.scene.frame_end = 6")
        window.press("dnerf.animate_camera", top=top + 60)
        window.until("bpy.context.scene.camera.name == 'DatasetNeRF camera'")
    assert window.value("[bpy.context.scene.frame_start, bpy.context.scene.frame_end]") == [1, 6]


def test_views(window: Window, root: Root) -> None:
    window.ask("s = bpy.context.scene.dnerf; s.seed, s.camera_count, s.views_folder = 3, 2, '/job/views'")
    with window.panel("DNERF_PT_views") as top:
        window.press("dnerf.render_views", top=top + 60)
        assert "2 views in" in finish(window)
        assert window.value("sorted(item.name for item in bpy.context.scene.dnerf.view_items)") == ["s0003_v00", "s0003_v01"]
        window.press("show_view(kind='LABELS')", columns=(0.35,), top=top + 140)
        window.until("len(bpy.context.window_manager.windows) == 2")
        window.ask(
            "show = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.ui_type == 'IMAGE_EDITOR']"
        )
        assert window.value("show[0].spaces.active.image.name") == "s0003_v00 labels"
        time.sleep(0.5)
        window.screenshot("03-views")
        close_second_window(window)
    assert sorted(path.name for path in (root.job / "views" / "masks").iterdir()) == ["s0003_v00.png", "s0003_v01.png"]


def test_label_video(window: Window, root: Root) -> None:
    window.ask("s = bpy.context.scene.dnerf; s.video_folder, s.into_sequencer = '/job/videos', True")
    with window.panel("DNERF_PT_video") as top:
        window.press("dnerf.render_video", top=top + 20)
        assert finish(window).startswith("6 frames in")
    window.ask("strips = module('interchange.strips').strips_of(bpy.data.scenes['Scene edit'])")
    assert window.value("sorted((s.type, s.channel, s.frame_final_duration) for s in strips)") == [
        ["MOVIE", 1, 6],
        ["MOVIE", 2, 6],
    ]
    assert window.value("len(module('interchange.strips').strips_of(bpy.context.scene))") == 0
    assert len(list((root.job / "videos").rglob("masks/*.png"))) == 6
    assert list((root.job / "videos").rglob("*labels.mkv"))


def test_point_cloud(window: Window, root: Root) -> None:
    window.ask("s = bpy.context.scene.dnerf; s.seed, s.export_path = 3, '/job/cloud.npz'")
    with window.panel("DNERF_PT_cloud") as top:
        window.press("dnerf.fuse_cloud", top=top + 60)
        assert "points in" in finish(window)
        window.ask("view_area().spaces.active.region_3d.view_distance = 4")
        time.sleep(1.0)
        window.scroll(15)
        window.screenshot("04-cloud")
        window.press("cloud_colors(part_colors=False)", columns=(0.75,), top=450)
        item = "bpy.context.view_layer.objects.active"
        window.until(f"not module('scene.clouds').shows_parts({item})")
        window.press("cloud_colors(part_colors=True)", columns=(0.25,), top=450)
        hide = window.find("dnerf.hide_part(part_id=2)", columns=(0.9, 0.88), top=450)
        window.click(*hide)
        window.until(f"list(module('scene.clouds').hidden_parts({item})) == [2]")
        time.sleep(0.6)  # or it is a double click
        window.click(*hide)
        window.until(f"list(module('scene.clouds').hidden_parts({item})) == []")
        window.press("dnerf.select_part(part_id=2)", columns=(0.815, 0.83), top=hide[1] - 4)
        window.until(f"{item}.mode == 'EDIT'")
        window.press("dnerf.export_cloud", top=hide[1])
        window.until(f"{item}.mode == 'OBJECT'")
        with np.load(root.job / "cloud.npz") as cloud:
            assert len(cloud["points"]) > 1000
        window.press("dnerf.separate_parts", top=hide[1])
        window.until("len([o for o in bpy.context.scene.objects if o.name.startswith('cloud s0003 ')]) == 4")


def test_live_preview_follows(window: Window) -> None:
    window.ask("for item in [o for o in bpy.context.scene.objects if o.name.startswith('cloud')]: bpy.data.objects.remove(item)")
    window.press_property("live_preview")
    window.until("module('preview')._state.texture is not None", 60)
    updates = previews_while_orbiting(window)
    subjects = preview_of_new_subjects(window)
    time.sleep(1.0)
    window.screenshot("05-preview")
    window.press_property("live_preview")
    window.until("not bpy.context.scene.dnerf.live_preview")
    assert min(updates, subjects) >= LEAST_UPDATES


def previews_while_orbiting(window: Window) -> int:
    """How many previews come while the view orbits; how many that is a second is printed."""
    orbit = [(380 + int(150 * math.cos(step / 10)), 500 + int(60 * math.sin(step / 10))) for step in range(150)]
    window.ask("module('preview')._state.arrivals = []")
    began = time.monotonic()
    window.drag(orbit, button=2)
    took_s = time.monotonic() - began
    updates = int(window.value("len(module('preview')._state.arrivals)"))
    print(f"live preview while orbiting: {updates} updates in {took_s:.1f} s, {updates / took_s:.1f} a second")
    return updates


def preview_of_new_subjects(window: Window) -> int:
    """How many previews come while the seed changes all the time: for 3 seconds, longer where the machine is slow."""
    window.ask("module('preview')._state.arrivals = []")
    began, updates = time.monotonic(), 0
    while (took_s := time.monotonic() - began) < 3.0 or (took_s < 8.0 and updates < LEAST_UPDATES):
        window.ask("bpy.context.scene.dnerf.seed += 1")
        time.sleep(0.05)
        updates = int(window.value("len(module('preview')._state.arrivals)"))
    print(f"live preview of new subjects: {updates} updates in {took_s:.1f} s, {updates / took_s:.1f} a second")
    return updates


def test_annotate(window: Window, root: Root) -> None:
    window.ask("s = bpy.context.scene.dnerf; s.annotation_folder, s.trained_path = '/job/cars', '/job/cars.safetensors'")
    window.ask("s.annotation_subjects, s.training_steps, s.allow_missing_labels = 2, 4, True")
    with window.panel("DNERF_PT_annotate") as top:
        window.press("dnerf.sample_views", columns=(0.25,), top=top + 40)
        assert finish(window) == "6 views, 6 still to paint"
        window.press("dnerf.open_annotations", columns=(0.75,), top=top + 40)
        assert finish(window) == "6 views, 6 still to paint"
        window.scroll(15)
        window.press("dnerf.next_view", columns=(0.75,), top=450)
        window.until("len(bpy.context.window_manager.windows) == 2")
        window.until("bpy.context.scene.tool_settings.image_paint.brush")
        time.sleep(1.0)
        window.press("paint_label(label_id=2)", region="paint_region()")
        paint_a_stroke(window)
        window.screenshot("06-paint")
        window.press("dnerf.save_mask(repair=False)", columns=(0.25,), region="paint_region()")
        window.until("'mask saved; 5 views still to paint' in current().status")
        ids = palette_ids(root.job / "cars" / "masks" / "s0000_v01.png")
        assert set(np.unique(ids)) == {0, 2}, "the chosen label's id and the background, nothing between"
        assert (ids == 2).sum() > 200
        window.press("dnerf.paint_view", columns=(0.25,), region="paint_region()")
        window.until("paint_region() and bpy.data.images['s0000_v01 mask'].users")
        for label_id in (0, 1, 3, 4, 255):
            window.press(f"paint_label(label_id={label_id})", region="paint_region()")
            window.until(f"bpy.context.scene.dnerf.painted_label_id == {label_id}")
        window.press("dnerf.save_mask(repair=True)", columns=(0.75,), region="paint_region()")
        window.until("'mask saved; 5 views still to paint' in current().status")
        assert np.array_equal(palette_ids(root.job / "cars" / "masks" / "s0000_v01.png"), ids)
        window.press("dnerf.prefill", region="paint_region()")
        assert "2 views prefilled" in finish(window)
        close_second_window(window)
        window.screenshot("07-annotate")
        window.scroll(15)
        window.press("dnerf.train", top=600)
        assert "trained" in finish(window, 300)
    assert window.value("bpy.context.scene.dnerf.model_kind") == "FILE"
    assert (root.job / "cars.safetensors").is_file()
    window.press("dnerf.choose_model", columns=(0.96, 0.93))
    window.until("len(bpy.context.window_manager.windows) == 2")
    close_second_window(window)
    window.ask("bpy.context.scene.dnerf.model_kind = 'EMBEDDED'")
    window.press("dnerf.load_model")
    finish(window)


def test_escape_cancels_and_a_killed_worker_is_replaced(window: Window) -> None:
    window.ask(f"s = bpy.context.scene.dnerf; s.camera_count, s.view_source = {MANY_VIEWS}, 'ARC'")
    with window.panel("DNERF_PT_views") as top:
        start_rendering(window, top)
        window.screenshot("08-busy")
        window.key("Escape", at=(300, 600))
        window.until("current().level == 'CANCELLED'", 20)
        assert window.value("current().status") == "Rendering views: cancelled"
        start_rendering(window, top)
        window.press("dnerf.cancel", columns=(0.92, 0.9))
        window.until("current().level == 'CANCELLED'", 20)
        start_rendering(window, top)
        window.ask("import os, signal; os.kill(current().client.pid, signal.SIGKILL)")
        window.until("current().level == 'ERROR'", 20)
        assert window.value("current().status").endswith("memory runs out; the next click starts a new worker"), "one remedy"
        window.screenshot("09-lost")
        close_error_popup(window)
        window.press("dnerf.restart_worker")
        assert "worker ready" in finish(window)
        window.ask("bpy.context.scene.dnerf.camera_count = 1")
        window.press("dnerf.render_views", top=top - 60)
        assert "1 view in" in finish(window)


def start_rendering(window: Window, top: int) -> None:
    """Begin a long job in a folder of its own; the status line above may have become shorter or longer, and the button moved with it."""
    window.ask(f"bpy.context.scene.dnerf.views_folder = '/job/long-{next(LONG_JOBS)}'")
    window.press("dnerf.render_views", top=top - 60)
    window.until("current().job is not None and current().job.done > 0")


def test_a_saved_file_comes_back_and_nothing_outlives_blender(window: Window, root: Root) -> None:
    window.ask(f"s = bpy.context.scene.dnerf; s.seed, s.views_folder, s.camera_count = 11, '//views', {MANY_VIEWS}")
    window.ask("bpy.ops.wm.save_as_mainfile(filepath='/job/day.blend')")
    window.ask("bpy.ops.wm.read_homefile()")
    window.ask("bpy.ops.wm.open_mainfile(filepath='/job/day.blend')")
    assert window.value("[bpy.context.scene.dnerf.seed, bpy.context.scene.dnerf.views_folder]") == [11, "//views"]
    window.open_side_panel()
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.render_views()")
    window.until("current().job is not None and current().job.done > 0")
    pid = window.value("current().client.pid")
    assert window.quit() == 0
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists(), "the worker outlived Blender"


def paint_a_stroke(window: Window) -> None:
    """A stroke over the middle of the mask, by the mouse."""
    left, top, right, bottom = window.box("paint_region('WINDOW')")
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    window.drag([(middle_x - 40 + 4 * step, middle_y + (step % 5)) for step in range(20)])


def close_error_popup(window: Window) -> None:
    """From Blender 5 on it stays where the mouse leaves it, and takes the next click."""
    window.until("not module('feedback.alerts')._waiting", 10)
    window.until("not bpy.context.window_manager.windows[0].modal_operators", 10)  # it waits for an event before it shows
    window.settle()
    window.key("Escape", at=(300, 600))


def close_second_window(window: Window) -> None:
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]): bpy.ops.wm.window_close()")
    window.until("len(bpy.context.window_manager.windows) == 1")


def palette_ids(path: Path) -> np.ndarray:
    """The pixel values of a palette PNG without filters."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    body, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body += data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]
