"""The live preview without a window: whose turn it is, where its picture lies, and what is asked of which scene."""

from __future__ import annotations

from typing import Any

import pytest

bpy: Any = pytest.importorskip("bpy", reason="Blender is not installed as a Python module (pip install bpy)")

from blender_addon.previewing.pictures import shown_size_px  # noqa: E402
from blender_addon.previewing.placing import Free, Place, place_aside  # noqa: E402
from blender_addon.previewing.turns import RegionPreview, UnderWay, next_turn  # noqa: E402

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
