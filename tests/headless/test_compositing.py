"""Subjects in an artist's scene, by files as Blender writes them: a data set with one label set, which never forgets or mixes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.camera import arc_cameras
from dnerf_core.datasets.labeled_views import LabeledViews
from dnerf_core.errors import DNeRFError
from dnerf_core.labels import Label, LabelSet, default_colors
from dnerf_core.subject_key import SubjectKey
from dnerf_core.worker_protocol import Code
from headless import cli
from headless.runs.adding.call import AddedTo, AddViewsCall
from headless.runs.adding.views import add_views
from headless.runs.compositing.call import CompositeCall
from headless.runs.compositing.scene_files import SceneFiles, read_scene
from headless.runs.compositing.views import check_composite, composite
from tests.headless.fake_engine import SIZE_PX, FakeModel, FakeSubject, fake_facts
from tests.headless.test_extend import contents
from tests.headless.tiny_engine import LABELS, TINY
from tests.headless.worker_talk import Talk, named

CAMERAS = arc_cameras(fake_facts("demo-cars", masks=True).config.cameras, (-30.0, 30.0), (12.0, 12.0), count=2)
INDICES = (3, 40)
UNITS = 2.0
"""Of the scene, a unit of the model."""
NOTHING = 1e10


def merged(own: LabelSet, names: tuple[str, ...] = ("object:Cube", "object:Ground")) -> LabelSet:
    colors = default_colors(len(names), tuple(label.color for label in own.labels))
    added = [Label(own.num_classes + k, name, color) for k, (name, color) in enumerate(zip(names, colors, strict=True))]
    return LabelSet((*own.labels, *added))


@pytest.fixture
def subjects(fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """Discs, which have no planes."""
    monkeypatch.setattr(FakeSubject, "planes", None, raising=False)
    return fake_model


def scene_files(folder: Path, name: str, depth: NDArray[np.float32], index: NDArray[np.float32], **options: Any) -> SceneFiles:
    """A gray picture, and passes as Blender writes them."""
    folder.mkdir(exist_ok=True)
    color = np.array([options.get("gray", 90)] * 3 + [255], np.uint8)
    Image.fromarray(np.broadcast_to(color, (SIZE_PX, SIZE_PX, 4)).copy()).save(folder / f"{name}.png")
    names = options.get("names", ("Depth.Z", "IndexOB.X", "IndexMA.X"))
    arrays = (depth, index, np.zeros_like(index))
    channels = {f"View.Layer.{pass_name}": array for pass_name, array in zip(names, arrays, strict=True)}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(folder / f"{name}.exr"))
    return SceneFiles(folder / f"{name}.png", folder / f"{name}.exr", UNITS, options.get("frame", 1))


def half_hidden(folder: Path, name: str = "scene", columns: int = SIZE_PX // 2, **options: Any) -> SceneFiles:
    """Something with the index 3 before the left columns, and the ground, index 40, behind all."""
    side = 3 * SIZE_PX
    depth = np.full((side, side), 50.0 * UNITS, np.float32)
    index = np.full((side, side), 40, np.float32)
    depth[:, : 3 * columns], index[:, : 3 * columns] = 0.5 * UNITS, 3
    depth[:3], index[:3] = NOTHING, 0
    return scene_files(folder, name, depth, index, **options)


def call(folder: Path, scenes: list[SceneFiles], seed: int = 3, own: LabelSet | None = None, **options: Any) -> CompositeCall:
    own = own or fake_facts("demo-cars", masks=True).labels
    assert own is not None
    fields: dict[str, Any] = {
        "label_set": merged(own),
        "indices": INDICES,
        "blend_file": "shop.blend",
        "blender": "4.5.15 LTS",
        **options,
    }
    cameras = CAMERAS[: len(scenes) or 1]
    return CompositeCall(subject=SubjectKey(seed, 1.0), cameras=cameras, scenes=scenes, output=folder, workers=1, **fields)


def test_the_folder_is_a_data_set_of_both(subjects: FakeModel, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    scenes = [half_hidden(tmp_path / "blender", "a"), half_hidden(tmp_path / "blender", "b", 5, frame=7)]
    told: list[str] = []
    there = composite(call(folder, scenes, camera_names=("Camera", "Left")), take=lambda number, name, view: told.append(name))
    assert there == AddedTo(("s0003_v00", "s0003_v01"), 2, 2, 1) and sorted(told) == list(there.names)
    alone = subjects.subject(3).channels(CAMERAS[0], SIZE_PX, ("rgb", "mask", "depth"))
    assert alone.mask is not None and alone.depth_planar is not None and alone.rgb is not None
    present = np.isfinite(alone.depth_planar)
    expected = np.where(present, alone.mask, 6)
    expected[:, : SIZE_PX // 2] = 5
    expected[0] = alone.mask[0]
    views = LabeledViews(folder)
    sample = views[0]
    np.testing.assert_array_equal(sample["mask"].numpy(), expected)
    depth = np.where(present, alone.depth_planar, 50.0)
    depth[:, : SIZE_PX // 2] = 0.5
    depth[0] = np.where(present[0], alone.depth_planar[0], np.inf)
    np.testing.assert_array_equal(sample["depth"].numpy(), depth)
    image = sample["image"].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(image[1:, : SIZE_PX // 2], 90)
    np.testing.assert_array_equal(image[expected >= 5], 90)
    own = (expected > 0) & (expected < 5)
    np.testing.assert_array_equal(image[own], alone.rgb[own])
    assert views.labels is not None and views.labels.names[-2:] == ("object:Cube", "object:Ground")
    names = json.loads((folder / "id2label.json").read_text())
    assert (names["1"], names["5"], names["6"]) == ("hood", "object:Cube", "object:Ground")
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [(row["camera"], row["blend_file"], row["blender"], row["frame"]) for row in rows] == [
        ("Camera", "shop.blend", "4.5.15 LTS", 1),
        ("Left", "shop.blend", "4.5.15 LTS", 7),
    ]
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "checksums.sha256"], cwd=folder, check=True)
    assert (
        "rendered by Blender" in (folder / "README.md").read_text()
        and "dnerf-headless render" not in (folder / "README.md").read_text()
    )


def test_a_scene_that_has_changed_is_another_view_of_the_same_camera(subjects: FakeModel, tmp_path: Path) -> None:
    folder, made = tmp_path / "set", tmp_path / "blender"
    first = half_hidden(made, "a")
    assert composite(call(folder, [first])) == AddedTo(("s0003_v00",), 1, 1, 1)
    before = contents(folder / "masks")
    again = half_hidden(made, "again")
    assert composite(call(folder, [again])) == AddedTo(("s0003_v00",), 0, 1, 1), "the same picture, in another file"
    assert composite(call(folder, [half_hidden(made, "b", 5)])) == AddedTo(("s0003_v01",), 1, 2, 1)
    assert composite(call(folder, [half_hidden(made, "c", gray=91)])) == AddedTo(("s0003_v02",), 1, 3, 1), "another light"
    assert composite(call(folder, [first], seed=5)) == AddedTo(("s0005_v00",), 1, 4, 2)
    assert contents(folder / "masks").items() >= before.items()
    one_camera = half_hidden(made, "e", 9)
    moving = call(folder, [half_hidden(made, "d", 7), one_camera])
    there = composite(dataclasses.replace(moving, cameras=[CAMERAS[0], CAMERAS[0]]))
    assert there.names == ("s0003_v03", "s0003_v04"), "a camera that stands, and a scene that moves"
    shares = {sample["name"]: int((sample["mask"] == 5).sum()) for sample in LabeledViews(folder)}
    assert [shares[f"s0003_v{view:02d}"] for view in range(5)] == [columns * (SIZE_PX - 1) for columns in (12, 5, 12, 7, 9)]


def test_material_indices_and_the_names_of_blender_5(subjects: FakeModel, tmp_path: Path) -> None:
    side = SIZE_PX
    depth, index = np.full((side, side), 0.5, np.float32), np.full((side, side), 40, np.float32)
    names = ("Depth.Z", "Material Index.X", "Object Index.X")
    files = scene_files(tmp_path, "five", depth, index, names=names)
    scene = read_scene(files, "material", INDICES, 5, SIZE_PX)
    np.testing.assert_array_equal(scene.mask, 6)
    np.testing.assert_array_equal(scene.depth_planar, 0.25)
    assert scene.rays_a_side == 1
    assert not read_scene(files, "object", INDICES, 5, SIZE_PX).mask.any()


def test_a_model_without_labels(subjects: FakeModel, tmp_path: Path) -> None:
    subjects.masks = False
    own = LabelSet.from_names(["subject"])
    composite(call(tmp_path / "set", [half_hidden(tmp_path / "blender")], own=own))
    (sample,) = LabeledViews(tmp_path / "set")
    assert sorted(np.unique(sample["mask"].numpy()).tolist()) == [0, 1, 2, 3]


def test_what_a_folder_does_not_take_is_refused_before_the_scene_is_rendered(
    subjects: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, scene = tmp_path / "set", half_hidden(tmp_path / "blender")
    check_composite(call(folder, []))
    assert not folder.exists()
    composite(call(folder, [scene]))
    before = contents(folder)
    check_composite(call(folder, []))
    other = merged(fake_labels(), ("object:Cube", "object:Wall"))
    with pytest.raises(DNeRFError, match=r"labels\.json: expected the labels .*, found others; choose another folder"):
        check_composite(call(folder, [], label_set=other))
    with pytest.raises(DNeRFError, match=r"expected views of 24 x 24 px, as those that are there, found 32 x 32 px"):
        check_composite(call(folder, [], resolution=32))
    with pytest.raises(DNeRFError, match=r"label_set: expected background, .* then 2 of the scene, found background, a, b"):
        check_composite(call(folder, [], label_set=LabelSet.from_names(["a", "b"])))
    plain = AddViewsCall(subject=SubjectKey(3, 1.0), cameras=CAMERAS, output=folder, workers=1)
    with pytest.raises(
        DNeRFError, match="expected a data set of views, as render writes it, found one of composite; choose another"
    ):
        add_views(plain)
    assert cli.run(["render", "--verify", "-o", str(folder)]) != 0
    assert "holds the results of another call, the command was composite and is now render" in capsys.readouterr().err
    assert contents(folder) == before
    views = tmp_path / "views"
    add_views(dataclasses.replace(plain, output=views))
    with pytest.raises(DNeRFError, match="expected a data set of subjects composed with a scene, found one of render"):
        check_composite(call(views, []))
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "letter.txt").touch()
    with pytest.raises(DNeRFError, match=r"expected an empty folder or a data set of views, found 'letter\.txt'"):
        check_composite(call(strange, []))


def fake_labels() -> LabelSet:
    labels = fake_facts("demo-cars", masks=True).labels
    assert labels is not None
    return labels


def test_scenes_that_cannot_be_used_leave_nothing(subjects: FakeModel, tmp_path: Path) -> None:
    folder, made = tmp_path / "set", tmp_path / "blender"
    good = half_hidden(made)
    with pytest.raises(DNeRFError, match=r"expected the pass indices 3 of objects in the scene, found 40; give the object"):
        composite(call(folder, [good], indices=(3,), label_set=merged(fake_labels(), ("object:Cube",))))
    small = scene_files(made, "small", np.ones((20, 20), np.float32), np.zeros((20, 20), np.float32))
    with pytest.raises(DNeRFError, match="expected an odd number of rays a pixel"):
        composite(call(folder, [small]))
    lacking = scene_files(made, "no", np.ones((24, 24), np.float32), np.zeros((24, 24), np.float32), names=("A.Z", "B.X", "C.X"))
    with pytest.raises(DNeRFError, match="expected the pass Depth, found A, B, C"):
        composite(call(folder, [lacking]))
    with pytest.raises(DNeRFError, match="expected passes that Blender rendered, it cannot be read"):
        composite(call(folder, [dataclasses.replace(good, passes=good.picture)]))
    with pytest.raises(DNeRFError, match="scenes: expected one for each of 1 cameras, found 2"):
        dataclasses.replace(call(folder, [good]), scenes=[good, good])
    with pytest.raises(DNeRFError, match="scenes: expected one for each camera, found none"):
        composite(call(folder, []))
    with pytest.raises(DNeRFError, match="indices: expected each pass index once"):
        call(folder, [good], indices=(3, 3))
    assert not folder.exists() or not list(folder.iterdir())


def test_the_worker_composes(tmp_path: Path, trained_model: Path) -> None:
    talk, folder = Talk(), tmp_path / "set"
    scenes = [half_hidden(tmp_path / "blender", "a"), half_hidden(tmp_path / "blender", "b", 5)]
    request: dict[str, Any] = {
        "model": str(trained_model),
        "seed": 1,
        "cameras": named(arc_cameras(TINY.cameras, (-30, 30), (12, 12), count=2)),
        "size_px": SIZE_PX,
        "output": str(folder),
        "label_set": merged(LABELS).to_json(),
        "indices": list(INDICES),
    }
    given = [
        {"picture": str(made.picture), "passes": str(made.passes), "depth_scale": UNITS, "frame": made.frame} for made in scenes
    ]
    try:
        assert talk.call("composite", **request, check_only=True).done() == {}
        assert not folder.exists()
        heard = talk.call("composite", **request, scenes=given)
        assert (heard.done()["names"], heard.done()["written"]) == (["s0001_v00", "s0001_v01"], 2)
        masks = {part["index"]: talk.client.array(part["mask"]) for part in heard.parts}
        for index, sample in enumerate(LabeledViews(folder)):
            np.testing.assert_array_equal(sample["mask"].numpy(), masks[index])
            assert (masks[index] == LABELS.num_classes).any()
        assert all(made.picture.exists() and made.passes.exists() for made in scenes), "they are the client's"
        for wrong, message in (
            (
                {"scenes": [given[0] | {"depth_scale": 0}, given[1]]},
                "params: scenes[0]: depth_scale: expected a number from 1e-09",
            ),
            ({"scenes": [given[0] | {"picture": "a.png"}, given[1]]}, "params: scenes[0]: picture: expected an absolute path"),
            ({"scenes": given[:1]}, "scenes: expected one for each of 2 cameras, found 1"),
            ({"scenes": given, "indices": [0, 3]}, "params: indices: expected a list of 1 to"),
            ({"scenes": given, "label_set": LABELS.to_json()}, "then 2 of the scene, found"),
        ):
            code, found = talk.call("composite", **request | wrong).failed()
            assert code in (Code.WRONG_CALL, Code.FAILED) and message in found
    finally:
        talk.client.stop(1.0)
