"""The live preview without a window: whose turn it is, where its picture lies, and what an orthographic viewport asks for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dnerf_core.camera import ENGINE_TO_BLENDER
from tests.blender.fused import demo, fused

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

import mathutils  # noqa: E402

from blender_addon.previewing.pictures import shown_size_px  # noqa: E402
from blender_addon.previewing.placing import Free, Place, place_aside  # noqa: E402
from blender_addon.previewing.turns import RegionPreview, UnderWay, next_turn  # noqa: E402
from blender_addon.viewport_camera import is_orthographic, viewport_square  # noqa: E402

REGION_PX = (700, 500)


# --- turns


def regions(count: int) -> list[RegionPreview]:
    return [RegionPreview(number, 0, wanted=f"view {number}") for number in range(count)]


def play(entries: list[RegionPreview], moving: set[int], steps: int) -> list[tuple[int, str]]:
    """What is made, region by region: a worker that gives a coarse picture, then the whole one if it may."""
    made: list[tuple[int, str]] = []
    under_way: UnderWay | None = None
    for step in range(steps):
        for number in moving:
            entries[number].wanted = f"view {number} at {step}"
        entry = next_turn(entries, under_way)
        if entry is not None:
            entry.requested, entry.turn = entry.wanted, step + 1
            under_way = UnderWay(entry)
        elif under_way is not None and not under_way.has_coarse:
            under_way.has_coarse = True
            made.append((under_way.entry.region, "coarse"))
        elif under_way is not None:
            made.append((under_way.entry.region, "whole"))
            under_way = None
    return made


def test_viewports_at_rest_all_get_their_whole_picture_once() -> None:
    made = play(regions(3), set(), 30)
    assert made == [pair for number in range(3) for pair in ((number, "coarse"), (number, "whole"))]


def test_one_that_moves_is_followed_and_the_others_have_their_turns() -> None:
    made = play(regions(3), {0}, 60)
    assert [pair for pair in made if pair[0] > 0] == [(1, "coarse"), (1, "whole"), (2, "coarse"), (2, "whole")]
    assert sum(pair == (0, "coarse") for pair in made) >= 20
    assert (0, "whole") not in made, "out of date before it was there"
    both = play(regions(2), {0, 1}, 60)
    counts = [sum(pair == (number, "coarse") for pair in both) for number in (0, 1)]
    assert min(counts) >= 12 and abs(counts[0] - counts[1]) <= 1


def test_what_wants_nothing_is_not_asked_for() -> None:
    assert next_turn([], None) is None
    assert next_turn([RegionPreview(1, 0)], None) is None
    done = RegionPreview(1, 0, wanted="a", requested="a")
    assert next_turn([done], None) is None
    waiting = RegionPreview(2, 0, wanted="b")
    assert next_turn([done, waiting], UnderWay(done, has_coarse=True)) is None, "or the whole picture would never come"
    assert next_turn([done, waiting], None) is waiting


# --- places


def overlap(first: Place, second: Place) -> float:
    across = min(first.left_px + first.side_px, second.left_px + second.side_px) - max(first.left_px, second.left_px)
    return max(0.0, across)


@pytest.mark.parametrize(("left", "expected"), [(100.0, 300.0), (450.0, 250.0)])
def test_the_picture_lies_beside_a_cloud_where_there_is_more_room(left: float, expected: float) -> None:
    taken = Place(left, 150.0, 200.0)
    found = place_aside(taken, Free(0.0, 0.0, 700.0, 500.0))
    assert found == Place(expected, 150.0, 200.0)


def test_it_is_made_smaller_and_keeps_clear_of_panels() -> None:
    taken, free = Place(200.0, 50.0, 300.0), Free(40.0, 0.0, 620.0, 500.0)
    found = place_aside(taken, free)
    assert found == Place(40.0, 120.0, 160.0) and overlap(found, taken) == 0.0
    assert place_aside(Place(50.0, -100.0, 200.0), free).bottom_px == 0.0, "within the region"


def test_without_room_it_is_in_a_corner() -> None:
    taken, free = Place(-100.0, -50.0, 900.0), Free(0.0, 0.0, 620.0, 500.0)
    found = place_aside(taken, free)
    assert found == Place(0.0, 0.0, 150.0)


def test_the_size_that_is_asked_for() -> None:
    assert [shown_size_px(side, 256) for side in (1.0, 33.0, 200.0, 4000.0)] == [32, 64, 224, 256]


# --- orthographic viewports


def window_matrix(scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Blender's of an orthographic viewport that is `scale` high and moved aside, as when looking through a shifted camera."""
    width, height = REGION_PX
    half = scale / 2.0
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = height / width / half, 1.0 / half, -0.01
    matrix[0, 3], matrix[1, 3] = shift
    return matrix


def placed(yaw: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A viewport's pose, and a subject's place."""
    turn = mathutils.Euler((1.2, 0.1, yaw)).to_matrix().to_4x4()
    view2world = np.array(mathutils.Matrix.Translation((3.0, -2.0, 1.0)) @ turn)
    root = mathutils.Matrix.LocRotScale((0.4, 0.3, 0.2), mathutils.Euler((0.2, -0.1, 0.5)), (scale,) * 3)
    return view2world, np.array(root)


def region_px(view2world: np.ndarray, matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where world points [N, 3] are in the region, from its bottom left, [N, 2]."""
    whole = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    clip = whole @ (matrix @ np.linalg.inv(view2world)).T
    return (clip[:, :2] / clip[:, 3:] + 1.0) / 2.0 * REGION_PX


@pytest.mark.parametrize(("yaw", "scale", "shift"), [(0.3, 1.0, (0.0, 0.0)), (2.0, 0.5, (0.1, -0.05)), (-1.0, 2.5, (0.0, 0.2))])
def test_an_orthographic_viewports_points_are_where_the_camera_sees_them(
    yaw: float, scale: float, shift: tuple[float, float]
) -> None:
    """To 1/600 of the box's side in the picture, as `FAR_BOXES` says."""
    box, matrix = 1.8, window_matrix(4.0 * scale, shift)
    view2world, root = placed(yaw, scale)
    assert is_orthographic(matrix)
    square = viewport_square(view2world, matrix, REGION_PX, root, "y", box)
    assert square is not None
    corners = np.array(list(itertools.product((-0.5, 0.0, 0.5), repeat=3))) * box
    in_world = corners @ ENGINE_TO_BLENDER[:3, :3].T @ root[:3, :3].T + root[:3, 3]
    uv, depth = square.camera.project(corners)
    assert (depth > 0).all()
    found = np.stack([square.left_px + uv[:, 0] * square.side_px, square.bottom_px + (1 - uv[:, 1]) * square.side_px], axis=1)
    expected = region_px(view2world, matrix, in_world)
    side_px = box * scale * matrix[1, 1] / 2.0 * REGION_PX[1]
    worst = np.abs(found - expected).max() / side_px
    print("worst, in sides of the box", worst)
    assert worst < 1.5 / 600  # corners of the cube are farther from its middle than its faces
    low, high = expected.min(axis=0), expected.max(axis=0)
    assert square.left_px < low[0] and square.bottom_px < low[1] and square.left_px + square.side_px > high[0]
    near = viewport_square(view2world, matrix, REGION_PX, root, "y", box, distance=2.7)
    assert near is not None and np.linalg.norm(near.camera.position) == pytest.approx(2.7)


def test_the_engine_sees_it_from_afar_as_its_cloud_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask of the far camera against the points of the cloud in the parallel projection."""
    pytest.importorskip("torch")
    model, subject = demo()
    view2world, root = placed(0.6, 1.0)
    matrix = window_matrix(3.0, (0.0, 0.0))
    square = viewport_square(view2world, matrix, REGION_PX, root, "y", model.config.box_side)
    assert square is not None
    size = 256
    from dnerf_core.camera import Camera

    view = subject.channels(
        Camera.from_json(square.camera.to_json()), size, ("rgb", "mask")
    )  # as a request has it: it is not refused
    assert 0.03 < (view.mask > 0).mean() < 0.8
    points = fused().points @ ENGINE_TO_BLENDER[:3, :3].T @ root[:3, :3].T + root[:3, 3]
    at = (region_px(view2world, matrix, points) - (square.left_px, square.bottom_px)) / square.side_px * size
    columns, rows = at[:, 0].astype(int), size - 1 - at[:, 1].astype(int)
    inside = (view.mask > 0)[np.clip(rows, 0, size - 1), np.clip(columns, 0, size - 1)]
    print("points of the cloud on the mask", inside.mean())
    assert inside.mean() > 0.97
    assert (view.mask > 0)[np.clip(rows + 12, 0, size - 1), np.clip(columns, 0, size - 1)].mean() < inside.mean() - 0.02


# --- scenes


def test_each_scene_has_a_preview_of_its_own(session: Any) -> None:
    from blender_addon import preview

    first, second = bpy.context.scene, bpy.data.scenes.new("Second")
    for scene in (first, second):
        scene.dnerf.live_preview = True
    assert first.dnerf.live_preview and second.dnerf.live_preview
    preview._state.regions = {
        number: RegionPreview(number, scene.session_uid) for number, scene in enumerate((first, second, second))
    }
    second.dnerf.live_preview = False
    assert first.dnerf.live_preview and not second.dnerf.live_preview
    assert list(preview._state.regions) == [0]
    bpy.data.scenes.remove(second)
    assert preview._timer._called() is not None and first.dnerf.live_preview
    first.dnerf.live_preview = False
    assert not preview._state.regions and not preview._state.scenes
    assert session.current().wait(60)


def test_another_model_is_asked_about_while_it_is_on(session: Any) -> None:
    """Or the viewport would say that it loads for ever."""
    from blender_addon import preview
    from blender_addon.model_facts import known_facts

    scene = bpy.context.scene
    scene.dnerf.live_preview = True
    for _ in range(2):
        assert session.current().wait(60)
        facts = known_facts(scene)
        assert facts is not None and facts.name == scene.dnerf.embedded_model
        scene.dnerf.embedded_model = "demo-people" if facts.name == "demo-cars" else "demo-cars"
        assert known_facts(scene) is None
        preview._timer._called()
    assert session.current().wait(60) and known_facts(scene).name == "demo-cars"
    scene.dnerf.live_preview = False
