"""What happens to a .blend file while a job runs: it is renamed, deleted, and the job goes on or ends with its line; no button stays gray.

One worker and one Blender for all of it, a small model of random weights, and two scenes of its own for each test.
"""

from __future__ import annotations

import importlib.util
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import REPOSITORY, enabled_addon  # noqa: E402
from tests.blender.painted import paint  # noqa: E402
from tests.blender.test_operators import finished  # noqa: E402
from tests.blender.warm_engine import WarmEngine  # noqa: E402

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
Scene = Any
WORK, OTHER = "Work", "Other"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, warm_engine: WarmEngine) -> Iterator[ModuleType]:
    with enabled_addon(warm_engine.script(tmp_path_factory.mktemp("engine"))) as module:
        yield module


@pytest.fixture
def scene(session: ModuleType, small_model: Path, tmp_path: Path) -> Iterator[Scene]:
    """The scene of the window, with a camera; another one beside it."""
    work, other = bpy.data.scenes.new(WORK), bpy.data.scenes.new(OTHER)
    bpy.context.window.scene = work
    for item in (work, other):
        settings = item.dnerf
        settings.model_kind, settings.model_path, settings.seed = "FILE", str(small_model), 3
        for name in ("views_folder", "video_folder", "annotation_folder", "subjects_folder"):
            setattr(settings, name, str(tmp_path / name))
        settings.trained_path = str(tmp_path / "new.safetensors")
        settings.camera_count, settings.cloud_views, settings.cloud_points, settings.edit_steps = 2, 3, 300, 2
        settings.annotation_subjects, settings.annotation_views, settings.training_steps = 1, 2, 2
        settings.pack_views = True  # images of all views, which are renamed and deleted
        settings.allow_missing_labels, settings.yaw_first_deg, settings.yaw_last_deg = True, 60.0, 60.0
    work.frame_end = 2
    finished(session, bpy.ops.dnerf.place_cameras())
    yield work
    if session.busy():
        session.current().end_worker()
    kept = bpy.data.scenes.new("Empty")
    bpy.context.window.scene = kept
    for blocks in (bpy.data.scenes, bpy.data.images, bpy.data.objects, bpy.data.cameras, bpy.data.meshes, bpy.data.collections):
        bpy.data.batch_remove([block for block in blocks if block != kept])


def load_model(session: ModuleType) -> set[str]:
    return bpy.ops.dnerf.load_model()


def place_cameras(session: ModuleType) -> set[str]:
    bpy.context.scene.dnerf.model_facts = ""  # or the worker is not asked
    return bpy.ops.dnerf.place_cameras()


def animate_camera(session: ModuleType) -> set[str]:
    bpy.context.scene.dnerf.model_facts = ""
    return bpy.ops.dnerf.animate_camera()


def render_views(session: ModuleType) -> set[str]:
    return bpy.ops.dnerf.render_views()


def render_selected(session: ModuleType) -> set[str]:
    for item in bpy.context.scene.objects:
        item.select_set(item.type == "CAMERA")
    bpy.context.scene.dnerf.view_source = "SELECTED"
    return bpy.ops.dnerf.render_views()


def render_video(session: ModuleType) -> set[str]:
    bpy.context.scene.dnerf.into_sequencer = True
    return bpy.ops.dnerf.render_video()


def fuse_cloud(session: ModuleType) -> set[str]:
    return bpy.ops.dnerf.fuse_cloud()


def sample_views(session: ModuleType) -> set[str]:
    return bpy.ops.dnerf.sample_views()


def open_annotations(session: ModuleType) -> set[str]:
    finished(session, bpy.ops.dnerf.sample_views())
    return bpy.ops.dnerf.open_annotations()


def painted(session: ModuleType) -> None:
    """One view of the annotation folder has a mask."""
    from blender_addon.annotation_list import annotation_labels
    from blender_addon.painting.mask_files import open_view_mask

    finished(session, bpy.ops.dnerf.sample_views())
    view = bpy.context.scene.dnerf.annotation_items[0].name
    finished(session, bpy.ops.dnerf.render_views())
    side = bpy.data.images["s0003_v00"].size[0]
    ids = np.zeros((side, side), np.uint8)
    ids[side // 4 : side // 2], ids[side // 2 :] = 1, 2
    bpy.context.scene.dnerf.annotation_index = 0
    paint(open_view_mask(bpy.context.scene, view), ids, annotation_labels(bpy.context.scene))
    assert bpy.ops.dnerf.save_mask() == {"FINISHED"}


def prefill(session: ModuleType) -> set[str]:
    painted(session)
    return bpy.ops.dnerf.prefill()


def train(session: ModuleType) -> set[str]:
    painted(session)
    return bpy.ops.dnerf.train()


def invert_photo(session: ModuleType) -> set[str]:
    finished(session, bpy.ops.dnerf.render_views())
    picture = Path(bpy.context.scene.dnerf.views_folder) / "images" / "s0003_v00.png"
    return bpy.ops.dnerf.invert_photo(filepath=str(picture), steps=4)


def edit_mask(session: ModuleType) -> set[str]:
    return bpy.ops.dnerf.edit_mask()


def apply_edit(session: ModuleType) -> set[str]:
    finished(session, bpy.ops.dnerf.render_views())
    finished(session, bpy.ops.dnerf.fuse_cloud())
    finished(session, bpy.ops.dnerf.edit_mask())
    repaint(bpy.context.scene.dnerf.edit_image)
    return bpy.ops.dnerf.apply_edit()


def step_edit(session: ModuleType) -> set[str]:
    finished(session, apply_edit(session), 300)
    return bpy.ops.dnerf.step_edit(step=-1)


def repaint(image: Any) -> None:
    """Some pixels of the mask become another part's."""
    from blender_addon.model_facts import known_facts
    from blender_addon.scene.annotation import ids_of

    labels = known_facts(bpy.context.scene).labels
    ids = ids_of(image, labels).ids.copy()
    ids[:, : len(ids) // 3] = 2
    paint(image, ids, labels)


DOORS: dict[Callable[[ModuleType], set[str]], int] = {
    load_model: 1,
    place_cameras: 1,
    animate_camera: 1,
    render_views: 2,
    render_selected: 2,
    render_video: 2,
    fuse_cloud: 2,
    sample_views: 2,
    open_annotations: 1,
    prefill: 1,
    train: 2,
    invert_photo: 2,
    edit_mask: 2,
    apply_edit: 4,  # the model, the edit, the views, the cloud
    step_edit: 3,
}
"""How many requests each makes of the worker."""
LAST_STEPS = [(door, steps - 1) for door, steps in DOORS.items()]
"""Where each has its results in hand; those between are tried for an edit, which has most."""


def until_step(session: ModuleType, step: int) -> None:
    """Hear the worker until the job's request of that number runs."""
    current, numbers = session.current(), set()
    end = time.monotonic() + 60
    while True:
        assert current.job is not None, current.status
        numbers.add(current.job.number)
        if len(numbers) > step:
            return
        assert time.monotonic() < end, (numbers, current.job)
        if not current.poll():
            time.sleep(0.001)


def settings_of(scene: Scene) -> dict[str, str]:
    """All that the panel keeps in a scene."""
    settings = scene.dnerf
    return {name: repr(getattr(settings, name)) for name in dict(settings.bl_rna.properties) if name not in ("name", "rna_type")}


def no_button_is_gray(session: ModuleType) -> None:
    """The job has ended, the status says how, and the next click works."""
    current = session.current()
    assert current.job is None and current.status
    assert bpy.ops.dnerf.render_views.poll() and bpy.ops.dnerf.load_model.poll() and not bpy.ops.dnerf.cancel.poll()
    assert finished(session, bpy.ops.dnerf.load_model()).endswith("2 labels")


@pytest.mark.parametrize(
    ("door", "step"),
    [*LAST_STEPS, (render_views, 0), (apply_edit, 1), (apply_edit, 2)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_renamed_scene_gets_its_results(session: ModuleType, scene: Scene, door: Callable[..., set[str]], step: int) -> None:
    """Another one gets the name meanwhile, and the window shows that one."""
    assert door(session) == {"FINISHED"}
    until_step(session, step)
    scene.name = "Renamed"
    bpy.data.scenes[OTHER].name = WORK
    bpy.context.window.scene = bpy.data.scenes[WORK]
    for item in list(scene.objects):
        item.name = f"other {item.name}"
    for collection in bpy.data.collections:
        collection.name = f"other {collection.name}"
    before = settings_of(bpy.data.scenes[WORK])
    current = session.current()
    assert current.wait(120) and current.level == "INFO", current.status
    assert scene.dnerf.model_facts
    assert settings_of(bpy.data.scenes[WORK]) == before and not bpy.data.scenes[WORK].objects
    no_button_is_gray(session)


@pytest.mark.parametrize(("door", "step"), [*LAST_STEPS, (apply_edit, 2)], ids=lambda value: getattr(value, "__name__", value))
def test_a_deleted_scene_ends_the_job_with_its_line(
    session: ModuleType, scene: Scene, door: Callable[..., set[str]], step: int
) -> None:
    assert door(session) == {"FINISHED"}
    until_step(session, step)
    bpy.context.window.scene = bpy.data.scenes[OTHER]
    bpy.data.scenes.remove(scene)
    current = session.current()
    assert current.wait(120)
    if current.level != "INFO":  # a video, for one, is whole without it
        assert current.status.startswith("scene 'Work': expected it in this file, found it no more; "), current.status
    else:
        assert door is render_video and step == 1, current.status
    no_button_is_gray(session)


def test_what_is_on_disk_is_named_where_its_scene_is_gone(session: ModuleType, scene: Scene, tmp_path: Path) -> None:
    train(session)
    bpy.context.window.scene = bpy.data.scenes[OTHER]
    bpy.data.scenes.remove(scene)
    assert session.current().wait(120)
    assert session.current().status.endswith(f"found it no more; the new model is {tmp_path / 'new.safetensors'}")
    assert (tmp_path / "new.safetensors").is_file()


@pytest.mark.parametrize("step", [0, 1])
def test_images_deleted_and_renamed_in_a_job(session: ModuleType, scene: Scene, step: int) -> None:
    finished(session, bpy.ops.dnerf.render_views())
    bpy.data.images["s0003_v01"].name = "mine"
    kept = bpy.data.images["mine"].session_uid
    bpy.ops.dnerf.render_views()
    until_step(session, step)
    bpy.data.images.remove(bpy.data.images["s0003_v00"])
    assert session.current().wait(60) and session.current().level == "INFO", session.current().status
    assert {"s0003_v00", "s0003_v01", "mine"} <= set(bpy.data.images.keys())
    assert bpy.data.images["mine"].session_uid == kept
    no_button_is_gray(session)


@pytest.mark.parametrize("what", ["renamed", "deleted"])
def test_selected_cameras_are_those_of_the_click(session: ModuleType, scene: Scene, what: str) -> None:
    render_selected(session)
    first, second = (bpy.data.objects[name] for name in ("dnerf v00", "dnerf v01"))
    if what == "renamed":
        first.name, second.name = "near", "dnerf v00"
    else:
        bpy.data.objects.remove(first)
    assert session.current().wait(60)
    if what == "renamed":
        assert session.current().level == "INFO" and "s0003_near" in bpy.data.images
    else:
        assert session.current().status.startswith("object 'dnerf v00': expected it in this file, found it no more; ")
    no_button_is_gray(session)


@pytest.mark.parametrize("what", ["renamed", "deleted", "edited"])
def test_clouds_that_follow_an_edit(session: ModuleType, scene: Scene, what: str) -> None:
    """One of two is renamed, deleted or put into edit mode while the first is being fused anew; what is the artist's is not replaced."""
    for _ in range(2):
        finished(session, bpy.ops.dnerf.fuse_cloud())
    finished(session, bpy.ops.dnerf.edit_mask())
    repaint(scene.dnerf.edit_image)
    bpy.ops.dnerf.apply_edit()
    current = session.current()
    while "anew" not in current.job.title:
        current.poll()
    until_step(session, 1)
    second = bpy.data.objects["cloud s0003.001"]
    uid = second.session_uid
    if what == "renamed":
        second.name = "hero"
    elif what == "deleted":
        bpy.data.objects.remove(second)
    else:
        bpy.context.view_layer.objects.active = second
        bpy.ops.object.mode_set(mode="EDIT")
    assert current.wait(120) and current.level == "INFO", current.status
    clouds = [item for item in scene.objects if item.name.startswith(("cloud", "hero"))]
    assert len(clouds) == {"renamed": 2, "deleted": 1, "edited": 2}[what]
    left = [item for item in clouds if item.session_uid == uid]
    assert len(left) == (what != "deleted") and all(item.mode == "EDIT" for item in left if what == "edited")
    if left:
        bpy.ops.object.mode_set(mode="OBJECT")
    no_button_is_gray(session)


@pytest.mark.parametrize("what", ["renamed", "deleted"])
def test_the_mask_of_an_edit_is_held_by_the_image(session: ModuleType, scene: Scene, what: str) -> None:
    from blender_addon.edit_view import is_edited_image

    finished(session, bpy.ops.dnerf.edit_mask())
    image = scene.dnerf.edit_image
    repaint(image)
    if what == "renamed":
        image.name = "my mask"
        assert is_edited_image(scene, bpy.data.images["my mask"]) and not is_edited_image(scene, bpy.data.images["s0003_edit"])
        assert "of the painted pixels taken" in finished(session, bpy.ops.dnerf.apply_edit(), 120)
    else:
        bpy.ops.dnerf.apply_edit()
        bpy.data.images.remove(image)
        assert session.current().wait(60)
        assert "expected an image of that name, found none; press Edit Mask again" in session.current().status
    no_button_is_gray(session)


def test_an_error_of_the_extension_ends_the_job_and_the_timer_lives_on(
    session: ModuleType, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon.operators import views

    def break_down(self: object, index: int, part: dict[str, Any]) -> None:
        raise KeyError("gone")

    current = session.current()
    bpy.ops.dnerf.render_views()
    until_step(session, 1)
    with monkeypatch.context() as patch:
        patch.setattr(views.CollectedViews, "take", break_down)
        end = time.monotonic() + 60
        with pytest.raises(KeyError, match="gone"):
            while time.monotonic() < end:
                session._timer._called()  # what Blender calls where it has a window
                time.sleep(0.001)
        assert bpy.app.timers.is_registered(session._timer._called)
    assert current.job is None and current.level == "ERROR"
    assert current.status.startswith(
        "Rendering views: expected to take in what the engine sent, found a fault of the extension ("
    )
    assert "KeyError: 'gone'" in current.status
    # what is still coming of it is let go, and ends no other job
    assert "2 views in" in finished(session, bpy.ops.dnerf.render_views())
    no_button_is_gray(session)


def test_params_that_cannot_be_sent_begin_no_job(session: ModuleType, scene: Scene) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        session.current().start_job("Nothing", "status", {"value": float("nan")}, lambda _: None)
    assert session.current().job is None
    finished(session, bpy.ops.dnerf.load_model())


def test_a_later_step_that_cannot_be_sent_ends_the_job(session: ModuleType, scene: Scene) -> None:
    current = session.current()
    ends: list[bool] = []

    def go_on(_: dict[str, Any]) -> None:
        current.job.at_end = lambda: ends.append(True)
        current.continue_job("status", {"value": float("nan")}, lambda _: None)

    current.start_job("Something", "status", {}, go_on)
    with pytest.raises(ValueError, match="Out of range float"):
        current.wait(60)
    assert current.status.startswith("Something: expected to take in") and ends == [True]
    no_button_is_gray(session)


def test_a_quiet_request_that_meets_an_error_ends_no_job(session: ModuleType, scene: Scene) -> None:
    """And hears of it once."""
    from blender_addon.bridge.errors import WorkerError

    current = session.current()
    faults: list[str] = []

    def break_down(_: dict[str, Any]) -> None:
        raise WorkerError("no array here")

    bpy.ops.dnerf.render_views()
    current.ask("status", {}, break_down, on_error=lambda fault: faults.append(fault.message))
    assert current.wait(60) and current.level == "INFO", current.status
    assert faults == ["no array here"]


def test_a_new_worker_is_asked_by_the_live_preview(session: ModuleType, scene: Scene) -> None:
    """Whoever waits is told where the worker is ended by hand, and the job's end is told as at any other time."""
    current, ends, codes = session.current(), [], []
    scene.dnerf.live_preview = True
    assert current.wait(60)
    bpy.ops.dnerf.render_views()
    current.job.at_end = lambda: ends.append(True)
    current.ask("status", {}, lambda _: None, on_error=lambda fault: codes.append(int(fault.code)))
    assert "worker ready" in finished(session, bpy.ops.dnerf.restart_worker())
    assert (ends, codes) == ([True], [3])
    scene.name = "Renamed"
    assert scene.dnerf.live_preview
    scene.dnerf.live_preview = False


def test_the_live_preview_of_a_deleted_scene_is_off(session: ModuleType, scene: Scene) -> None:
    from blender_addon import preview

    scene.dnerf.live_preview = True
    assert preview._timer._called() is not None
    bpy.context.window.scene = bpy.data.scenes[OTHER]
    bpy.data.scenes.remove(scene)
    assert preview._timer._called() is None and not preview._state.scenes
    assert session.current().wait(60)


def test_views_that_a_scene_shows_are_its_own_after_renaming(session: ModuleType, scene: Scene) -> None:
    """As undo finds them: the scene says another subject than its images hold."""
    from blender_addon.shown_views import are_stale, known_shown

    finished(session, bpy.ops.dnerf.render_views())
    before = scene.dnerf.shown_views
    scene.dnerf.seed = 4
    finished(session, bpy.ops.dnerf.render_views())
    scene.name, bpy.data.scenes[OTHER].name = "Renamed", WORK
    assert not are_stale(scene)
    scene.dnerf.shown_views = before
    assert known_shown(scene).stem == "s0003" and are_stale(scene) and not are_stale(bpy.data.scenes[WORK])


def test_another_file_ends_what_a_job_has_begun(session: ModuleType, scene: Scene) -> None:
    from blender_addon import icons

    invert_photo(session)
    end = time.monotonic() + 60
    while not icons.has_picture() and time.monotonic() < end:
        session.current().poll()
    assert icons.has_picture()
    bpy.ops.wm.read_homefile()
    assert session.current().job is None and not icons.has_picture()


def test_nothing_is_looked_up_by_a_name_that_may_have_changed() -> None:
    """Scenes, objects and collections are held by `lasting.identity`."""
    by_name = re.compile(r"bpy\.data\.(?:scenes|objects|collections)(?:\[|\.get\()")
    found = [
        f"{path.relative_to(REPOSITORY).as_posix()}:{number}"
        for path in sorted((REPOSITORY / "blender_addon").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if by_name.search(line)
    ]
    assert found == []
