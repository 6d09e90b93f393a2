"""`invert`: pictures in, subject files that other commands take out, again only what is missing, and Ctrl-C with the best so far."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import read_subject_file, read_subject_header, record_of, write_subject_file
from dnerf_core.files.pictures import read_image, write_mask
from dnerf_core.model import Model
from headless import models
from headless.runs import invert as inverting
from headless.searches import search_watch
from headless.work.stopping import ending_early
from tests.headless.inversion_cases import PITCH_DEG, YAW_DEG, Said, ending_after, noise, said, write_pictures, write_vgg
from tests.headless.test_render import snapshot
from tests.headless.tiny_engine import LABELS, SIZE_PX, TINY, read_ids, save_tiny

REPOSITORY = Path(__file__).parents[2]
QUICK = ("--steps", "8", "--candidates", "2", "--starts", "2", "--seed", "1")
ENDINGS = {".safetensors", "-strip.png", "-view.png", "-mask.png", "-cameras.json", "-loss.png", "-loss.csv"}
LAST_KEYS = ["psnr_db", "yaw_deg", "pitch_deg", "seconds"]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, trained_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, trained_model)
    return folder


@pytest.fixture
def invert(trained_model: Path) -> Callable[..., Said]:
    def call(*args: str | Path) -> Said:
        return said("invert", "--model", trained_model, *QUICK, *args)

    return call


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, given: Path, trained_model: Path) -> tuple[Path, Said]:
    """The output folder of one call and what it said; copy nothing into it."""
    output = tmp_path_factory.mktemp("found") / "out"
    return output, said("invert", "--model", trained_model, *QUICK, given / "photo.png", "-o", output, "--json")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def latents(path: Path) -> np.ndarray:
    return read_subject_file(path).ws.numpy()


def test_a_photo_gives_a_subject_and_what_shows_it(first: tuple[Path, Said], given: Path, trained_model: Path) -> None:
    out, told = first
    assert (told.code, told.err) == (0, [])
    assert names(out) == {f"photo{ending}" for ending in ENDINGS}
    header, result = read_subject_header(out / "photo.safetensors"), told.summary["results"][0]
    camera = cameras_from_json((out / "photo-cameras.json").read_text())["photo"]
    assert header.camera is not None
    assert np.array_equal(header.camera.cam2world, camera.cam2world)
    assert header.made["source"] == "photo.png" and header.made["finished"] is True and header.made["kind"] == "image"
    assert header.made["scores"] == {name: result[name] for name in ("miou", *LAST_KEYS[:3])}
    assert header.made["settings"]["steps"] == 8 and header.tuned == []
    rows = list(csv.DictReader((out / "photo-loss.csv").open()))
    assert [row["step"] for row in rows] == [str(step) for step in range(8)]
    view = read_image(out / "photo-view.png")
    apart = (view.astype(float) - read_image(given / "photo.png")) ** 2
    assert result["psnr_db"] == pytest.approx(10 * np.log10(255**2 / apart.mean()), abs=6e-4)
    assert view.shape == (SIZE_PX, SIZE_PX, 3)
    assert set(np.unique(read_ids(out / "photo-mask.png"))) <= {0, 1, 2}


def test_json_lines(first: tuple[Path, Said], given: Path) -> None:
    out, told = first
    kinds = [json.loads(line)["event"] for line in told.out]
    # eight steps do not get near
    assert kinds[0] == "start" and kinds[-3:] == ["warning", "inverted", "summary"] and set(kinds[1:-3]) == {"progress"}
    assert told.events("start") == [
        {"event": "start", "command": "invert", "output": str(out), "pictures": 1, "pictures_missing": 1}
    ]
    progress = told.events("progress")[0]
    assert list(progress) == ["event", "picture", "stage", "step", "steps", "loss", "yaw_deg", "pitch_deg"]
    assert (progress["picture"], progress["stage"], progress["step"], progress["steps"]) == ("photo.png", "16 px z", 1, 8)
    inverted = told.events("inverted")[0]
    assert list(inverted) == ["event", "picture", "subject", "finished", "miou", *LAST_KEYS]
    assert (inverted["picture"], inverted["subject"]) == (str(given / "photo.png"), str(out / "photo.safetensors"))
    assert list(told.summary) == ["event", "status", "command", "output", "pictures", "inverted", "results", *LAST_KEYS]
    assert told.summary["results"] == [{key: value for key, value in inverted.items() if key != "event"}]
    assert [told.summary[key] for key in LAST_KEYS[:3]] == [inverted[key] for key in LAST_KEYS[:3]]
    assert 0 < inverted["seconds"] <= told.summary["seconds"]


@pytest.mark.usefixtures("several_threads")
def test_render_takes_the_file_and_sees_the_same_view(first: tuple[Path, Said], trained_model: Path, tmp_path: Path) -> None:
    out, _ = first
    call = ("render", "--model", trained_model, "--subject", out / "photo.safetensors")
    told = said(*call, "--cameras", out / "photo-cameras.json", "-o", tmp_path / "views")
    assert told.code == 0
    shown = read_image(tmp_path / "views" / "images" / "s0000_v00.png").astype(int)
    # a view in one thread sums in another order than one in several: a value may be rounded the other way
    assert np.abs(shown - read_image(out / "photo-view.png")).max() <= 1
    assert np.array_equal(read_ids(tmp_path / "views" / "masks" / "s0000_v00.png"), read_ids(out / "photo-mask.png"))


def test_the_same_call_again_does_nothing(first: tuple[Path, Said], given: Path, invert: Callable[..., Said]) -> None:
    out, told = first
    before = snapshot(out)
    again = invert(given / "photo.png", "-o", out, "--json")
    assert again.code == 0 and snapshot(out) == before
    assert again.summary["inverted"] == 0 and again.events("start")[0]["pictures_missing"] == 0
    assert again.summary["results"] == [told.summary["results"][0] | {"seconds": None}]
    text = invert(given / "photo.png", "-o", out)
    assert text.out[0].startswith(f"{out / 'photo.safetensors'}: PSNR ") and text.out[0].endswith(" degrees")
    assert text.out[1:] == [f"{out}: 1 picture: nothing to do, all there", f"look at {out / 'photo-strip.png'}"]


def test_a_file_of_an_earlier_version_counts_as_done(
    first: tuple[Path, Said], given: Path, invert: Callable[..., Said], trained_model: Path, tmp_path: Path
) -> None:
    """The words of the record are those of earlier files, whatever the options are called now."""
    vgg, out = write_vgg(tmp_path / "vgg.safetensors"), tmp_path / "out"
    made_then = {
        "kind": "image",
        "source_sha256": file_sha256(given / "photo.png"),
        "model_sha256": file_sha256(trained_model),
        "vgg_sha256": file_sha256(vgg),
        "fit": "pad",
        "given_camera": None,
        "variants": 1,
        "settings": {
            "space": "w+",
            "candidates": 2,
            "starts": 2,
            "yaw_deg": [-60.0, 60.0],
            "pitch_deg": None,
            "steps": 8,
            "prior": 3e-4,
            "perceptual": 0.1,
            "tuning_steps": 0,
            "seed": 1,
        },
        "source": "photo.png",
        "finished": True,
        "scores": {"miou": None, "psnr_db": 9.5, "yaw_deg": 1.0, "pitch_deg": 2.0},
        "diversity": None,
    }
    out.mkdir()
    record = read_subject_file(first[0] / "photo.safetensors")
    write_subject_file(out / "photo.safetensors", dataclasses.replace(record, made=made_then))
    call = (given / "photo.png", "--perceptual-weight", "0.1", "--perceptual-file", vgg)
    before = snapshot(out)
    told = invert(*call, "-o", out, "--json")
    assert (told.code, snapshot(out)) == (0, before), told.err
    assert told.summary["inverted"] == 0 and told.summary["psnr_db"] == 9.5
    earlier = invert(given / "photo.png", "--perceptual", "0.1", "--vgg", vgg, "-o", out, "--json")
    assert earlier.code == 0 and earlier.summary["results"] == told.summary["results"]
    refused = invert(*call[:2], "0.2", *call[3:], "-o", out)
    assert refused.code == 1 and "found one that differs in --perceptual-weight; remove it" in refused.error
    assert invert(*call, "-o", tmp_path / "new").code == 0
    made_now = read_subject_header(tmp_path / "new" / "photo.safetensors").made
    assert {**made_now, "scores": None} == {**made_then, "scores": None}


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (("--steps", "9"), "--steps"),
        (("--space", "z", "--prior", "1"), "--space, --prior"),
        (("--fit", "crop"), "--fit or --crop"),
        (("--yaw", "0:10"), "--yaw"),
        (("--seed", "2"), "--seed"),
    ],
)
def test_another_call_is_refused(
    args: tuple[str, ...], names: str, first: tuple[Path, Said], given: Path, invert: Callable[..., Said]
) -> None:
    out, _ = first
    before = snapshot(out)
    told = invert(given / "photo.png", *args, "-o", out)
    assert (told.code, snapshot(out)) == (1, before)
    assert told.error == (
        f"error: {out / 'photo.safetensors'}: expected an earlier result of this call, found one that differs in {names}; "
        "remove it, or choose another --output"
    )


def test_another_picture_or_model_or_file_there_is_refused(
    first: tuple[Path, Said], given: Path, invert: Callable[..., Said], tmp_path: Path
) -> None:
    out, _ = first
    told = invert(noise(tmp_path / "photo.png"), "-o", out)
    assert told.code == 1 and "found one that differs in the picture; remove it" in told.error
    other = save_tiny(tmp_path / "other.safetensors", TINY, seed=4)
    told = invert(given / "photo.png", "--model", other, "-o", out)
    assert told.code == 1 and "found one that differs in --model (sha256); remove it" in told.error
    told = invert(given / "photo.png", "-o", tmp_path)
    assert told.code == 0, told.err
    (tmp_path / "photo.safetensors").write_bytes(other.read_bytes())
    told = invert(given / "photo.png", "-o", tmp_path)
    assert told.code == 1 and "it stands where this call would write: remove it, or choose another --output" in told.error


def test_two_runs_give_the_same_bytes(first: tuple[Path, Said], given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    assert invert(given / "photo.png", "-o", tmp_path / "other").code == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "other").iterdir()} == {
        p.name: p.read_bytes() for p in first[0].iterdir()
    }


def test_several_pictures_one_after_the_other(given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    Image.open(given / "photo.png").rotate(180).convert("L").save(tmp_path / "gray.png")
    pictures, out = (given / "photo.png", tmp_path / "gray.png"), tmp_path / "out"
    told = invert(*pictures, "-o", out, "--json")
    assert told.code == 0 and names(out) == {stem + ending for stem in ("photo", "gray") for ending in ENDINGS}
    results = told.summary["results"]
    assert [result["picture"] for result in results] == [str(path) for path in pictures]
    assert told.summary["psnr_db"] == pytest.approx(sum(result["psnr_db"] for result in results) / 2, abs=1e-3)
    assert (told.summary["yaw_deg"], told.summary["pitch_deg"]) == (None, None)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "gray.safetensors").unlink()
    again = invert(*pictures, "-o", out, "--json")
    assert [event["picture"] for event in again.events("inverted")] == [str(pictures[1])]
    assert again.summary["inverted"] == 1 and again.summary["pictures"] == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_mask_gives_variants_that_differ(given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = (given / "mask.png", "--kind", "mask", "--variants", "3", "-o", out)
    told = invert(*call, "--json")
    assert told.code == 0 and names(out) == {f"mask-{number}{ending}" for number in (1, 2, 3) for ending in ENDINGS}
    inverted = told.events("inverted")[0]
    assert list(inverted)[1:] == ["picture", "subject", "finished", "variants", "diversity", "miou", *LAST_KEYS]
    assert [one["subject"] for one in inverted["variants"]] == [str(out / f"mask-{n}.safetensors") for n in (1, 2, 3)]
    assert inverted["psnr_db"] is None and told.summary["psnr_db"] is None
    assert inverted["miou"] == inverted["variants"][0]["miou"] > 0
    assert all(inverted["diversity"][name] > 0 for name in ("latent", "color"))
    found = [latents(out / f"mask-{number}.safetensors") for number in (1, 2, 3)]
    assert not np.array_equal(found[0], found[1]) and not np.array_equal(found[1], found[2])
    again = invert(*call, "--json")
    assert {k: v for k, v in again.summary["results"][0].items() if k not in ("seconds", "variants")} == {
        k: v for k, v in inverted.items() if k not in ("event", "seconds", "variants")
    }
    lines = invert(*call).out
    assert [line.partition(": mIoU ")[0] for line in lines[:3]] == [str(out / f"mask-{n}.safetensors") for n in (1, 2, 3)]
    assert lines[3].startswith("variants: latents ")
    assert lines[4:] == [f"{out}: 1 mask: nothing to do, all there", f"look at {out / 'mask-1-strip.png'}"]
    fewer = invert(*call[:3], "--variants", "2", "-o", out)
    assert fewer.code == 1 and "found one that differs in --variants, --candidates, --starts; remove it" in fewer.error


def test_a_known_camera_stays(given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    told = invert(given / "photo.png", "--camera", given / "cameras.json", "-o", tmp_path / "out", "--json")
    assert told.code == 0, told.err
    assert (told.summary["yaw_deg"], told.summary["pitch_deg"]) == (YAW_DEG, PITCH_DEG)
    assert (told.events("progress")[0]["yaw_deg"], told.events("progress")[0]["pitch_deg"]) == (YAW_DEG, PITCH_DEG)
    found = read_subject_header(tmp_path / "out" / "photo.safetensors").camera
    assert found is not None
    np.testing.assert_allclose(
        found.cam2world, cameras_from_json((given / "cameras.json").read_text())["v"].cam2world, atol=1e-12
    )


def test_a_square_of_a_picture_is_what_is_inverted(
    first: tuple[Path, Said], given: Path, invert: Callable[..., Said], tmp_path: Path
) -> None:
    photo = Image.open(given / "photo.png")
    wide = Image.new("RGB", (SIZE_PX * 2, SIZE_PX + 9), "red")
    wide.paste(photo, (40, 5))
    wide.save(tmp_path / "wide.png")
    centred = Image.new("RGB", (SIZE_PX + 40, SIZE_PX), "red")
    centred.paste(photo, (20, 0))
    centred.save(tmp_path / "centred.png")
    expected = latents(first[0] / "photo.safetensors")
    assert invert(tmp_path / "wide.png", "--crop", f"40,5,{SIZE_PX}", "-o", tmp_path / "out").code == 0
    assert np.array_equal(latents(tmp_path / "out" / "wide.safetensors"), expected)
    assert invert(tmp_path / "centred.png", "--fit", "crop", "-o", tmp_path / "out").code == 0
    assert np.array_equal(latents(tmp_path / "out" / "centred.safetensors"), expected)
    assert invert(tmp_path / "centred.png", "-o", tmp_path / "padded").code == 0
    assert not np.array_equal(latents(tmp_path / "padded" / "centred.safetensors"), expected)


def test_tuned_weights_are_in_the_file_and_are_seen(
    given: Path, invert: Callable[..., Said], trained_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = invert(given / "photo.png", "--tuning", "4", "-o", out, "--json")
    assert told.code == 0 and told.events("progress")[0]["steps"] == 12
    header = read_subject_header(out / "photo.safetensors")
    assert "decoder.net.2.weight" in header.tuned and not [name for name in header.tuned if ".mapping." in name]
    stages = [row["stage"] for row in csv.DictReader((out / "photo-loss.csv").open())]
    assert len(stages) == 12 and stages[-4:] == ["pivotal tuning"] * 4
    call = ("render", "--model", trained_model, "--cameras", out / "photo-cameras.json")
    assert said(*call, "--subject", out / "photo.safetensors", "-o", tmp_path / "views").code == 0
    shown = read_image(tmp_path / "views" / "images" / "s0000_v00.png").astype(int)
    # a view in one thread sums in another order than one in several: a value may be rounded the other way
    assert np.abs(shown - read_image(out / "photo-view.png")).max() <= 1
    untuned = record_of(Model.load(trained_model), read_subject_file(out / "photo.safetensors").ws, None, {})
    write_subject_file(tmp_path / "untuned.safetensors", untuned)
    assert said(*call, "--subject", tmp_path / "untuned.safetensors", "-o", tmp_path / "plain").code == 0
    assert np.abs(shown - read_image(tmp_path / "plain" / "images" / "s0000_v00.png")).max() > 1


def test_the_perceptual_loss_is_of_the_network_in_the_file(
    first: tuple[Path, Said], given: Path, invert: Callable[..., Said], tmp_path: Path
) -> None:
    vgg, out = write_vgg(tmp_path / "vgg.safetensors"), tmp_path / "out"
    told = invert(given / "photo.png", "--perceptual-weight", "0.1", "--perceptual-file", vgg, "-o", out)
    assert told.code == 0, told.err
    assert not np.array_equal(latents(out / "photo.safetensors"), latents(first[0] / "photo.safetensors"))
    write_vgg(vgg, seed=1)
    told = invert(given / "photo.png", "--perceptual-weight", "0.1", "--perceptual-file", vgg, "-o", out)
    assert told.code == 1 and "found one that differs in --perceptual-file (its content); remove it" in told.error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("photo.png", "--perceptual-weight", "1"),
            "--perceptual-weight: expected --perceptual-file beside it, found none; give both, or neither",
        ),
        (
            ("photo.png", "--perceptual-file", "photo.png"),
            "--perceptual-file: expected --perceptual-weight beside it, found none; give both, or neither",
        ),
        (
            ("photo.png", "--variants", "2"),
            "--variants: expected --kind mask, found photos, which have one subject each; leave it out",
        ),
        (
            ("mask.png", "--kind", "mask", "--tuning", "2"),
            "--tuning: expected photos, found --kind mask, which says nothing of colours",
        ),
        (
            ("photo.png", "--camera", "cameras.json", "--yaw", "0:9"),
            "--camera: expected it alone, found --yaw or --pitch beside it",
        ),
        (
            ("photo.png", "--camera", "photo.png"),
            "EG3D dataset.json or COLMAP's text model, it cannot be read: bytes that are no text",
        ),
        (
            ("photo.png", "--crop", "1,2"),
            "--crop: expected X,Y,SIDE in whole pixels such as 40,0,512, with a side of 1 or more, found",
        ),
        (("photo.png", "--crop", "900,0,8"), "--crop 900,0,8: expected a square that shows some of photo.png"),
        (("photo.png", "--starts", "5"), "starts: expected at most the 2 candidates, found 5; ask for more candidates"),
        (("photo.png", "--steps", "3"), "steps: expected at least 4, one a stage, found 3; choose more"),
        (
            ("photo.png", "photo.png"),
            "photo.png: expected pictures of different names, found photo.png as well; rename one, or call twice",
        ),
        (("photo.png", "-o", "photo.png"), "expected to write this file or folder, the system says: "),
        (("photo.png", "-o", "/proc/self/out"), "expected to write this file or folder, the system says: "),
        (("photo.png", "-o", "/proc/self"), "expected to write this file or folder, the system says: "),
        (("text.png",), "text.png: expected a photo (PNG, JPEG, WebP, TIFF, BMP or GIF), found another kind of file; convert it"),
        (("cut.png",), "cut.png: expected a whole photo, it cannot be read: "),
        (("empty.png",), "empty.png: expected a photo (PNG, JPEG, WebP, TIFF, BMP or GIF), found an empty file"),
        (("folder.png",), "'folder.png' is a directory"),
        (("nowhere.png",), "'nowhere.png' does not exist"),
        (("",), "expected a path, found an empty text"),
        (("photo.png", "cut.png"), "cut.png: expected a whole photo"),
        (("foreign.png", "--kind", "mask"), "foreign.png: expected ids 0 to 2 or 255, found 3 at column 0, row 0; repaint it"),
        (
            ("blank.png", "--kind", "mask"),
            "blank.png: expected some painted part, found only background or 255; paint the object first",
        ),
        (("mask.png", "blank.png", "--kind", "mask"), "blank.png: expected some painted part, found only background"),
        (("photo.png", "--kind", "mask"), "photo.png: expected only the label set's colours, found"),
    ],
)
def test_a_call_that_cannot_be_done_is_one_line_before_any_work(
    args: tuple[str, ...],
    message: str,
    given: Path,
    invert: Callable[..., Said],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "load_model", no_work)
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "mask.png", "cameras.json"):
        Path(name).write_bytes((given / name).read_bytes())
    Path("text.png").write_text("no picture")
    Path("cut.png").write_bytes(Path("photo.png").read_bytes()[:900])
    Path("empty.png").touch()
    Path("folder.png").mkdir()
    write_mask(Path("foreign.png"), np.full((SIZE_PX, SIZE_PX), 3, np.uint8), LABELS.palette())
    write_mask(Path("blank.png"), np.diag(np.full(SIZE_PX, 255, np.uint8)), LABELS.palette())
    before = names(tmp_path)
    told = invert(*args)
    assert told.code in (1, 2) and told.out == []
    assert told.error.startswith("error: ") and message in told.error
    assert names(tmp_path) == before


def no_work(*args: object, **kwargs: object) -> None:
    raise AssertionError("the work began")


def test_an_output_that_would_replace_an_input_is_refused(given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    for name in ("photo.png", "photo-view.png"):
        (tmp_path / name).write_bytes((given / "photo.png").read_bytes())
    told = invert(tmp_path / "photo.png", tmp_path / "photo-view.png", "-o", tmp_path)
    assert told.code == 2
    assert told.error == (
        f"error: {tmp_path / 'photo-view.png'}: expected a file that the call only reads, found that it would write there; "
        "choose another --output"
    )
    assert names(tmp_path) == {"photo.png", "photo-view.png"}


@pytest.mark.parametrize("kind", ["white", "noise", "pixel"])
def test_what_the_model_does_not_make_gets_a_warning(kind: str, invert: Callable[..., Said], tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.png"
    if kind == "noise":
        noise(path)
    else:
        Image.new("RGB", (1, 1) if kind == "pixel" else (200, 100), "black" if kind == "pixel" else "white").save(path)
    told = invert(path, "-o", tmp_path / "out")
    assert told.code == 0
    warnings = [line for line in told.err if "the best likeness is poor, PSNR " in line]
    assert len(warnings) == 1 and warnings[0].startswith(f"warning: {path}: ")
    enlarged = [line for line in told.err if "expected 128 px a side or more, found 1: enlarged, which adds no detail" in line]
    blank = [line for line in told.err if "expected a picture of something, found hardly more than one colour" in line]
    assert len(enlarged) == (kind == "pixel") and len(blank) == (kind != "noise")
    assert len(told.err) == 1 + (kind != "noise")  # both in one line


def test_a_model_without_labels_takes_photos_only(given: Path, tiny_model: Path, tmp_path: Path) -> None:
    call = ("invert", "--model", tiny_model, *QUICK)
    told = said(*call, given / "photo.png", "-o", tmp_path / "out")
    assert told.code == 0 and names(tmp_path / "out") == {f"photo{ending}" for ending in ENDINGS - {"-mask.png"}}
    assert Image.open(tmp_path / "out" / "photo-strip.png").height < 300  # one row
    told = said(*call, given / "mask.png", "--kind", "mask", "-o", tmp_path / "out")
    assert told.code == 2
    assert told.error == "error: --kind mask: expected a model with a semantic branch, found none in tiny; train one"


# Ctrl-C


def test_the_best_so_far_is_kept_and_made_anew_later(
    first: tuple[Path, Said], given: Path, invert: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as pressed:
        pressed.setattr(inverting, "ending_early", ending_after(5))
        told = invert(given / "photo.png", noise(tmp_path / "other.png"), "-o", out, "--json")
    assert told.code == 130 and told.err == ["error: interrupted; the same command goes on later"]
    assert told.summary["status"] == "interrupted"
    assert "ended early, " in told.events("warning")[0]["message"] and told.events("inverted")[0]["finished"] is False
    assert read_subject_header(out / "photo.safetensors").made["finished"] is False
    assert names(out) == {f"photo{ending}" for ending in ENDINGS}
    assert len(list(csv.DictReader((out / "photo-loss.csv").open()))) == 5
    again = invert(given / "photo.png", "-o", out, "--json")
    assert again.code == 0 and again.events("inverted")[0]["finished"] is True
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in first[0].iterdir()}


def test_a_second_ctrl_c_writes_nothing(
    given: Path, invert: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presses: list[int] = []

    def press_twice(progress: object) -> dict[str, object]:
        for _ in range(2):
            presses.append(len(presses))
            os.kill(os.getpid(), signal.SIGINT)
        return {}

    monkeypatch.setattr(search_watch, "progress_json", press_twice)
    told = invert(given / "photo.png", "-o", tmp_path / "out")
    assert told.code == 130 and told.err == ["error: interrupted; the same command goes on later"]
    assert presses == [0, 1] and names(tmp_path / "out") == set()


def test_the_first_ctrl_c_is_a_wish() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), ending_early() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_running_command(number: signal.Signals, given: Path, trained_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = ["invert", "--model", str(trained_model), str(given / "photo.png"), "--steps", "100000", "-o", str(out), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "headless.cli", *call], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 120
    while not (out / "photo-progress.png").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(number)
    output, error = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert error == f"error: {word}; the same command goes on later\n"
    summary = json.loads(output.splitlines()[-1])
    assert (summary["status"], summary["command"]) == ("interrupted", "invert")
    assert names(out) == ({f"photo{ending}" for ending in ENDINGS} if number == signal.SIGINT else set())


def test_help_imports_no_torch() -> None:
    for name in ("invert", "edit"):
        code = (
            f"import sys; from headless import cli; cli.run(['{name}', '--help']); print('torch' in sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert done.stderr == "False\n"


def test_what_a_killed_run_left_is_removed(given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    stale, foreign = tmp_path / ".tmp-0000000007-photo-strip.png", tmp_path / ".tmp-0000000007-other.png"
    for path in (stale, foreign):
        path.write_bytes(b"half")
    assert invert(given / "photo.png", "-o", tmp_path).code == 0
    assert not stale.exists() and foreign.exists()


def test_a_full_disk_is_told(given: Path, invert: Callable[..., Said], tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
        told = invert(given / "photo.png", "-o", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.code == 1 and "expected to write this file or folder, the system says: File too large" in told.error
    assert names(tmp_path / "out") <= {"photo-loss.png", "photo-loss.csv"}


def test_a_ctrl_c_that_the_process_was_told_to_ignore_is_ignored(
    given: Path, invert: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a command that a script began with `&`: the Ctrl-C is another's, and the search goes on to its end."""

    def press(progress: object) -> dict[str, object]:
        os.kill(os.getpid(), signal.SIGINT)
        return {}

    monkeypatch.setattr(search_watch, "progress_json", press)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        told = invert(given / "photo.png", "-o", tmp_path / "out", "--json")
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert told.code == 0 and told.events("inverted")[0]["finished"] is True
