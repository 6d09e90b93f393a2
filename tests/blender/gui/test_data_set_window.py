"""Data sets by the mouse in a real Blender: the sphere that is drawn, the data set, its command in the clipboard, cameras alone.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import json
import shlex
import time

import numpy as np
import pytest
from PIL import Image

from tests.blender.gui.test_window import close_second_window, finish
from tests.blender.gui.window import Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]


def colored_pixels(window: Window, name: str) -> int:
    """Pixels of the screen's left half that have about the colour of the cameras' marks."""
    with Image.open(window.screenshot(name)) as image:
        rgb = np.asarray(image.convert("RGB")).astype(int)[:, :640]
    return int(((rgb[..., 0] > 180) & (rgb[..., 1] > 90) & (rgb[..., 1] < 215) & (rgb[..., 0] - rgb[..., 2] > 100)).sum())


def test_the_sphere_and_its_cameras_are_drawn(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    window.ask("d = bpy.context.scene.dnerf.data_set; d.cameras, d.count, d.upper, d.output = 'SPHERE', 24, True, '/job/set'")
    window.ask("view_area().spaces.active.region_3d.view_distance = 12")
    with window.panel("DNERF_PT_data_set"):
        window.scroll(40)
        before = colored_pixels(window, "30-panel")
        window.click(*window.find("data_set.show_cameras", what="property", columns=(0.2,)))
        window.until("bpy.context.scene.dnerf.data_set.show_cameras")
        time.sleep(0.5)
        assert colored_pixels(window, "31-sphere") > before + 200
        window.press("dnerf.place_data_set_cameras", columns=(0.75,))
        window.until("len(bpy.data.collections['DatasetNeRF data set cameras'].objects) == 24")
        time.sleep(0.5)
        window.screenshot("32-placed")


def test_a_data_set_and_its_command(window: Window, root: Root) -> None:
    window.ask(
        "d = bpy.context.scene.dnerf.data_set; d.subjects_from, d.seeds, d.cameras, d.count, d.resolution = 'SEEDS', '0-1', 'ARC', 2, 64"
    )
    with window.panel("DNERF_PT_data_set"):
        window.scroll(40)
        window.press("dnerf.render_data_set", columns=(0.5,))
        assert finish(window).startswith("4 views of 2 subjects, 4 written in /job/set")
        window.screenshot("33-rendered")
        window.press("dnerf.show_data_set", columns=(0.5,))
        window.until("len(bpy.context.window_manager.windows) == 2")
        time.sleep(0.5)
        window.screenshot("34-sheet")
        close_second_window(window)
    assert sorted(path.name for path in (root.job / "set" / "masks").iterdir()) == [
        f"s000{seed}_v0{view}.png" for seed in range(2) for view in range(2)
    ]
    window.ask(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.copy_data_set_command()"
    )
    words = shlex.split(window.value("bpy.context.window_manager.clipboard"))
    assert words[:2] == ["dnerf-headless", "render"] and words[words.index("--seeds") + 1] == "0-1"


def test_cameras_alone(window: Window, root: Root) -> None:
    window.ask("d = bpy.context.scene.dnerf.data_set; d.cameras, d.aabb_scale, d.with_cloud = 'SPHERE', 2, True")
    window.ask("with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]): bpy.ops.dnerf.write_cameras()")
    assert "points in /job/set-cameras/points3d.ply" in finish(window)
    data = json.loads((root.job / "set-cameras" / "transforms.json").read_text())
    assert (data["aabb_scale"], len(data["frames"])) == (2, 2)
    assert data["frames"][1]["file_path"] == "../set/images/s0000_v01.png"
