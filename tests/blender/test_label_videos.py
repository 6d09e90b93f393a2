"""Label videos of a scene: its frame numbers, its rate, what is animated in it, and the edit that they come into."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not installed here")
pytest.importorskip("torch", reason="no torch beside bpy here")

from PIL import Image  # noqa: E402

from blender_addon.interchange.strips import Video, add_videos, strips_of  # noqa: E402
from tests.blender.test_operators import finished  # noqa: E402

CAMERA_NAME = "DatasetNeRF camera"


@pytest.fixture
def panel(session: ModuleType, tmp_path: Path) -> Any:
    """The panel's settings."""
    found = bpy.context.scene.dnerf
    found.views_folder, found.video_folder = str(tmp_path / "views"), str(tmp_path / "videos")
    return found


@pytest.fixture
def scene(session: ModuleType, panel: Any) -> Any:
    """A scene of three frames, 101 to 103, with a camera that moves; AgX, as a new file has it."""
    found = bpy.context.scene
    found.frame_start, found.frame_end = 101, 103
    found.view_settings.view_transform = "AgX"
    panel.seed, panel.size_px, panel.pack_views = 3, 64, True
    finished(session, bpy.ops.dnerf.animate_camera())
    return found


def video(session: ModuleType) -> str:
    return finished(session, bpy.ops.dnerf.render_video())


def masks(folder: Path) -> list[np.ndarray]:
    """Of each frame, in order."""
    return [np.asarray(Image.open(path)) for path in sorted(folder.rglob("masks/*.png"))]


def cameras_of(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob("*-cameras.json")
    return json.loads(path.read_text())["views"]


def frame_rates(folder: Path) -> set[Fraction]:
    import av

    found = set()
    for path in [*folder.rglob("*.mp4"), *folder.rglob("*.mkv")]:
        with av.open(str(path)) as container:
            found.add(container.streams.video[0].average_rate)
    return found


def edit_scenes() -> list[Any]:
    from blender_addon.interchange.edits import EDIT_PROPERTY

    return [other for other in bpy.data.scenes if EDIT_PROPERTY in other]


def rendered(scene: Any, folder: Path, frame: int) -> np.ndarray:
    """What F12 renders, uint8 [H, W, 3]."""
    scene.frame_set(frame)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.filepath = str(folder / "f12.png")
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    scene.render.dither_intensity = 0.0
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return np.asarray(Image.open(folder / "f12.png").convert("RGB"))


# --- numbers, rate, what is animated


def test_animate_camera_fills_the_range_and_says_what_it_changes(session: ModuleType, panel: Any) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 11, 30
    scene.frame_set(17)
    was = f"{scene.render.resolution_x} x {scene.render.resolution_y} px at 100%"
    line = finished(session, bpy.ops.dnerf.animate_camera())
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (11, 30, 17)
    assert line == (
        f"'{CAMERA_NAME}' moves over frames 11 to 30; changed: render size 256 x 256 px at 100%, was {was}; "
        f"active camera '{CAMERA_NAME}', was 'Camera'"
    )
    keys = {round(point.co[0]) for curve in curves(scene.camera) for point in curve.keyframe_points}
    assert keys == set(range(11, 31)), "from the first frame to the last"
    assert finished(session, bpy.ops.dnerf.animate_camera()) == f"'{CAMERA_NAME}' moves over frames 11 to 30", (
        "nothing is changed"
    )
    assert finished(session, bpy.ops.dnerf.place_cameras()).endswith(f"active camera 'dnerf v00', was '{CAMERA_NAME}'")


def curves(item: Any) -> list[Any]:
    from blender_addon.scene.actions import curves_of

    return list(curves_of(item))


def test_frames_have_the_scenes_numbers(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    video(session)
    folder = tmp_path / "videos"
    (name,) = [path.name for path in folder.iterdir()]
    assert name.startswith("Scene_s0003_DatasetNeRF_cam") and name.endswith("_f0101-0103")
    for kind in ("images", "masks"):
        assert sorted(path.name for path in folder.rglob(f"{kind}/*.png")) == [f"{name}_{n:04d}.png" for n in (101, 102, 103)]
    assert [view["name"] for view in cameras_of(folder)] == ["f0101", "f0102", "f0103"]
    import av

    with av.open(str(folder / name / f"{name}-labels.mkv")) as container:
        assert {key.casefold(): value for key, value in container.metadata.items()}["timecode"] == "00:00:04:05"


@pytest.mark.parametrize(("fps", "rate"), [(24, Fraction(24000, 1001)), (30, Fraction(30000, 1001))])
def test_23_976_and_29_97_frames_a_second(session: ModuleType, scene: Any, tmp_path: Path, fps: int, rate: Fraction) -> None:
    scene.render.fps, scene.render.fps_base = fps, 1.001
    scene.dnerf.into_sequencer = True
    video(session)
    assert frame_rates(tmp_path / "videos") == {rate}
    (edit,) = edit_scenes()
    assert {(strip.frame_final_start, strip.frame_final_duration) for strip in strips_of(edit)} == {(101, 3)}
    scene.render.fps_base = 100.0
    with pytest.raises(RuntimeError, match=r"expected 1 to 240 frames a second, found 0\.[0-9]+; set the frame rate"):
        bpy.ops.dnerf.render_video()


def test_the_video_follows_a_keyed_seed_and_a_driven_truncation(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    settings = scene.dnerf
    for frame, seed in ((101, 3), (102, 4), (103, 4)):
        settings.seed = seed
        scene.keyframe_insert("dnerf.seed", frame=frame)
    driver = scene.driver_add("dnerf.truncation").driver
    driver.type, driver.expression = "SCRIPTED", "1.0 if frame < 103 else 0.5"
    video(session)
    views = cameras_of(tmp_path / "videos")
    assert [(view["seeds"][0], view["truncation"]) for view in views] == [(3, 1.0), (4, 1.0), (4, 0.5)]
    (clip,) = (tmp_path / "videos").iterdir()
    assert clip.name.startswith("Scene_3-subjects-s0003_")
    found = masks(tmp_path / "videos")
    settings.view_source, settings.want_depth = "ACTIVE", False
    for index, (seed, truncation) in enumerate([(3, 1.0), (4, 1.0), (4, 0.5)]):
        scene.frame_set(101 + index)
        assert (settings.seed, round(settings.truncation, 4)) == (seed, truncation), "the panel shows the frame's own"
        finished(session, bpy.ops.dnerf.render_views())
        stem = f"s{seed:04d}" if truncation == 1 else f"s{seed:04d}-t0.5"
        image = bpy.data.images[f"{stem}_{CAMERA_NAME} labels"]
        from blender_addon.model_facts import known_facts
        from blender_addon.scene.annotation import ids_of

        np.testing.assert_array_equal(ids_of(image, known_facts(scene).labels).ids, found[index])


def test_where_the_model_changes_a_new_video_begins(session: ModuleType, scene: Any, small_model: Path, tmp_path: Path) -> None:
    settings = scene.dnerf
    settings.model_path, settings.into_sequencer = str(small_model), True
    for frame, kind in ((101, "EMBEDDED"), (103, "FILE")):
        settings.model_kind = kind
        scene.keyframe_insert("dnerf.model_kind", frame=frame)
    line = video(session)
    assert line.startswith("3 frames in ") and ", in 2 videos, since the model changes, saved in " in line
    folders = sorted(path.name for path in (tmp_path / "videos").iterdir())
    assert [name.rpartition("_")[2] for name in folders] == ["f0101-0102", "f0103-0103"]
    records = [json.loads((tmp_path / "videos" / name / "dataset.json").read_text()) for name in folders]
    assert "demo-cars" in json.dumps(records[0]) and "demo-cars" not in json.dumps(records[1])
    (edit,) = edit_scenes()
    starts = sorted((strip.channel, strip.frame_final_start, strip.frame_final_duration) for strip in strips_of(edit))
    assert starts == [(1, 101, 2), (1, 103, 1), (2, 101, 2), (2, 103, 1)]


# --- the edit


def test_the_edit_shows_exact_colours_and_the_scene_renders_as_before(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    from blender_addon.model_facts import known_facts

    before = rendered(scene, tmp_path, 102)
    scene.dnerf.into_sequencer = True
    line = video(session)
    (edit,) = edit_scenes()
    assert line.endswith(f"; in the edit of the scene {edit.name!r}") and edit.name == "Scene edit"
    assert len(strips_of(scene)) == 0 and scene.render.use_sequencer
    np.testing.assert_array_equal(rendered(scene, tmp_path, 102), before, err_msg="F12 renders the camera as before")
    assert [(strip.channel, Path(strip.filepath).suffix) for strip in strips_of(edit)] == [(1, ".mp4"), (2, ".mkv")]
    assert not [strip for strip in strips_of(edit) if "labels.mkv" in strip.filepath], "the ids are data, nearly black"
    assert (edit.frame_start, edit.frame_end, edit.view_settings.view_transform) == (101, 103, "Standard")
    labels = known_facts(scene).labels
    shown = rendered(edit, tmp_path, 102)
    np.testing.assert_array_equal(shown, labels.colorize(masks(tmp_path / "videos")[1]), err_msg="the very colours")


def test_pressed_again_the_same_videos_strips_are_replaced(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    scene.dnerf.into_sequencer = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "day.blend"))
    scene = bpy.context.scene
    video(session)
    (edit,) = edit_scenes()
    edit.name = "My edit"
    first = sorted((strip.name, strip.channel) for strip in strips_of(edit))
    assert all(strip.filepath.startswith("//videos/") for strip in strips_of(edit)), "relative, as the file is saved beside them"
    video(session)
    assert edit_scenes() == [edit]
    assert sorted((strip.name, strip.channel) for strip in strips_of(edit)) == first
    moved = next(strip for strip in strips_of(edit) if strip.channel == 2)
    moved.frame_start += 10
    line = video(session)
    assert line.endswith("; in the edit of the scene 'My edit'")
    found = sorted((strip.channel, int(strip.frame_start)) for strip in strips_of(edit))
    assert found == [(1, 101), (2, 111), (3, 101)], "what was moved stays, and a new one is beside it"
    video(session)
    assert sorted((strip.channel, int(strip.frame_start)) for strip in strips_of(edit)) == found


def test_this_scenes_edit_is_rendered_only_when_asked(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    before = rendered(scene, tmp_path, 102)
    settings = scene.dnerf
    settings.into_sequencer, settings.edit_place = True, "SCENE"
    assert video(session).endswith("; in this scene's edit, which it does not render (Post Processing > Sequencer is off)")
    assert len(strips_of(scene)) == 2 and not edit_scenes() and not scene.render.use_sequencer
    np.testing.assert_array_equal(rendered(scene, tmp_path, 102), before)
    assert "does not render" in video(session) and len(strips_of(scene)) == 2
    settings.edit_renders = True
    assert video(session).endswith("; in this scene's edit, which is what it renders now")
    assert scene.render.use_sequencer and len(strips_of(scene)) == 2
    assert np.abs(rendered(scene, tmp_path, 102).astype(int) - before).max() > 50


def test_an_edit_that_is_rendered_already_stays_what_it_was(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    scene.sequence_editor_create()
    length = {"length": 3} if bpy.app.version >= (5, 0, 0) else {"frame_end": 104}
    strips_of(scene).new_effect("mine", "COLOR", 1, 101, **length).color = (0.2, 0.4, 0.6)
    before = rendered(scene, tmp_path, 102)
    assert before.reshape(-1, 3).std(axis=0).max() == 0, "the artist's own edit"
    scene.dnerf.into_sequencer, scene.dnerf.edit_place = True, "SCENE"
    assert video(session).endswith("; in this scene's edit, muted, since that is what it renders")
    assert scene.render.use_sequencer
    np.testing.assert_array_equal(rendered(scene, tmp_path, 102), before)
    for strip in strips_of(scene):
        strip.mute = False
    assert video(session).endswith("; in this scene's edit")
    assert len(strips_of(scene)) == 3 and not any(strip.mute for strip in strips_of(scene)), "as the artist has set them"


def test_paths_are_relative_on_one_drive() -> None:
    import ntpath
    import posixpath

    from blender_addon.places import on_one_drive

    assert on_one_drive("/a/b", "/c", parts=posixpath)
    assert on_one_drive(r"C:\a\b", r"c:\c d", parts=ntpath)
    assert not on_one_drive(r"D:\a", r"C:\c", parts=ntpath)
    assert not on_one_drive(r"\\server\share\a", r"C:\c", parts=ntpath)
    assert on_one_drive(r"\\server\share\a", "//SERVER/share/b", parts=ntpath)


def test_strips_of_several_videos_share_a_channel_a_kind(session: ModuleType, scene: Any, tmp_path: Path) -> None:
    video(session)
    (clip,) = (tmp_path / "videos").iterdir()
    path = next(clip.glob("*-image.mp4"))
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(path.read_bytes())
    videos = [Video(tmp_path / "a.mp4", 1, "image"), Video(tmp_path / "b.mp4", 4, "image")]
    assert add_videos(scene, videos) == 2
    assert add_videos(scene, videos) == 0, "in place of those"
    assert sorted((strip.name, strip.channel, int(strip.frame_start)) for strip in strips_of(scene)) == [("a", 1, 1), ("b", 1, 4)]
