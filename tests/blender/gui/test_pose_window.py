"""People that move in a real Blender: armatures drive the subject, bones are turned by the mouse, keyframes become a label video.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.blender.gui.test_window import LEAST_UPDATES, close_error_popup, finish
from tests.blender.gui.window import REPOSITORY, Root, Window
from tests.core.gnarf.rigs import cmu_skeleton, renamed

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

NAMES = """
import json
import numpy as np
def panel():
    return bpy.context.scene.dnerf
def in_window(call):
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        call()
def show(item, mode):
    def set_mode():
        if bpy.context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for other in bpy.context.view_layer.objects:
            other.select_set(other == item)
        bpy.context.view_layer.objects.active = item
        bpy.ops.object.mode_set(mode=mode)
    in_window(set_mode)
def build(name, names, parents, joints):
    data = bpy.data.armatures.new(name)
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    show(item, "EDIT")
    for joint, (x, y, z) in enumerate(joints):
        bone = data.edit_bones.new(names[joint])
        bone.head, bone.tail = (x, -z, y), (x, -z, y + 0.06)
        bone.parent = data.edit_bones[names[parents[joint]]] if parents[joint] >= 0 else None
    show(item, "OBJECT")
    item.show_in_front = True
    return item
def pose():
    driver, facts = module("posing.driver"), module("model_facts").known_facts(bpy.context.scene)
    return driver.current_pose(bpy.context.scene, facts)
def shown():
    return module("preview")._state
"""


@pytest.fixture(scope="module")
def person(root: Root) -> str:
    """The path, inside, of a small model of a person."""
    command = [sys.executable, "-m", "tests.blender.small_person", str(root.job)]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=120)
    return "/job/person.safetensors"


def test_the_models_own_armature_walks(window: Window, person: str) -> None:
    window.ask("for name in ('Cube', 'Light', 'Camera'): bpy.data.objects.remove(bpy.data.objects[name])")
    window.ask(NAMES)
    window.ask(f"s = panel(); s.model_kind, s.model_path, s.seed, s.camera_count = 'FILE', {person!r}, 3, 1")
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    assert "DNERF_PT_pose" in window.headers
    window.ask("in_window(lambda: bpy.ops.ed.undo_push(message='before'))")  # what is asked for here is no step of the user's
    with window.panel("DNERF_PT_pose") as top:
        window.press("dnerf.add_person", top=top)
        assert finish(window) == "DatasetNeRF Person: 27 bones, walking; it moves the subject"
        window.ask("in_window(lambda: bpy.ops.view3d.view_all())")
        time.sleep(0.5)
        window.screenshot("20-person")
        before = window.value("pose()")
        window.ask("bpy.context.scene.frame_set(9)")
        assert np.abs(np.subtract(window.value("pose()"), before)).max() > 0.1
        window.ask("in_window(lambda: bpy.ops.wm.call_menu(name='VIEW3D_MT_armature_add'))")
        time.sleep(0.5)
        window.screenshot("21-add-menu")
        window.key("Escape", at=(300, 600))
        window.key("ctrl+z", at=(300, 600))
        window.until("'DatasetNeRF Person' not in bpy.data.objects")
        assert window.value("panel().pose_armature is None and panel().pose_armature_name") == ""
        window.press("dnerf.add_person", top=top)
        finish(window)


def test_a_mixamo_armature_maps_itself(window: Window) -> None:
    skeleton = renamed(cmu_skeleton(), "mixamo")
    parts = json.dumps([skeleton.names, skeleton.parents.tolist(), skeleton.joints.tolist()])
    window.ask(f"rig = build('Mixamo', *{parts})")
    with window.panel("DNERF_PT_pose") as top:
        window.ask("panel().pose_armature = rig")
        assert window.value("current().status") == "Mixamo: 27 of 27 joints have a bone"
        window.ask("panel().pose_rows['Head'].bone = ''")
        time.sleep(0.5)
        window.scroll(15)
        window.screenshot("22-map")
        window.click(*window.find(".bone", what="property", columns=(0.6,), top=480))
        time.sleep(0.5)
        window._xdotool("type", "Spine1")
        time.sleep(0.5)
        window.screenshot("22-search")
        window.key("Return", at=(300, 600))
        window.until("panel().pose_rows[0].bone == 'mixamorig:Spine1'", 10)
        window.press("dnerf.match_bones", top=min(top, 450))
        window.until("panel().pose_rows[0].bone == 'mixamorig:Hips'")
        window.until("panel().pose_rows['Head'].bone == 'mixamorig:Head'")
    assert np.abs(window.value("pose()")).max() < 1e-4


def test_the_preview_follows_a_bone_that_the_mouse_turns(window: Window) -> None:
    window.ask("bpy.data.objects['DatasetNeRF Person'].hide_set(True)")
    window.ask("show(rig, 'POSE')")
    window.ask("for bone in rig.pose.bones: bone.rotation_mode = 'XYZ'")
    window.ask("rig.data.bones.active = rig.data.bones['mixamorig:LeftArm']")
    window.ask("in_window(lambda: bpy.ops.pose.select_all(action='DESELECT'))")
    window.ask("bone = rig.pose.bones['mixamorig:LeftArm']")
    window.ask("(bone if hasattr(bone, 'select') else bone.bone).select = True")  # the pose's own from Blender 5.0 on
    window.ask("view_area().spaces.active.region_3d.view_perspective = 'PERSP'")
    window.ask("in_window(lambda: bpy.ops.view3d.view_axis(type='FRONT'))")
    window.ask("view_area().spaces.active.region_3d.view_perspective = 'PERSP'")
    window.press_property("live_preview")
    window.until("shown().texture is not None and not shown().waiting", 60)
    time.sleep(1.0)
    window.screenshot("23-before")
    before = window.value("pose()")
    window.ask("shown().arrivals = []; asked = shown().requested")
    began = time.monotonic()
    window.key("r", at=(420, 520))
    words: list[str] = []
    for step in range(120):
        words += ["mousemove", str(420 + int(80 * np.cos(step / 12))), str(520 + int(80 * np.sin(step / 12))), "sleep", "0.03"]
    window._xdotool(*words, "click", "1", "sleep", "0.1")
    took_s = time.monotonic() - began
    updates = int(window.value("len(shown().arrivals)"))
    print(f"live preview while a bone is turned: {updates} updates in {took_s:.1f} s, {updates / took_s:.1f} a second")
    window.until("shown().requested != asked and not shown().waiting", 20)
    time.sleep(0.7)
    window.screenshot("24-turned")
    after = window.value("pose()")
    assert np.abs(np.subtract(after, before)).max() > 0.1
    assert window.value("json.loads(shown().requested)[3] == pose()")
    window.ask("rig.hide_set(True)")
    window.ask("rig.pose.bones['mixamorig:LeftUpLeg'].rotation_euler.x = 0.8; asked = shown().requested")
    window.until("shown().requested != asked and not shown().waiting", 20)
    time.sleep(0.7)
    window.screenshot("25-hidden")
    assert window.value("json.loads(shown().requested)[3] == pose()"), "an armature hidden by the eye goes on"
    window.ask("rig.hide_set(False)")
    window.press_property("live_preview")
    window.until("not panel().live_preview")
    assert updates >= LEAST_UPDATES


def test_keyframes_become_a_label_video(window: Window, root: Root) -> None:
    window.ask("show(rig, 'OBJECT')")
    window.ask("arm = rig.pose.bones['mixamorig:RightArm']")
    for frame, angle in ((1, 0.0), (6, 1.6)):
        window.ask(f"arm.rotation_euler.z = {angle}; arm.keyframe_insert('rotation_euler', frame={frame})")
    window.ask("s = panel(); s.video_folder, s.own_yaw, s.yaw_first_deg = '/job/videos', False, 0")
    window.ask("in_window(lambda: bpy.ops.dnerf.place_cameras())")
    finish(window)
    window.ask("e = bpy.context.scene; e.frame_start, e.frame_end, e.render.fps = 1, 6, 24")
    with window.panel("DNERF_PT_video") as top:
        window.press("dnerf.render_video", top=top + 20)
        assert finish(window).startswith("6 frames in")
        window.screenshot("26-video")
    frames = [path.read_bytes() for path in sorted((root.job / "videos").rglob("masks/*.png"))]
    assert len(frames) == 6 and len(set(frames)) == 6
    assert list((root.job / "videos").rglob("*labels.mkv"))


def test_an_armature_that_is_deleted_is_told(window: Window) -> None:
    window.press_property("live_preview")
    window.until("shown().texture is not None", 60)
    rows = window.value("len(panel().pose_rows)")
    window.ask("show(rig, 'OBJECT')")
    window.key("x", at=(420, 620))
    time.sleep(0.5)
    window.key("Return", at=(420, 620))
    window.until("not panel().live_preview", 20)
    assert "expected the armature 'Mixamo' in the scene 'Scene', found it there no more" in window.value("current().status")
    assert window.value("len(panel().pose_rows)") == rows
    close_error_popup(window)
    with window.panel("DNERF_PT_pose") as top:
        time.sleep(0.5)
        window.screenshot("27-deleted")
        window.press("dnerf.rest_pose", top=min(top, 450))
        window.until("panel().pose_armature_name == ''")
    window.press_property("live_preview")
    window.until("shown().texture is not None", 60)
