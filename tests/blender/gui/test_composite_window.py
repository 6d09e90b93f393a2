"""In the Scene, pressed by the mouse in a real Blender: the scene's own render in a window, its progress, and ESC.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from dnerf_core.files.pictures import read_image
from tests.blender.gui.test_window import finish
from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

SCENE = """
scene = bpy.context.window_manager.windows[0].scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 16, False
cube = bpy.data.objects["Cube"]
cube.pass_index = 3
s = scene.dnerf
s.seed, s.camera_count, s.composite.folder = 3, 3, "/job/composite"
"""
BEFORE_HALF = """
import mathutils
camera = scene.camera.matrix_world.normalized()
cube.matrix_world = camera @ mathutils.Matrix.Translation((0.3, 0, -0.55 * camera.translation.length)) @ mathutils.Matrix.Scale(0.3, 4)
scene.camera.select_set(True)
for item in scene.objects:
    item.select_set(item.type == "CAMERA" and item.name.startswith("dnerf v"))
"""


def test_the_button_composes_and_leaves_the_scene_alone(window: Window, root: Root) -> None:
    window.ask(SCENE)
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    with window.panel("DNERF_PT_cameras") as top:
        window.press("dnerf.place_cameras", top=top + 60)
        finish(window)
    window.ask(BEFORE_HALF)
    before = window.value("[len(bpy.data.scenes), len(bpy.data.objects), scene.render.filepath, scene.render.resolution_x]")
    with window.panel("DNERF_PT_composite") as top:
        window.screenshot("50-panel")
        window.press("dnerf.composite", top=top + 20)
        assert "1 view in" in finish(window)
        window.screenshot("51-composed")
    assert (
        window.value("[len(bpy.data.scenes), len(bpy.data.objects), scene.render.filepath, scene.render.resolution_x]") == before
    )
    mask = read_image(root.job / "composite" / "masks" / "s0003_v00.png")
    assert {0, 5} < set(np.unique(mask).tolist()) and (mask == 5).sum() > 2000
    (row,) = [json.loads(line) for line in (root.job / "composite" / "metadata.jsonl").read_text().splitlines()]
    assert row["blender"] == window.value("bpy.app.version_string")
    window.key("ctrl+z", at=(300, 600))
    window.until("'s0003 dnerf v00 composite' not in bpy.data.images")


def test_three_cameras_with_progress(window: Window, root: Root) -> None:
    window.ask(SCENE + BEFORE_HALF)  # undo has made all datablocks anew, without what the test did itself
    window.ask("scene.dnerf.composite.cameras, progress = 'SELECTED', []")
    with window.panel("DNERF_PT_composite"):
        window.ask(
            "draw = module('panels.main').draw_status\n"
            "def seen(layout, context, **options):\n"
            "    job = current().job\n"
            "    progress.append(None if job is None else (job.title, job.done))\n"
            "    draw(layout, context, **options)\n"
            "module('panels.main').draw_status = seen"
        )
        window.scroll(15)
        window.press("dnerf.composite", top=450)
        assert "3 views in" in finish(window)
        window.ask("module('panels.main').draw_status = draw")
    drawn = {tuple(item) for item in window.value("[p for p in progress if p]")}
    assert {("Rendering the scene", 0), ("Rendering the scene", 1), ("Rendering the scene", 2)} <= drawn, drawn
    assert len(list((root.job / "composite" / "masks").iterdir())) == 3, "the first was there"


def test_escape_while_blender_renders_ends_it_before_the_next_camera(window: Window, root: Root) -> None:
    window.ask("scene.cycles.samples, scene.cycles.use_adaptive_sampling = 100, False")
    window.ask("bpy.data.objects['Cube'].location.z += 0.05")
    with window.panel("DNERF_PT_composite"):
        window.scroll(15)
        place = window.find("dnerf.composite", top=450)
        window.click(*place, heard=False)
        time.sleep(1.5)
        window.key_unheard("Escape")
        window.until("current().level == 'CANCELLED'", 55)
        assert window.value("current().status") == "Rendering the scene: cancelled"
        window.screenshot("52-cancelled")
    assert len(list((root.job / "composite" / "masks").iterdir())) == 3
    assert window.value("[s.name for s in bpy.data.scenes if 'composite' in s.name]") == []
