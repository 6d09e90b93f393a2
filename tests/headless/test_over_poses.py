"""`evaluate --consistency` over poses: two boxes as limbs, seen by formulas, whose figures are known by arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from dnerf_core.camera import Camera, cameras_to_json, look_at
from dnerf_core.files.pictures import write_depth, write_mask
from dnerf_core.labels import LabelSet
from dnerf_core.multiview import over_poses
from dnerf_core.multiview.over_poses import BodyView, pose_agreement
from dnerf_core.rendering.labeled_view import LabeledView
from headless import cli
from headless.scores import pose_consistency
from headless.scores.pose_consistency import compared_over_poses
from tests.headless.test_render import error_line

LABELS = LabelSet.from_names(["left", "right"])
SIDE_PX = 40
BOX = trimesh.creation.box((0.4, 0.6, 0.3)).subdivide().subdivide()
FACES = np.concatenate([BOX.faces, BOX.faces + len(BOX.vertices)]).astype(np.int32)
REST = ((-0.4, 0.0, 0.0), (0.4, 0.0, 0.0))


def limbs(
    *places: tuple[float, float, float], turn_deg: float = 0.0, scale: tuple[float, float, float] = (1, 1, 1)
) -> np.ndarray:
    """Vertices float32 [V, 3] of the two boxes at these places, both turned about y."""
    turn = trimesh.transformations.rotation_matrix(np.radians(turn_deg), (0, 1, 0))[:3, :3]
    return np.concatenate([BOX.vertices * scale @ turn.T + place for place in places]).astype(np.float32)


def camera_at(position: tuple[float, float, float], target: tuple[float, float, float] = (0, 0, 0)) -> Camera:
    return Camera(look_at(position, target), np.array([[1.5, 0, 0.5], [0, 1.5, 0.5], [0, 0, 1]]))


def seen(camera: Camera, vertices: np.ndarray, part_of_face: np.ndarray | None = None) -> LabeledView:
    """Exact depth and labels, by every ray against every triangle; the first box is label 1, the other 2."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    uv = np.stack([columns + 0.5, rows + 0.5], -1).reshape(-1, 2) / SIDE_PX
    far = camera.unproject(uv, np.ones(len(uv)))
    ways = far - camera.position  # so that a length along them is a planar depth
    a, b, c = (vertices.astype(np.float64)[FACES[:, k]] for k in range(3))
    across = np.cross(ways[:, None], (c - a)[None])
    determinant = (across * (b - a)).sum(-1)
    start = camera.position - a
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (across * start).sum(-1) / determinant
        other = np.cross(start, b - a)
        v = (other[None] * ways[:, None]).sum(-1) / determinant
        depth = (other * (c - a)).sum(-1) / determinant
    inside = 1e-9
    met = (u >= -inside) & (v >= -inside) & (u + v <= 1 + inside) & (depth > 0)
    depth = np.where(met, depth, np.inf)
    face = depth.argmin(axis=1)
    nearest = depth.min(axis=1)
    parts = (1 + (np.arange(len(FACES)) >= len(FACES) // 2)) if part_of_face is None else part_of_face
    mask = np.where(np.isfinite(nearest), parts[face], 0).astype(np.uint8)
    square = (SIDE_PX, SIDE_PX)
    return LabeledView.without_picture(camera, mask.reshape(square), nearest.astype(np.float32).reshape(square))


def relabelled(view: LabeledView, ids: list[int]) -> LabeledView:
    return LabeledView.without_picture(view.camera, np.array(ids, np.uint8)[view.mask], view.depth_planar)


def body(view: LabeledView, vertices: np.ndarray) -> BodyView:
    return BodyView.make(view, vertices, FACES)


FRONT = camera_at((0, 0, 3))


def test_labels_that_stay_on_their_limbs_agree_wholly_in_any_pose() -> None:
    poses = [
        limbs(*REST),
        limbs((-0.4, 0.1, 0.2), (0.5, -0.3, -0.3), turn_deg=25),
        limbs((0.5, 0, 0), (-0.5, 0, 0.1), turn_deg=-20),
    ]
    cameras = [FRONT, camera_at((1, 0.4, 2.8)), camera_at((-0.8, 0.5, 2.9))]
    bodies = [body(seen(camera, vertices), vertices) for camera, vertices in zip(cameras, poses, strict=True)]
    for one in bodies:
        for other in bodies:
            found = pose_agreement(one, other, LABELS.num_classes)
            assert found.covisible > 0.5
            assert (found.miou, found.accuracy) == (1.0, 1.0)


def test_labels_swapped_in_one_pose_by_arithmetic() -> None:
    """The body and the camera move alike, so that both pictures are the same and every pixel meets itself."""
    step = (0.25, -0.5, 0.125)
    here, there = limbs(*REST), limbs(*(tuple(np.add(place, step)) for place in REST))
    moved = camera_at(tuple(np.add((0, 0, 3), step)), step)
    one, other = body(seen(FRONT, here), here), seen(moved, there)
    np.testing.assert_array_equal(one.view.mask, other.mask)
    left, right = (int((other.mask == part).sum()) for part in (1, 2))
    assert min(left, right) > 50
    same = pose_agreement(one, body(other, there), LABELS.num_classes)
    assert (same.confusion.sum(), same.miou) == (left + right, 1.0)
    swapped = pose_agreement(one, body(relabelled(other, [0, 2, 1]), there), LABELS.num_classes)
    assert (swapped.accuracy, swapped.miou) == (0.0, 0.0)
    # all told left: the left limb agrees, the right one is taken for it
    all_left = pose_agreement(one, body(relabelled(other, [0, 1, 1]), there), LABELS.num_classes)
    assert all_left.confusion.tolist() == [[0, 0, 0], [0, left, 0], [0, right, 0]]
    assert all_left.iou_per_part == (pytest.approx(left / (left + right)), 0.0)


def test_a_hidden_limb_does_not_count() -> None:
    """In the other pose the right limb is behind the left one, where the camera looks past it."""
    here, behind = limbs(*REST), limbs(REST[0], (-0.4, 0, -0.5))
    one, other = body(seen(FRONT, here), here), body(seen(FRONT, behind), behind)
    assert (other.view.mask == 1).sum() > 50
    found = pose_agreement(one, other, LABELS.num_classes).confusion
    assert found[1, 1] > 50
    assert found[2].sum() == 0


def test_a_side_that_faces_away_does_not_count() -> None:
    """Sheets whose front is left and whose back is right, thinner than the tolerance: turned round, none of what was seen is."""
    thin = (1, 1, 0.01)
    here, turned = limbs(*REST, scale=thin), limbs(*REST, scale=thin, turn_deg=180)
    front = here[FACES].mean(axis=1)[:, 2] > 0.0014
    back = here[FACES].mean(axis=1)[:, 2] < -0.0014
    sides = np.where(front, 1, np.where(back, 2, 255))
    one, other = (body(seen(FRONT, vertices, sides), vertices) for vertices in (here, turned))
    assert (one.view.mask == 1).sum() > 100
    assert (other.view.mask == 2).sum() > 100
    assert pose_agreement(one, other, LABELS.num_classes).confusion.sum() == 0
    assert pose_agreement(one, one, LABELS.num_classes).accuracy == 1.0


def test_what_is_far_over_the_mesh_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    here = limbs(*REST)
    view = seen(FRONT, here)
    for height, share, counts in ((0.03, 0.04, True), (0.1, 0.04, False), (0.1, 0.1, True)):
        monkeypatch.setattr(over_poses, "HEIGHT_SHARE", share)
        nearer = LabeledView.without_picture(FRONT, view.label_ids(), (view.depth_planar - height).astype(np.float32))
        one = body(nearer, here)
        assert (pose_agreement(one, one, LABELS.num_classes).confusion.sum() > 100) == counts
        assert one.places.carried == np.isfinite(view.depth_planar).sum()


def test_pixels_of_a_view_and_views_of_a_subject_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    here = limbs(*REST)
    view = seen(FRONT, here)
    monkeypatch.setattr(over_poses, "MAX_PLACES", 100)
    found = pose_agreement(body(view, here), body(view, here), LABELS.num_classes)
    assert found.object_pixels == 100
    assert 90 <= found.confusion.sum() <= 100
    assert compared_over_poses(64) == list(range(64))
    chosen = compared_over_poses(500)
    assert (len(set(chosen)), chosen[0], chosen[-1]) == (64, 0, 499)


# The command


def pose_folder(path: Path, views: list[tuple[int, list[float], LabeledView, np.ndarray]], *, vertices: bool = True) -> Path:
    """Views of (seed, pose, view, vertices) as any program may write them."""
    for kind in ("depth", "masks", *(["vertices"] if vertices else [])):
        (path / kind).mkdir(parents=True)
    data = cameras_to_json([view.camera for _, _, view, _ in views])
    for entry, (seed, pose, view, places) in zip(data["views"], views, strict=True):
        entry |= {"seed": seed, "pose": pose}
        write_depth(path / "depth" / f"{entry['name']}.npy", view.depth_planar, "npy")
        write_mask(path / "masks" / f"{entry['name']}.png", view.label_ids(), LABELS.palette())
        if vertices:
            np.save(path / "vertices" / f"{entry['name']}.npy", places)
    (path / "cameras.json").write_text(json.dumps(data))
    (path / "labels.json").write_text(json.dumps(LABELS.to_json()))
    if vertices:
        np.savez(path / "template.npz", faces=FACES)
    return path


def two_subjects() -> list[tuple[int, list[float], LabeledView, np.ndarray]]:
    """One in three poses, with the labels swapped in the last; one in two poses, seen twice in the first."""
    step = (0.25, -0.5, 0.125)
    here, there = limbs(*REST), limbs(*(tuple(np.add(place, step)) for place in REST))
    moved = camera_at(tuple(np.add((0, 0, 3), step)), step)
    first, second = seen(FRONT, here), seen(moved, there)
    return [
        (3, [0.0, 0.0], first, here),
        (3, [1.0, 0.0], second, there),
        (3, [2.0, 0.0], relabelled(first, [0, 2, 1]), here),
        (8, [0.0, 0.0], first, here),
        (8, [0.0, 0.0], first, here),
        (8, [1.0, 0.0], second, there),
    ]


def events(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict]:
    capsys.readouterr()
    assert cli.run(["evaluate", "--consistency", *args, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_poses_are_compared_beside_views_of_one_pose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pose_folder(tmp_path / "views", two_subjects())
    told = events(capsys, str(folder))
    assert [event["event"] for event in told] == ["start", "object", "subject", "subject", "summary"]
    first, second, last = told[2], told[3], told[-1]
    # pairs of views: 0-1 agrees, 0-2 and 1-2 do not; every pixel meets itself
    assert (first["name"], first["pairs"], first["views"]) == ("s0003", 3, 3)
    assert first["agreement_accuracy"] == pytest.approx(1 / 3, abs=1e-6)
    assert (second["name"], second["pairs"], second["agreement"], second["covisible"]) == ("s0008", 2, 1.0, 1.0)
    assert last["over_poses"]["agreement_accuracy"] == pytest.approx(3 / 5, abs=1e-6)
    assert {key: last["over_poses"][key] for key in ("pairs", "subjects", "views", "views_compared")} == {
        "pairs": 5,
        "subjects": 2,
        "views": 6,
        "views_compared": 6,
    }
    # what one pose's views say of each other has figures of its own
    assert (last["objects"], last["views"], last["pairs"], last["agreement"]) == (1, 2, 1, 1.0)
    assert cli.run(["evaluate", "--consistency", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index(f"{folder}: 6 views of 2 subjects over poses, by their vertices")
    assert lines[place + 1].split() == ["over", "poses", "pairs", "mIoU", "accuracy", "co-visible"]
    assert lines[place + 2].split() == ["all", "5", "0.4286", "0.6000", "1.0000"]  # 6 of 14 for each label


def test_every_view_in_a_pose_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pose_folder(tmp_path / "views", two_subjects()[:3])
    whole = events(capsys, str(folder))
    assert [event["event"] for event in whole] == ["start", "subject", "summary"]
    assert (whole[-1]["agreement"], whole[-1]["pairs"], whole[-1]["over_poses"]["pairs"]) == (None, 0, 3)
    monkeypatch.setattr(pose_consistency, "HELD_BYTES", 1)
    again = events(capsys, str(folder))
    assert {**whole[-1], "seconds": 0} == {**again[-1], "seconds": 0}
    monkeypatch.setattr(pose_consistency, "MAX_COMPARED_VIEWS", 2)
    fewer = events(capsys, str(folder))[-1]["over_poses"]
    assert (fewer["views"], fewer["views_compared"], fewer["pairs"], fewer["agreement_accuracy"]) == (3, 2, 1, 0.0)
    assert cli.run(["evaluate", "--consistency", str(folder), "--textures", str(tmp_path / "t.png")]) == 1
    assert "--textures: expected two views of an object in one pose, found one of each" in error_line(capsys)


def test_poses_without_vertices_are_told_of_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pose_folder(tmp_path / "views", two_subjects()[3:], vertices=False)
    assert cli.run(["evaluate", "--consistency", str(folder)]) == 0
    (hint,) = [line for line in capsys.readouterr().out.splitlines() if "different poses" in line]
    remedy = "render with --channels rgb,mask,depth,vertices to have poses compared"
    assert hint == f"{folder}: views in different poses are not compared; {remedy}"
    assert events(capsys, str(folder))[-1]["over_poses"] is None
    alone = pose_folder(tmp_path / "alone", two_subjects()[:3], vertices=False)
    assert cli.run(["evaluate", "--consistency", str(alone)]) == 1
    assert f"found one of each; there is nothing to compare in one pose; {remedy}" in error_line(capsys)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no template", "template.npz: expected the faces of the views' vertices, found no file; repeat the render command"),
        ("no vertices", "view_0001.npy: expected a file of the view 'view_0001', found none; render the views with vertices"),
        (
            "few vertices",
            "view_0001.npy: expected at least 196 vertices, which template.npz names, found 9; render the view again",
        ),
        ("more vertices", "expected 196 vertices in every view of s0003, found 200; render the views again"),
        ("objects", "view_0001.npy: expected a view's vertices, found"),
    ],
)
def test_what_is_missing_or_damaged_is_refused_in_a_line(
    how: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pose_folder(tmp_path / "views", two_subjects()[:3])
    path = folder / "vertices" / "view_0001.npy"
    if how == "no template":
        (folder / "template.npz").unlink()
    elif how == "no vertices":
        path.unlink()
    elif how == "objects":
        np.save(path, np.array([{}], object))
    else:
        np.save(path, np.zeros((9 if how == "few vertices" else 200, 3), np.float32))
    assert cli.run(["evaluate", "--consistency", str(folder)]) == 1
    assert message in error_line(capsys)
