"""Rendered views as a list: their files stay on disk, and Blender images are made when they are shown."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.test_operators import finished, pixels  # noqa: E402
from tests.blender.test_saved_folders import contents  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
NAMES = ["s0003_v00", "s0003_v01"]
KINDS = ("", " labels", " overlay", " depth")


@pytest.fixture
def settings(session: ModuleType, tmp_path: Path) -> bpy.types.PropertyGroup:
    found = bpy.context.scene.dnerf
    found.views_folder = str(tmp_path / "day" / "views")
    found.camera_count, found.size_px, found.seed = 2, 32, 3
    (tmp_path / "day").mkdir()
    return found


def listed() -> list[str]:
    return sorted(item.name for item in bpy.context.scene.dnerf.view_items)


def item_of(name: str) -> Any:
    return next(item for item in bpy.context.scene.dnerf.view_items if item.name == name)


def shown(name: str, kind: str = "") -> Any:
    """A view's image, as showing it makes it."""
    from blender_addon.view_list.images import view_image

    return view_image(item_of(name), kind, pack=bpy.context.scene.dnerf.pack_views)[0]


def values(image: Any) -> np.ndarray:
    found = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(found)
    return found


def made_here() -> list[str]:
    return sorted(image.name for image in bpy.data.images if image.get("dnerf_image"))


def saved_size(path: Path) -> int:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    return path.stat().st_size


def use_editor() -> Any:
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.ui_type = "IMAGE_EDITOR"
    return area.spaces.active


def test_any_number_of_views_is_listed_and_none_is_in_the_blend_file(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    before = saved_size(tmp_path / "before.blend")
    settings.camera_count = 20
    finished(session, bpy.ops.dnerf.render_views())
    settings.seed, settings.camera_count = 4, 2
    finished(session, bpy.ops.dnerf.render_views())
    assert listed() == [*(f"s0003_v{index:02d}" for index in range(20)), "s0004_v00", "s0004_v01"]
    item = item_of("s0004_v01")
    assert (item.subject, item.camera, item.stem, item.folder) == ("s0004", "v01", "s0004_v01", settings.views_folder)
    assert made_here() == []
    assert saved_size(tmp_path / "after.blend") - before < 22 * 3072, "names and cameras, no pixels"
    finished(session, bpy.ops.dnerf.render_views())
    assert len(listed()) == 22, "the same views are the same items"


def test_what_is_shown_is_what_packing_keeps(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    found = {kind: values(shown("s0003_v01", kind)) for kind in KINDS}
    image = bpy.data.images["s0003_v01"]
    assert image.packed_file is None and bpy.path.abspath(image.filepath) == f"{settings.views_folder}/images/s0003_v01.png"
    for name in made_here():
        bpy.data.images.remove(bpy.data.images[name])
    settings.pack_views = True
    finished(session, bpy.ops.dnerf.render_views())
    assert made_here() == sorted(name + kind for name in NAMES for kind in KINDS)
    for kind, expected in found.items():
        packed = bpy.data.images[f"s0003_v01{kind}"]
        assert packed.packed_file is not None and packed.use_fake_user
        np.testing.assert_array_equal(values(packed), expected, err_msg=kind)


def test_packing_a_view_that_is_shown(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    settings.pack_views = True
    seen = pixels(shown("s0003_v00"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day" / "day.blend"))
    shutil.rmtree(tmp_path / "day" / "views")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "day" / "day.blend"))
    np.testing.assert_array_equal(pixels(bpy.data.images["s0003_v00"]), seen)


def test_the_list_and_its_images_move_with_the_blend_file(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    editor = use_editor()
    assert bpy.ops.dnerf.show_view(kind="IMAGE") == {"FINISHED"}
    name = editor.image.name
    seen = pixels(editor.image)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day" / "day.blend"))
    assert editor.image.filepath == f"//views/images/{name}.png"
    bpy.ops.wm.read_homefile()
    (tmp_path / "day").rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "day.blend"))
    np.testing.assert_array_equal(pixels(bpy.data.images[name]), seen)
    assert item_of(name).folder == str(tmp_path / "moved" / "views")
    assert shown(name, " labels").size[0] == 32


def test_the_first_camera_is_chosen_whichever_comes_first(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.operators.views import list_view
    from blender_addon.view_list.items import shown_view

    finished(session, bpy.ops.dnerf.render_views())
    folder = Path(settings.view_items[0].folder)
    first, second = (shown_view(item_of(name), "") for name in ("s0003_v00", "s0003_v01"))
    both = replace(first, poses=first.poses + second.poses, body_poses=(None, None))
    settings.view_items.clear()
    settings.view_index = 0
    for index in (1, 0):
        list_view(bpy.context.scene, both, index, folder, f"s0003_v{index:02d}")
    assert [item.name for item in settings.view_items] == ["s0003_v01", "s0003_v00"]
    assert settings.view_items[settings.view_index].name == "s0003_v00"


def test_the_buttons_show_a_view_and_let_go_of_the_one_before(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    editor = use_editor()
    settings.view_index = settings.view_items.find("s0003_v00")
    for kind, ending in zip(("IMAGE", "LABELS", "OVERLAY", "DEPTH"), KINDS, strict=True):
        assert bpy.ops.dnerf.show_view(kind=kind) == {"FINISHED"}
        assert editor.image.name == f"s0003_v00{ending}"
        assert made_here() == [editor.image.name], "what nothing shows is let go of"
    user = bpy.data.textures.new("t", "IMAGE")
    bpy.ops.dnerf.show_view(kind="LABELS")
    user.image = bpy.data.images["s0003_v00 labels"]
    bpy.ops.dnerf.show_view(kind="OVERLAY")
    bpy.data.images["s0003_v00 overlay"].pixels[0] = 0.5
    bpy.ops.dnerf.show_view(kind="IMAGE")
    assert made_here() == ["s0003_v00", "s0003_v00 labels", "s0003_v00 overlay"], "in use; and painted on"
    bpy.data.images.new("s0003_v01", 4, 4)
    settings.view_index = settings.view_items.find("s0003_v01")
    for _ in range(2):
        bpy.ops.dnerf.show_view(kind="IMAGE")
        assert editor.image.name == "s0003_v01.001" and tuple(editor.image.size) == (32, 32), "the name is somebody else's"


def test_a_view_that_is_no_square_is_what_its_camera_sees(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    finished(session, bpy.ops.dnerf.place_cameras())
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 32, 16
    settings.view_source = "ACTIVE"
    finished(session, bpy.ops.dnerf.render_views())
    (name,) = listed()
    whole = bpy.data.images.load(str(Path(settings.views_folder) / "images" / f"{item_of(name).stem}.png"))
    for kind in KINDS:
        assert tuple(shown(name, kind).size) == (32, 16)
    np.testing.assert_array_equal(pixels(shown(name)), pixels(whole)[8:24])


def test_what_has_been_painted_stays_and_the_files_are_never_written(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    files = contents(tmp_path / "day" / "views")
    painted, other = shown("s0003_v00"), shown("s0003_v01")
    painted.pixels[0] = 0.5
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day" / "day.blend"))
    bpy.ops.wm.read_homefile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "day" / "day.blend"))
    assert abs(bpy.data.images["s0003_v00"].pixels[0] - 0.5) < 0.01, "in the .blend file"
    finished(session, bpy.ops.dnerf.render_views())
    assert abs(bpy.data.images["s0003_v00 painted"].pixels[0] - 0.5) < 0.01
    assert pixels(shown("s0003_v00")).shape == (32, 32, 3)
    # the engine's own later views of that name, such as of an edited subject, are no file's
    from blender_addon.scene.views import image_from_array

    user = bpy.data.textures.new("t", "IMAGE")
    user.image = other = shown("s0003_v01")
    fresh = image_from_array("s0003_v01", np.zeros((32, 32, 3), np.uint8))
    assert fresh != other and user.image == fresh and fresh.filepath == ""
    assert {name: data for name, data in contents(tmp_path / "day" / "views").items()} == files


def test_views_come_off_the_list_and_back(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    files = contents(tmp_path / "day" / "views")
    settings.pack_views = True
    for kind in KINDS:
        shown("s0003_v00", kind)
    shown("s0003_v01").pixels[0] = 0.5
    settings.view_index = settings.view_items.find("s0003_v00")
    assert bpy.ops.dnerf.remove_view() == {"FINISHED"}
    assert listed() == ["s0003_v01"] and made_here() == ["s0003_v01"]
    assert session.current().status == "s0003_v00 is off the list; its files stay"
    assert bpy.ops.dnerf.clear_views() == {"FINISHED"}
    assert listed() == [] and made_here() == ["s0003_v01"], "painted on"
    assert contents(tmp_path / "day" / "views") == files
    with pytest.raises(RuntimeError, match="expected one that is chosen in the list, found none"):
        bpy.ops.dnerf.remove_view()
    assert " 0 of them new in " in finished(session, bpy.ops.dnerf.render_views())
    assert listed() == NAMES


def test_a_camera_that_has_moved_is_another_view(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.camera_count = 1
    finished(session, bpy.ops.dnerf.place_cameras())
    settings.view_source = "ACTIVE"
    bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 32
    finished(session, bpy.ops.dnerf.render_views())
    (name,) = listed()
    before = pixels(shown(name))
    bpy.context.scene.camera.location.z += 0.3
    finished(session, bpy.ops.dnerf.render_views())
    assert listed() == [name, f"{name} (2)"]
    assert (item_of(name).stem, item_of(f"{name} (2)").stem) == ("s0003_v01", "s0003_v00")
    assert (pixels(bpy.data.images[name]) != before).any(), "the image of that name is the new view"
    np.testing.assert_array_equal(pixels(shown(f"{name} (2)")), before)


def test_a_view_whose_files_are_gone_is_told(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.scene.errors import SceneError
    from blender_addon.view_list.items import file_of
    from dnerf_core.errors import DNeRFError

    finished(session, bpy.ops.dnerf.render_views())
    folder = Path(settings.views_folder)
    (folder / "labels.json").write_text("no JSON")
    with pytest.raises(DNeRFError, match=r"labels\.json"):
        shown("s0003_v00", " labels")
    shutil.rmtree(folder)
    with pytest.raises(SceneError, match=r"s0003_v00: expected an image of the view, found none in .*; render the views again"):
        shown("s0003_v00")
    item_of("s0003_v00").stem = "../s0003_v00"
    assert file_of(item_of("../s0003_v00" if "../s0003_v00" in listed() else "s0003_v00"), "") is None


def test_a_file_without_a_list_goes_on_showing_its_images(
    session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    """As version 0.1.0 has saved it: images in the .blend file, and what they show."""
    settings.pack_views = True
    finished(session, bpy.ops.dnerf.render_views())
    settings.seed = 4
    finished(session, bpy.ops.dnerf.render_views())
    from blender_addon.scene.annotation import open_mask
    from blender_addon.scene.views import image_from_array
    from dnerf_core.labels import SHAPENET_CAR_LABELS

    open_mask("s0000_v01 mask", np.zeros((8, 8), np.uint8), SHAPENET_CAR_LABELS)
    image_from_array("DatasetNeRF search", np.zeros((8, 8, 3), np.uint8))
    settings.view_items.clear()
    settings.property_unset("has_view_list")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.read_homefile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    assert listed() == [*NAMES, "s0004_v00", "s0004_v01"], "and no masks"
    editor, settings = use_editor(), bpy.context.scene.dnerf
    settings.view_index = settings.view_items.find("s0003_v01")
    bpy.ops.dnerf.show_view(kind="OVERLAY")
    assert editor.image.name == "s0003_v01 overlay"
    bpy.ops.dnerf.remove_view()
    assert "s0003_v01" in bpy.data.images and len(listed()) == 3, "there is no other copy of it"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    assert len(listed()) == 3


def test_thumbnails_are_read_of_the_files(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    from blender_addon.view_list import thumbnails
    from blender_addon.view_list.items import file_of

    finished(session, bpy.ops.dnerf.render_views())
    for name in [*NAMES, *NAMES]:
        thumbnails.thumbnail(file_of(item_of(name), ""))
    assert thumbnails.thumbnail(None) == 0
    paths = [f"{settings.views_folder}/images/{name}.png" for name in NAMES]
    assert sorted(thumbnails._pictures) == paths, "once each"
    assert [tuple(thumbnails._pictures[path].image_size) for path in paths] == [(32, 32)] * 2
    thumbnails.forget_thumbnail(Path(paths[0]))
    assert list(thumbnails._pictures) == paths[1:]
    thumbnails.forget_thumbnails()
    assert len(thumbnails._pictures) == 0


def test_images_that_are_shown_follow_an_edit(session: ModuleType, settings: bpy.types.PropertyGroup, tmp_path: Path) -> None:
    """Those alone, and the folder's files stay as they are; a step back shows the first again."""
    from blender_addon.model_facts import with_facts
    from blender_addon.operators.anew import render_anew
    from blender_addon.subjects import subject_token

    finished(session, bpy.ops.dnerf.render_views())
    files = contents(tmp_path / "day" / "views")
    editor, scene = use_editor(), bpy.context.scene
    settings.view_index = settings.view_items.find("s0003_v00")
    bpy.ops.dnerf.show_view(kind="IMAGE")
    before, first = pixels(editor.image), subject_token(scene)

    def follow(seed: int, old: str) -> None:
        settings.seed = seed
        current = session.current()
        with_facts(scene, "anew", lambda found, facts: render_anew(found, facts, old, lambda: current.finish("done")))
        finished(session, {"FINISHED"})

    follow(4, first)
    assert made_here() == ["s0004_v00"] and editor.image.name == "s0004_v00"
    assert editor.image.filepath == "" and editor.image.use_fake_user, "no file has it"
    assert (pixels(editor.image) != before).any()
    follow(3, subject_token(scene))
    assert made_here() == ["s0003_v00"]
    np.testing.assert_array_equal(pixels(editor.image), before)
    assert contents(tmp_path / "day" / "views") == files


def test_cameras_that_move_back_and_forth_are_the_same_items(session: ModuleType, settings: bpy.types.PropertyGroup) -> None:
    settings.camera_count = 1
    finished(session, bpy.ops.dnerf.place_cameras())
    settings.view_source, camera = "ACTIVE", bpy.context.scene.camera
    bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 32
    first = camera.location.z
    for height in (first, first + 0.3, first, first + 0.3, first):
        camera.location.z = height
        finished(session, bpy.ops.dnerf.render_views())
    stems = {item.name: item.stem for item in settings.view_items}
    assert sorted(stems.values()) == ["s0003_v00", "s0003_v01"]
    assert stems[f"s0003_{camera.name}"] == "s0003_v00", "the one that was rendered last"
