"""Painted strokes are never dropped: not by another view, another folder, prefilling, training, saving, opening or disabling."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dnerf_core.labels import SHAPENET_CAR_LABELS as LABELS

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from tests.blender.addon import enabled_addon, interpreter_script  # noqa: E402
from tests.blender.painted import NAMES, SIDE_PX, blend_a_pixel, list_folder, paint, write_folder  # noqa: E402

STROKES = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
STROKES[3:9, 2:7] = 2
OTHER = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
OTHER[10:, 10:] = 1


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The add-on, without the editor that a mask is shown in: there is no window."""
    with enabled_addon(interpreter_script(tmp_path)) as module:
        from blender_addon.operators import paint as operators

        monkeypatch.setattr(operators, "open_for_painting", lambda *_: None)
        yield module


@pytest.fixture
def folder(session: ModuleType, tmp_path: Path) -> Path:
    found = write_folder(tmp_path / "annotations")
    list_folder(bpy.context.scene, found)
    return found


def shown(name: str = NAMES[0]) -> Any:
    """The image that a view is painted on."""
    return bpy.data.images[f"{name} mask"]


def open_mask_of(index: int) -> Any:
    bpy.context.scene.dnerf.annotation_index = index
    assert bpy.ops.dnerf.paint_view() == {"FINISHED"}
    return shown(NAMES[index])


def ids(image: Any) -> np.ndarray:
    from blender_addon.scene.annotation import ids_of

    return ids_of(image, LABELS, snap=True).ids


def saved(folder: Path, name: str = NAMES[0]) -> np.ndarray:
    from blender_addon.annotation_list import read_mask

    return read_mask(folder / "masks" / f"{name}.png", LABELS)


def listed_unsaved() -> list[str]:
    """What the list shows as not saved."""
    from blender_addon.panels.annotate import _is_unsaved

    return [name for name in NAMES if _is_unsaved(bpy.context.scene, name)]


def reopen(path: Path) -> None:
    bpy.ops.wm.read_homefile()
    bpy.ops.wm.open_mainfile(filepath=str(path))


def test_going_to_another_view_saves_what_was_painted(session: ModuleType, folder: Path) -> None:
    paint(open_mask_of(0), STROKES)
    assert listed_unsaved() == [NAMES[0]]
    assert bpy.ops.dnerf.next_view() == {"FINISHED"}
    assert bpy.context.scene.dnerf.annotation_index == 1
    np.testing.assert_array_equal(saved(folder), STROKES)
    assert listed_unsaved() == [] and bpy.context.scene.dnerf.annotation_items[0].painted
    assert session.current().status == f"{NAMES[1]}: paint its mask; 2 views still to paint"
    paint(shown(NAMES[1]), OTHER)
    np.testing.assert_array_equal(ids(open_mask_of(0)), STROKES)
    np.testing.assert_array_equal(saved(folder, NAMES[1]), OTHER)


def test_what_cannot_be_saved_stays_as_it_is_and_is_told(session: ModuleType, folder: Path) -> None:
    image = open_mask_of(0)
    paint(image, STROKES)
    blend_a_pixel(image)
    for index in (1, 0):
        open_mask_of(index)
        assert session.current().level == "ERROR"
        assert session.current().status.startswith("not saved: s0000_v00 mask: expected only the label set's colours, found ")
    np.testing.assert_array_equal(ids(image), STROKES)
    assert not saved(folder).any() and listed_unsaved() == [NAMES[0]]
    for button in (bpy.ops.dnerf.prefill, bpy.ops.dnerf.train, bpy.ops.dnerf.save_masks):
        bpy.context.scene.dnerf.trained_path = str(folder / "new.safetensors")
        with pytest.raises(RuntimeError, match=r"not saved: s0000_v00 mask: expected only .*press Repair and Save"):
            button()
    assert session.current().client is None
    assert bpy.ops.dnerf.save_mask(repair=True) == {"FINISHED"}
    np.testing.assert_array_equal(saved(folder), STROKES)
    assert listed_unsaved() == []


def test_training_prefilling_and_fusing_take_what_is_painted(
    session: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[np.ndarray] = []
    monkeypatch.setattr(session.Session, "start_job", lambda *_: found.append(saved(folder)))
    settings = bpy.context.scene.dnerf
    settings.trained_path, settings.cloud_painted = str(folder / "new.safetensors"), True
    image = open_mask_of(0)
    for step, button in enumerate((bpy.ops.dnerf.train, bpy.ops.dnerf.prefill, bpy.ops.dnerf.fuse_cloud), start=1):
        paint(image, np.roll(STROKES, step, axis=0))
        assert button() == {"FINISHED"}
        np.testing.assert_array_equal(found[-1], np.roll(STROKES, step, axis=0))
    assert len(found) == 3


def test_prefilling_leaves_what_has_been_painted_meanwhile(
    session: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.operators.annotate import keep_prefilled
    from blender_addon.scene.annotation import save_mask

    came = {name: np.full((SIDE_PX, SIDE_PX), 3, np.uint8) for name in NAMES}
    monkeypatch.setattr(session.Session, "array", lambda _, name: came[name])
    paint(open_mask_of(0), STROKES)
    save_mask(folder / "masks" / f"{NAMES[1]}.png", OTHER, LABELS)  # another program
    views = [{"name": name, "mask": name, "filled_px": 10, "object_px": 20} for name in NAMES]
    bpy.context.scene.dnerf.annotation_folder = "/elsewhere"  # chosen while it ran
    line = keep_prefilled(bpy.context.scene, folder, LABELS, {"views": views, "truth": False})
    assert line == ("1 view prefilled: 10 of 20 object pixels (50.0%); paint what is white; 2 views painted meanwhile stayed")
    assert not saved(folder).any()
    np.testing.assert_array_equal(saved(folder, NAMES[1]), OTHER)
    np.testing.assert_array_equal(saved(folder, NAMES[2]), came[NAMES[2]])
    bpy.context.scene.dnerf.annotation_folder = str(folder)
    np.testing.assert_array_equal(ids(shown()), STROKES)


def test_views_of_one_name_in_two_folders_are_two_masks(session: ModuleType, folder: Path, tmp_path: Path) -> None:
    first = open_mask_of(0)
    paint(first, STROKES)
    blend_a_pixel(first)
    second_folder = write_folder(tmp_path / "second")
    list_folder(bpy.context.scene, second_folder)
    second = open_mask_of(0)
    assert (first.name, second.name) == ("s0000_v00 mask painted", "s0000_v00 mask") and listed_unsaved() == []
    np.testing.assert_array_equal(ids(first), STROKES)
    paint(second, OTHER)
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"}
    np.testing.assert_array_equal(saved(second_folder), OTHER)
    assert not saved(folder).any()
    paint(first, STROKES)
    assert bpy.ops.dnerf.save_masks() == {"FINISHED"}
    assert session.current().status == "1 mask saved; 2 views still to paint"
    np.testing.assert_array_equal(saved(folder), STROKES)
    np.testing.assert_array_equal(saved(second_folder), OTHER)


def test_a_saved_blend_file_has_the_strokes_and_the_list_says_that_they_are_not_saved(
    session: ModuleType, folder: Path, tmp_path: Path
) -> None:
    from blender_addon import picture_overlay

    image = open_mask_of(1)
    paint(image, STROKES)
    blend_a_pixel(image)
    before = np.array(image.pixels)
    path = tmp_path / "day.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert listed_unsaved() == [NAMES[1]], "packed is not saved"
    reopen(path)
    image = shown(NAMES[1])
    assert not image.is_dirty and listed_unsaved() == [NAMES[1]]
    np.testing.assert_array_equal(np.array(image.pixels), before)
    open_mask_of(1)
    np.testing.assert_array_equal(np.array(image.pixels), before)
    assert picture_overlay.picture_over(image)[0, 0].tolist() == [40, 40, 40]
    assert bpy.ops.dnerf.save_mask(repair=True) == {"FINISHED"}
    np.testing.assert_array_equal(saved(folder, NAMES[1]), STROKES)
    bpy.ops.wm.save_mainfile()
    reopen(path)
    assert listed_unsaved() == []


def test_a_mask_stays_in_the_blend_file_when_it_is_saved_after_that(session: ModuleType, folder: Path, tmp_path: Path) -> None:
    """Blender packs a packed image that has no new strokes anew from its file, of which it has none."""
    paint(open_mask_of(0), STROKES)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day.blend"))
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"} and bpy.ops.dnerf.save_mask() == {"FINISHED"}
    assert shown().packed_file is not None and listed_unsaved() == []
    (folder / "masks" / f"{NAMES[0]}.png").unlink()
    bpy.ops.wm.save_mainfile()
    reopen(tmp_path / "day.blend")
    np.testing.assert_array_equal(ids(shown()), STROKES)


def test_a_folder_that_is_moved_with_its_blend_file_is_found(session: ModuleType, tmp_path: Path) -> None:
    write_folder(tmp_path / "old" / "annotations")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old" / "day.blend"))
    list_folder(bpy.context.scene, Path("//annotations"))
    paint(open_mask_of(0), STROKES)
    bpy.ops.wm.save_mainfile()
    shutil.move(tmp_path / "old", tmp_path / "new")
    reopen(tmp_path / "new" / "day.blend")
    assert listed_unsaved() == [NAMES[0]]
    assert bpy.ops.dnerf.save_masks() == {"FINISHED"}
    np.testing.assert_array_equal(saved(tmp_path / "new" / "annotations"), STROKES)


def test_the_extension_enabled_again_knows_what_is_painted(session: ModuleType, folder: Path) -> None:
    import addon_utils

    paint(open_mask_of(0), STROKES)
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"}
    paint(open_mask_of(1), OTHER)
    scene = bpy.context.scene
    addon_utils.disable("blender_addon")
    assert addon_utils.enable("blender_addon") is not None
    assert listed_unsaved() == [NAMES[1]]
    np.testing.assert_array_equal(ids(shown(NAMES[1])), OTHER)
    assert scene.dnerf.annotation_folder == str(folder)


def test_a_mask_is_saved_under_its_own_name_whatever_it_is_called_and_whatever_is_chosen(
    session: ModuleType, folder: Path
) -> None:
    image = open_mask_of(0)
    paint(image, STROKES)
    image.name = "my mask"
    bpy.context.scene.dnerf.annotation_folder = "/elsewhere"
    assert bpy.ops.dnerf.save_masks() == {"FINISHED"}
    np.testing.assert_array_equal(saved(folder), STROKES)
    bpy.context.scene.dnerf.annotation_folder = str(folder)
    copy = image.copy()
    assert bpy.ops.dnerf.paint_view() == {"FINISHED"}
    assert sorted(found.name for found in bpy.data.images if "mask" in found.name) == ["my mask", "my mask.001"]
    paint(copy, OTHER)
    paint(image, STROKES)
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"}
    np.testing.assert_array_equal(saved(folder), STROKES)


def test_reading_again_drops_the_strokes_and_takes_what_another_program_painted(session: ModuleType, folder: Path) -> None:
    from blender_addon.scene.annotation import save_mask

    image = open_mask_of(0)
    paint(image, STROKES)
    save_mask(folder / "masks" / f"{NAMES[0]}.png", OTHER, LABELS)
    assert bpy.ops.dnerf.read_mask_again() == {"FINISHED"}
    np.testing.assert_array_equal(ids(image), OTHER)
    assert listed_unsaved() == []
    save_mask(folder / "masks" / f"{NAMES[0]}.png", STROKES, LABELS)
    np.testing.assert_array_equal(ids(open_mask_of(0)), STROKES)


def test_what_another_program_has_painted_meanwhile_is_not_written_over(
    session: ModuleType, folder: Path, tmp_path: Path
) -> None:
    from blender_addon.scene.annotation import save_mask

    path = folder / "masks" / f"{NAMES[0]}.png"
    image = open_mask_of(0)
    paint(image, STROKES)
    save_mask(path, OTHER, LABELS)
    bpy.context.scene.dnerf.trained_path = str(tmp_path / "trained.safetensors")
    for press in (bpy.ops.dnerf.save_mask, bpy.ops.dnerf.save_masks, bpy.ops.dnerf.train):
        with pytest.raises(
            RuntimeError, match=r"s0000_v00\.png: expected the file as it was read here, found that another program"
        ):
            press()
    open_mask_of(1)
    assert "another program has changed it" in session.current().status
    np.testing.assert_array_equal(saved(folder), OTHER)
    np.testing.assert_array_equal(ids(image), STROKES)
    assert listed_unsaved() == [NAMES[0]]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day.blend"))
    reopen(tmp_path / "day.blend")
    bpy.context.scene.dnerf.annotation_index = 0
    with pytest.raises(RuntimeError, match="another program"):
        bpy.ops.dnerf.save_mask()
    assert bpy.ops.dnerf.save_mask(over=True) == {"FINISHED"}
    np.testing.assert_array_equal(saved(folder), STROKES)
    # what has been written here is no other program's
    paint(open_mask_of(0), OTHER)
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"}
    np.testing.assert_array_equal(saved(folder), OTHER)


def test_a_views_image_that_has_been_painted_on_stays_under_another_name(session: ModuleType, tmp_path: Path) -> None:
    from blender_addon.scene import views

    first = np.full((4, 4, 3), 100, np.uint8)
    image = views.image_from_array("s0003_v00", first)
    user = bpy.data.textures.new("t", "IMAGE")
    user.image = image
    image.pixels[0] = 0.5
    views.image_from_array("s0003_v00", first // 2)
    assert (image.name, user.image) == ("s0003_v00 painted", image)
    assert (views.image_to_array(bpy.data.images["s0003_v00"])[..., :3] == 50).all()
    assert abs(image.pixels[0] - 0.5) < 0.01
    # packed, it is no less painted
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.data.images["s0003_v00"].pixels[0] = 0.5
    bpy.data.images["s0003_v00"].pack()
    views.image_from_array("s0003_v00", np.zeros((8, 8, 3), np.uint8))
    assert sorted(found.name for found in bpy.data.images if found.name.startswith("s0003")) == [
        *("s0003_v00", "s0003_v00 painted", "s0003_v00 painted.001")
    ]


def test_images_that_nobody_has_painted_on_are_made_anew_also_after_a_file_was_opened(
    session: ModuleType, tmp_path: Path
) -> None:
    from blender_addon.scene import views
    from blender_addon.scene.painted import is_painted

    depth = np.linspace(0.1, 3.3, 12, dtype=np.float32).reshape(3, 4)
    views.image_from_array("rgb", np.arange(36, dtype=np.uint8).reshape(3, 4, 3))
    views.depth_image("depth", depth)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    reopen(tmp_path / "a.blend")
    assert [is_painted(bpy.data.images[name]) for name in ("rgb", "depth")] == [False, False]
    views.image_from_array("rgb", np.zeros((3, 4, 3), np.uint8))
    views.depth_image("depth", depth / 2)
    assert sorted(image.name for image in bpy.data.images if image.size[0]) == ["depth", "rgb"]
