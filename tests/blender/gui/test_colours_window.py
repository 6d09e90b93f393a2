"""What the screen shows: labels in the swatch's very colour in every editor, and the preview in every viewport.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from tests.blender.gui.test_window import finish
from tests.blender.gui.window import Window

SMOOTH_VIEWPORTS = True
pytestmark = [pytest.mark.gui, pytest.mark.timeout(400)]

VIEW_TRANSFORMS = ("AgX", "Filmic", "Khronos PBR Neutral", "Standard")
MANY_PX, SOME_PX, FEW_PX = 150, 30, 10
VIEWPORT_AA_OFF_BY = 2
"""Blender's smoothing of viewports, by its preferences, sums up logarithms in 16 bits: what is 0 becomes 1 or 2 of 255."""
BESIDE_ALL = (500, 1400)
"""A place in the timeline."""
NAMES = """
def panel():
    return bpy.context.scene.dnerf
def operator(text):
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        return eval('bpy.ops.' + text)
def area_of(kind):
    areas = [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == kind]
    return max(areas, key=lambda a: a.width * a.height)
def view_area():
    return area_of('VIEW_3D')
def main_region(area):
    return next(r for r in area.regions if r.type == 'WINDOW')
def shown_edit(area):
    return next(r for r in area.regions if r.type == 'PREVIEW')
def fit(area, text, region=None):
    window = next(w for w in bpy.context.window_manager.windows if area in list(w.screen.areas))
    with bpy.context.temp_override(window=window, area=area, region=region or main_region(area)):
        return eval('bpy.ops.' + text)
def labels():
    return [list(label.color) for label in module('model_facts').known_facts(bpy.context.scene).labels.labels]
def plain(area):
    area.spaces.active.overlay.show_overlays = False
    area.spaces.active.show_gizmo = False
def previews():
    return [entry for entry in module('preview')._state.regions.values() if entry.texture is not None]
def all_whole():
    state = module('preview')._state
    return state.under_way is None and not [entry for entry in state.regions.values() if entry.is_out_of_date]
second = None
"""


def shot(window: Window, name: str) -> np.ndarray:
    """The screen, uint8 [H, W, 3], when Blender has drawn; without a tip, which would lie over an editor."""
    window.hover(*BESIDE_ALL)
    for _ in range(3):
        window.ask("for a in [a for w in bpy.context.window_manager.windows for a in w.screen.areas]: a.tag_redraw()")
        time.sleep(0.3)
    return np.asarray(Image.open(window.screenshot(name)).convert("RGB"))


def inside(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = box
    return picture[top:bottom, left:right]


def count_px(picture: np.ndarray, color: list[int], off_by: int = 0) -> int:
    return int((np.abs(picture.astype(int) - np.array(color)).max(-1) <= off_by).sum())


def swatches(window: Window, name: str) -> list[list[int]]:
    """The labels' colours, each seen in the panel's list of labels, background left out: it is black, as other things are."""
    panel = inside(shot(window, name), window.box())
    colors = window.value("labels()")[1:]
    assert all(count_px(panel, color) >= SOME_PX for color in colors), [count_px(panel, color) for color in colors]
    return colors


def test_set_up(window: Window) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.ask(NAMES)
    window.ask("bpy.context.scene.view_settings.view_transform = 'AgX'")
    window.ask("s = panel(); s.seed, s.camera_count, s.views_folder, s.video_folder = 3, 1, '/job/views', '/job/videos'")
    window.press("dnerf.load_model")
    finish(window)
    window.ask("second = area_of('PROPERTIES')")


def test_the_image_editor_shows_the_swatches_colours(window: Window) -> None:
    window.ask("operator('dnerf.render_views()')")
    finish(window)
    window.ask("second.ui_type = 'IMAGE_EDITOR'")
    window.ask("operator(\"dnerf.show_view(kind='LABELS')\")")
    assert window.value("second.spaces.active.image.name") == "s0003_v00 labels"
    time.sleep(0.5)
    window.ask("fit(second, 'image.view_all(fit_view=True)')")
    colors = swatches(window, "30-labels")
    seen = inside(np.asarray(Image.open(window.root.job / "30-labels.png").convert("RGB")), window.box("main_region(second)"))
    counts = [count_px(seen, color) for color in colors]
    print("pixels of each label in the Image Editor", counts)
    assert min(counts) >= SOME_PX and sum(counts) >= 4 * MANY_PX
    # depth: readable grays, not white
    window.ask("operator(\"dnerf.show_view(kind='DEPTH')\")")
    assert window.value("second.spaces.active.image.name") == "s0003_v00 depth"
    depth = inside(shot(window, "31-depth"), window.box("main_region(second)"))
    gray = depth[np.ptp(depth, axis=-1) == 0][:, 0]
    assert len(np.unique(gray)) > 60


@pytest.mark.parametrize("view_transform", VIEW_TRANSFORMS)
def test_the_viewport_shows_the_swatches_colours(window: Window, view_transform: str) -> None:
    if view_transform == VIEW_TRANSFORMS[0]:
        window.ask("panel().cloud_views = 6; operator('dnerf.fuse_cloud()')")
        finish(window)
        window.ask("view_area().spaces.active.region_3d.view_distance = 4; plain(view_area())")
    window.ask(f"bpy.context.scene.view_settings.view_transform = {view_transform!r}")
    colors, name = window.value("labels()")[1:], view_transform.split(maxsplit=1)[0]
    window.ask("system = bpy.context.preferences.system; smooth = system.viewport_aa; system.viewport_aa = 'OFF'")
    for smooth, off_by in ((False, 0), (True, VIEWPORT_AA_OFF_BY)):
        if smooth:
            window.ask("system.viewport_aa = smooth")
        seen = inside(shot(window, f"32-{name}-{smooth}"), window.box("main_region(view_area())"))
        counts = [count_px(seen, color, off_by) for color in colors]
        print(view_transform, smooth, counts)
        assert min(counts) >= MANY_PX


def test_the_edit_shows_the_swatches_colours(window: Window) -> None:
    window.ask("s = bpy.context.scene; s.view_settings.view_transform = 'AgX'; s.frame_start, s.frame_end = 101, 103")
    window.ask("panel().into_sequencer = True; operator('dnerf.animate_camera()')")
    window.ask("operator('dnerf.render_video()')")
    assert "in the edit of the scene 'Scene edit'" in finish(window)
    window.ask("first, edit = bpy.context.scene, bpy.data.scenes['Scene edit']; colors = labels()")
    window.ask("second.ui_type = 'SEQUENCE_EDITOR'; second.spaces.active.view_type = 'PREVIEW'")
    window.ask("bpy.context.window_manager.windows[0].scene = edit; edit.frame_set(102)")
    window.ask("w = bpy.context.window_manager.windows[0].workspace")
    window.ask("if hasattr(w, 'sequencer_scene'): w.sequencer_scene = edit")  # from Blender 5.0 on
    time.sleep(1.0)
    window.ask("fit(second, 'sequencer.view_all_preview()', shown_edit(second))")
    seen = inside(shot(window, "33-edit"), window.box("shown_edit(second)"))
    counts = [count_px(seen, color) for color in window.value("colors[1:]")]
    print("pixels of each label in the sequencer", counts)
    assert min(counts) >= FEW_PX and sum(counts) >= 4 * MANY_PX
    window.ask("bpy.context.window_manager.windows[0].scene = first; second.ui_type = 'VIEW_3D'")


def shown_px(picture: np.ndarray, empty: np.ndarray) -> np.ndarray:
    return np.abs(picture.astype(int) - empty.astype(int)).max(-1) > 12


def test_every_viewport_shows_the_preview_orthographic_ones_too(window: Window) -> None:
    window.ask("cloud = next(o for o in bpy.context.scene.objects if o.name.startswith('cloud'))")
    window.ask("for o in bpy.context.scene.objects: o.hide_set(o.type in ('CAMERA', 'CURVE', 'EMPTY'))")
    window.ask("cloud.select_set(False); plain(second); second.spaces.active.shading.light = 'FLAT'")
    window.ask("second.spaces.active.shading.color_type = 'VERTEX'")
    window.ask("second.spaces.active.show_region_ui = second.spaces.active.show_region_toolbar = False")
    window.ask(
        "r = second.spaces.active.region_3d; r.view_perspective = 'ORTHO'; r.view_distance = 3.5; r.view_location = (0, 0, 0)"
    )
    window.ask("module('scene.clouds').set_shown(cloud, part_colors=False)")
    window.ask("import mathutils; r.view_rotation = mathutils.Euler((1.3, 0, 0.7)).to_quaternion()")
    window.ask("cloud.hide_set(True)")
    box = window.box("main_region(second)")
    empty = inside(shot(window, "34-empty"), box)
    window.ask("cloud.hide_set(False)")
    with_cloud = inside(shot(window, "35-cloud"), box)
    window.ask("cloud.hide_set(True)")
    window.ask("import os, signal; os.kill(current().client.pid, signal.SIGSTOP)")
    window.press_property("live_preview")
    sign = inside(shot(window, "36-loading"), box)
    written = shown_px(sign, empty) & (sign.min(-1) > 180)
    assert written.sum() > 60, "it says that it is loading"
    window.ask("os.kill(current().client.pid, signal.SIGCONT)")
    window.until("len(previews()) == 2 and all_whole()", 90)
    with_preview = inside(shot(window, "37-preview"), box)
    first, other = shown_px(with_cloud, empty), shown_px(with_preview, empty)
    overlap = (first & other).sum() / (first | other).sum()
    print("overlap of the cloud's and the preview's silhouette in the orthographic viewport", overlap)
    assert first.mean() > 0.03 and overlap > 0.9
    colors = np.abs(with_cloud[first & other].astype(int) - with_preview[first & other].astype(int)).mean()
    print("difference of colours", colors)
    assert colors < 30


def test_a_second_window_and_one_viewport_left_out(window: Window) -> None:
    window.ask("operator('wm.window_new()')")
    window.until("len(bpy.context.window_manager.windows) == 2")
    window.ask("new = bpy.context.window_manager.windows[-1]; large = max(new.screen.areas, key=lambda a: a.width * a.height)")
    window.ask("large.ui_type = 'VIEW_3D'")
    window.until("len(previews()) == 3 and all_whole()", 60)
    window.ask("module('preview').show_in(large, False)")
    time.sleep(0.5)
    assert window.value("len(previews())") == 2
    window.ask("with bpy.context.temp_override(window=new): bpy.ops.wm.window_close()")
    window.until("len(bpy.context.window_manager.windows) == 1")


def test_the_preview_lies_beside_a_cloud(window: Window) -> None:
    window.ask("cloud.hide_set(False); module('scene.clouds').set_shown(cloud, part_colors=True)")
    box = window.box("main_region(view_area())")
    seen = inside(shot(window, "38-beside"), box)
    window.press_property("live_preview")
    window.until("not panel().live_preview")
    alone, colors = inside(shot(window, "39-alone"), box), window.value("labels()")[1:]
    counts, without = ([count_px(picture, color, VIEWPORT_AA_OFF_BY) for color in colors] for picture in (seen, alone))
    print("pixels of the cloud's labels with the preview and without", counts, without)
    assert min(without) >= MANY_PX and all(one >= 0.97 * other for one, other in zip(counts, without, strict=True))
    assert shown_px(seen, alone).sum() > 2000, "it is there, aside"
