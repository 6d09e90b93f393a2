"""Recovering and editing subjects through the worker: what the engine gives, with progress, ended early, or dropped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import open_subject, read_subject_file, record_of, write_subject_file
from dnerf_core.editing.edit import edit_subject
from dnerf_core.editing.scores import turned_cameras
from dnerf_core.editing.settings import EditSettings
from dnerf_core.files.pictures import write_mask
from dnerf_core.inversion.invert import invert_picture
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.model import Model
from dnerf_core.worker_protocol import Code
from headless.searches.likeness import POOR_TAKEN
from tests.headless.tiny_engine import LABELS, SIZE_PX, TINY
from tests.headless.worker_talk import Heard, Talk, named

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

CAMERA = arc_cameras(TINY.cameras, (20.0, 20.0), count=1)[0]
ENDLESS = 100_000


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    talk.client.stop()


@pytest.fixture(scope="module")
def model(trained_model: Path) -> Model:
    return Model.load(trained_model)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """A picture of seed 3."""
    path = tmp_path_factory.mktemp("photo") / "three.png"
    Image.fromarray(model.subject(3).render(CAMERA).rgb).save(path)
    return path


def repainted(model: Model, seed: int = 3) -> np.ndarray:
    """Seed 3's mask with its right part painted over by the left one in its upper half."""
    mask = model.subject(seed).render(CAMERA).mask
    assert mask is not None
    edited = mask.copy()
    edited[: SIZE_PX // 2][mask[: SIZE_PX // 2] == 2] = 1
    assert (edited != mask).sum() > 50
    return edited


def edit_request(trained_model: Path, output: Path) -> dict[str, Any]:
    return {"model": str(trained_model), "seed": 3, "camera": named([CAMERA])[0], "output": str(output)}


def started(talk: Talk, heard: Heard) -> Heard:
    """Once its first step is done."""
    talk.wait(lambda: heard.parts or heard.over)
    assert not heard.over, heard.fault
    return heard


def test_a_photo_becomes_the_subject_that_the_engine_finds(
    talk: Talk, trained_model: Path, model: Model, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "found.safetensors"
    heard = talk.call("invert", model=str(trained_model), photo=str(photo), yaw=[-40, 40], steps=12, seed=5, output=str(output))
    found, record = heard.done(), read_subject_file(output)
    settings = InversionSettings(yaw_deg=(-40.0, 40.0), steps=12, seed=5)
    with Image.open(photo) as image:
        rgb = np.array(image)
    expected = invert_picture(model, rgb, settings)
    np.testing.assert_allclose(record.ws, expected.subject.ws[0], atol=1e-3)
    assert record.camera is not None
    np.testing.assert_allclose(record.camera.cam2world, Camera.from_json(found["camera"], "").cam2world)
    assert (found["yaw_deg"], found["pitch_deg"]) == pytest.approx((expected.yaw_deg, expected.pitch_deg), abs=0.05)
    assert found["psnr_db"] == pytest.approx(expected.psnr_db(rgb), abs=0.2)
    assert (record.made["kind"], record.made["source"]) == ("image", "three.png")
    assert record.made["scores"] == {name: found[name] for name in ("miou", "psnr_db", "yaw_deg", "pitch_deg")}
    assert record.made["settings"]["steps"] == 12
    assert found["finished"] is True


def test_progress_tells_stage_loss_camera_and_picture(talk: Talk, trained_model: Path, photo: Path, tmp_path: Path) -> None:
    output = tmp_path / "found.safetensors"
    heard = talk.call("invert", model=str(trained_model), photo=str(photo), steps=12, output=str(output))
    assert [part["step"] for part in heard.parts] == [1, 5, 9, 12]
    assert {part["steps"] for part in heard.parts} == {12}
    assert [part["stage"].split()[-1] for part in heard.parts] == ["z", "z", "w+", "w+"]
    pictures = [talk.client.array(part["rgb"]) for part in heard.parts]
    assert {picture.shape for picture in pictures} == {(16, 16, 3)}
    assert not np.array_equal(pictures[0], pictures[-1])
    assert all(part["loss"] > 0 and -180 <= part["yaw_deg"] <= 180 and "pitch_deg" in part for part in heard.parts)
    done, total, text = heard.progress[-1]
    assert (done, total) == (12, 12)
    assert text.startswith("steps, full size w+, loss ")


def test_finish_keeps_the_best_so_far_and_cancel_drops_it(
    talk: Talk, trained_model: Path, model: Model, photo: Path, tmp_path: Path
) -> None:
    request = {"model": str(trained_model), "photo": str(photo), "steps": ENDLESS}
    heard = started(talk, talk.ask("invert", **request, output=str(tmp_path / "kept.safetensors")))
    talk.client.finish(heard.number)
    talk.wait(lambda: heard.over)
    assert heard.done()["finished"] is False
    assert read_subject_file(tmp_path / "kept.safetensors").made["finished"] is False
    heard = started(talk, talk.ask("invert", **request, output=str(tmp_path / "dropped.safetensors")))
    talk.client.cancel(heard.number)
    talk.wait(lambda: heard.over)
    assert heard.failed() == (Code.CANCELLED, "cancelled")
    mask = repainted(model)
    for name, way, kept in (("edit", talk.client.finish, True), ("none", talk.client.cancel, False)):
        request = edit_request(trained_model, tmp_path / f"{name}.safetensors")
        heard = started(talk, talk.ask("edit", **request, mask=talk.client.put_array(mask), steps=ENDLESS))
        way(heard.number)
        talk.wait(lambda heard=heard: heard.over)
        assert (heard.result is not None) is kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edit.safetensors", "kept.safetensors"]


def test_finish_means_nothing_to_other_jobs(talk: Talk, trained_model: Path) -> None:
    heard = talk.ask("render", model=str(trained_model), seed=0, cameras=named([CAMERA] * 3), size_px=16)
    talk.client.finish(heard.number)
    talk.client.finish(987_654)
    talk.wait(lambda: heard.over)
    assert heard.done()["views"] == 3


def test_a_mask_alone_and_a_cut_out_of_it(talk: Talk, trained_model: Path, model: Model, tmp_path: Path) -> None:
    mask = model.subject(3).render(CAMERA).mask
    assert mask is not None
    wide = np.zeros((SIZE_PX, 2 * SIZE_PX), np.uint8)
    wide[:, SIZE_PX:] = mask
    write_mask(tmp_path / "wide.png", wide, LABELS.palette())
    request = {"model": str(trained_model), "photo": str(tmp_path / "wide.png"), "kind": "mask", "steps": 12}
    fit = [SIZE_PX, 0, SIZE_PX]
    found = talk.call("invert", **request, fit=fit, output=str(tmp_path / "a.safetensors")).done()
    assert found["psnr_db"] is None
    record = read_subject_file(tmp_path / "a.safetensors")
    subject = open_subject(model, record)
    assert record.camera is not None
    seen = subject.render(record.camera).mask
    assert seen is not None
    expected = segmentation_scores(confusion_matrix(mask, seen, 3)).miou
    assert found["miou"] == pytest.approx(expected, abs=0.01)
    assert record.made["kind"] == "mask"
    other = talk.call("invert", **request, output=str(tmp_path / "b.safetensors")).done()
    assert other["miou"] != found["miou"], "the whole of it, with bars, is another picture"


def test_tuned_weights_are_kept_and_stay_through_an_edit(
    talk: Talk, trained_model: Path, model: Model, photo: Path, tmp_path: Path
) -> None:
    tuned, edited = tmp_path / "tuned.safetensors", tmp_path / "edited.safetensors"
    request = {"model": str(trained_model), "photo": str(photo), "steps": 8, "tuning": 3, "output": str(tuned)}
    talk.call("invert", **request).done()
    before = read_subject_file(tuned)
    assert before.tuned
    mask = open_subject(model, before).render(CAMERA).mask
    assert mask is not None
    mask[40:80, 40:60] = np.where(mask[40:80, 40:60] == 1, 2, 1)
    request = {"model": str(trained_model), "subject_file": str(tuned), "camera": named([CAMERA])[0], "output": str(edited)}
    talk.call("edit", **request, mask=talk.client.put_array(mask), steps=4).done()
    after = read_subject_file(edited)
    assert (after.made["source"], after.made["of"]) == ("tuned.safetensors", [file_sha256(tuned)])
    assert after.tuned.keys() == before.tuned.keys()
    assert all(bool((after.tuned[name] == before.tuned[name]).all()) for name in before.tuned)
    assert bool((after.ws != before.ws).any())


def test_an_edit_is_the_engines_and_its_scores_are_of_the_file(
    talk: Talk, trained_model: Path, model: Model, tmp_path: Path
) -> None:
    mask, output = repainted(model), tmp_path / "edited.safetensors"
    write_mask(tmp_path / "mask.png", mask, LABELS.palette())
    request = edit_request(trained_model, output)
    found = talk.call("edit", **request, mask=str(tmp_path / "mask.png"), steps=20, margin=2, keep_inside=0.25).done()
    expected = edit_subject(model.subject(3), CAMERA, mask, EditSettings(steps=20, margin_px=2, keep_inside=0.25))
    record = read_subject_file(output)
    np.testing.assert_allclose(record.ws, expected.subject.ws[0], atol=1e-2)
    after = open_subject(model, record)
    seen = after.render(CAMERA)
    before = model.subject(3).render(CAMERA).mask
    assert found["scores"]["edited_taken"] == pytest.approx((seen.mask == mask)[before != mask].mean(), abs=0.02)
    assert {name: record.made["scores"][name] for name in found["scores"]} == found["scores"]
    assert (record.made["kind"], record.made["of"], record.made["settings"]["keep_inside"]) == ("edit", [3, 1.0], 0.25)
    assert [view["yaw_deg"] for view in found["other_views"]] == [-45, 45, 180]
    behind = turned_cameras(CAMERA, TINY.cameras)[2]
    masks = [subject.render(behind).mask for subject in (model.subject(3), after)]
    shown = (masks[0] != 0) | (masks[1] != 0)
    assert found["other_views"][2]["labels_changed"] == pytest.approx((masks[0] != masks[1])[shown].mean(), abs=0.01)
    Image.fromarray(LABELS.colorize(mask)).save(tmp_path / "mask.jpg", quality=90)
    by_nearest = {"mask": str(tmp_path / "mask.jpg"), "output": str(tmp_path / "snapped.safetensors"), "snap_colors": True}
    snapped = talk.call("edit", **request | by_nearest, steps=2).done()
    assert snapped["warnings"][0].startswith("1 masks read by the nearest colour: ")
    array = talk.client.put_array(mask)
    again = talk.call("edit", **request | {"output": str(tmp_path / "again.safetensors")}, mask=array, steps=20).done()
    assert again["scores"].keys() == found["scores"].keys()
    assert not (talk.folder / array).exists()


def test_what_the_model_does_not_make_gets_a_warning(talk: Talk, trained_model: Path, model: Model, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (SIZE_PX, SIZE_PX, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    request = {"model": str(trained_model), "steps": 12}
    found = talk.call("invert", **request, photo=str(tmp_path / "noise.png"), output=str(tmp_path / "a.safetensors")).done()
    (warning,) = found["warnings"]
    assert warning.startswith(f"the best likeness is poor, PSNR {found['psnr_db']:.1f} dB, yaw ")
    for steps, taken in ((2, False), (60, True)):
        edited = edit_request(trained_model, tmp_path / f"{steps}.safetensors")
        told = talk.call("edit", **edited, mask=talk.client.put_array(repainted(model)), steps=steps).done()
        assert (told["scores"]["edited_taken"] >= POOR_TAKEN) == taken and bool(told["warnings"]) != taken


@pytest.mark.parametrize(
    ("method", "given", "code", "message"),
    [
        ("invert", {"photo": "three.png"}, 2, "params: photo: expected an absolute path, found 'three.png'"),
        ("invert", {"photo": "/no/such.png"}, 1, "/no/such.png: expected a photo (PNG, JPEG"),
        ("invert", {"kind": "sketch"}, 2, "params: kind: expected image or mask, found 'sketch'"),
        ("invert", {"fit": [0, 0]}, 2, "params: fit: expected pad, crop, or left, top and side in whole pixels, found [0, 0]"),
        ("invert", {"fit": [9999, 0, 10]}, 2, "expected a square that shows some of"),
        ("invert", {"steps": 3}, 2, "steps: expected at least 4, one a stage, found 3; choose more"),
        ("invert", {"space": "v"}, 2, "params: space: expected z or w or w+, found 'v'"),
        ("invert", {"kind": "mask"}, 1, "expected only the label set's colours"),
        ("invert", {"output": "FULL"}, 2, "params: output: expected a new file, found one at"),
        ("invert", {"output": "/no/such/folder/a.safetensors"}, 1, "/no/such/folder"),
        ("invert", {"output": "/tmp/a.png"}, 2, "params: output: expected a name that ends in .safetensors, found 'a.png'"),
        ("edit", {"mask": "SAME"}, 2, "edited mask: expected some pixels that differ from the subject's own mask, found none"),
        ("edit", {"mask": "SMALL"}, 2, "params: mask: expected an array uint8 [128, 128], found uint8 [8, 8]"),
        ("edit", {"mask": "FOREIGN"}, 2, "edited mask: expected ids 0 to 2 or 255, found 7"),
        ("edit", {"mask": "mask.png"}, 2, "params: mask: expected an array's name or the absolute path of a file"),
        ("edit", {"mask": "/no/such.png"}, 2, "params: mask: expected an array's name or the absolute path of a file"),
        ("edit", {"mask": "c9.npy"}, 1, "expected an array of the client"),
        (
            "edit",
            {"perceptual_weight": 1},
            2,
            "--perceptual-weight: expected --perceptual-file beside it, found none; give both, or neither",
        ),
        (
            "edit",
            {"perceptual_file": "/no/such.pth"},
            2,
            "--perceptual-file: expected --perceptual-weight beside it, found none; give both, or neither",
        ),
        ("edit", {"label_weight": 0}, 2, "edit: expected a weight of the labels above 0"),
        ("edit", {"model": "PLAIN"}, 2, "edit: expected a model with a semantic branch, found none in tiny; train one first"),
        ("edit", {"strength": 1}, 2, "found 'strength'; leave it out"),
    ],
)
def test_wrong_searches_are_one_line_and_leave_nothing(
    talk: Talk,
    trained_model: Path,
    tiny_model: Path,
    model: Model,
    photo: Path,
    tmp_path: Path,
    method: str,
    given: dict[str, Any],
    code: int,
    message: str,
) -> None:
    mask = model.subject(3).render(CAMERA).mask
    assert mask is not None
    arrays = {"SAME": mask, "SMALL": mask[:8, :8], "FOREIGN": np.full_like(mask, 7)}
    output = tmp_path / "out.safetensors"
    places = {"FULL": str(trained_model), "PLAIN": str(tiny_model)}
    usual = {"model": str(trained_model), "output": str(output)}
    if method == "invert":
        usual |= {"photo": str(photo)}
    else:
        usual |= {"seed": 3, "camera": named([CAMERA])[0], "mask": talk.client.put_array(repainted(model))}  # type: ignore[dict-item]
    words = {key: value for key, value in given.items() if isinstance(value, str)}
    found = {key: talk.client.put_array(arrays[value]) for key, value in words.items() if value in arrays}
    params = usual | given | {key: places[value] for key, value in words.items() if value in places} | found
    got = talk.call(method, **params).failed()
    assert (got[0], message in got[1]) == (code, True), got
    assert not output.exists()


def test_a_subject_file_that_is_there_is_not_replaced(talk: Talk, trained_model: Path, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    write_subject_file(path, record_of(model, model.subject(4).ws, None, {}))
    before = path.read_bytes()
    request = edit_request(trained_model, path)
    assert talk.call("edit", **request, mask=talk.client.put_array(repainted(model)), steps=2).failed()[0] == Code.WRONG_CALL
    assert path.read_bytes() == before
