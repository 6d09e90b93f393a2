"""A data set rendered from Python, and read back as a torch `Dataset`."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dnerf_core.datasets import LabeledViews, Sample
from dnerf_core.errors import AnnotationError, OutputError, UsageError
from dnerf_core.files.names import view_name
from dnerf_core.model import Model
from headless import cli, models
from headless.runs import RenderCall, render

SIZE_PX = 64


def darkest(sample: Sample) -> tuple[int, int]:
    """A transform at the module's top, which workers of every kind find."""
    return int(sample["image"].min()), sample["seed"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects, three views each, of the embedded model; copy it before changing anything."""
    path = tmp_path_factory.mktemp("sets") / "cars"
    with models.threads_a_view(2):  # of which the views make no use
        render(RenderCall(output=path, seeds=(0, 1), resolution=SIZE_PX))
    return path


@pytest.fixture(scope="module")
def split_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "split"
    splits = (("train", 0.5), ("val", 0.5))
    render(RenderCall(output=path, seeds=tuple(range(6)), views=1, resolution=SIZE_PX, splits=splits, depth_format="npy"))
    return path


# headless.runs


def test_a_call_from_python_writes_what_the_command_writes(folder: Path, tmp_path: Path) -> None:
    assert cli.run(["render", "--seeds", "0,1", "--resolution", str(SIZE_PX), "-o", str(tmp_path / "cars")]) == 0
    made = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert made == {
        path.relative_to(tmp_path / "cars"): path.read_bytes() for path in (tmp_path / "cars").rglob("*") if path.is_file()
    }
    assert len(made) > 3 * 6


def test_a_run_from_python_prints_nothing_and_warns_by_python(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = RenderCall(model_name=str(tiny_model), output=tmp_path / "a", seeds=(0,), views=1)
    with pytest.warns(UserWarning, match="tiny: the model has no semantic branch, so no masks and no labels"):
        render(call)
    assert capsys.readouterr() == ("", "")


def test_the_doors_function_is_no_module() -> None:
    import headless.runs.render  # binds the module under the function's name, if the door lets it
    from headless.runs import render as again

    assert again is render is sys.modules["headless.runs.render"].render  # type: ignore[attr-defined]
    assert headless.runs.render is render


# The data set


def test_every_view_is_there_with_its_channels(folder: Path) -> None:
    views = LabeledViews(folder)
    assert len(views) == 6 and views.splits == () and views.labels == Model.load("demo-cars").labels
    assert repr(views) == f"LabeledViews({folder}: 6 views, labels background, hood, roof, wheels, other)"
    assert [sample["name"] for sample in views] == [view_name(seed, view) for seed in (0, 1) for view in range(3)]
    sample = views[4]
    assert (sample["seed"], sample["view"], views[-2]["name"]) == (1, 1, "s0001_v01")
    with models.one_thread_a_view():
        seen = Model.load("demo-cars").subject(1).render(views.camera(4), SIZE_PX)
    assert sample["image"].dtype == sample["mask"].dtype == torch.uint8 and sample["depth"].dtype == torch.float32
    assert np.array_equal(sample["image"].permute(1, 2, 0).numpy(), seen.rgb)
    assert np.array_equal(sample["mask"].numpy(), seen.mask)  # type: ignore[arg-type]
    assert np.array_equal(sample["depth"].numpy(), seen.depth_planar)
    assert np.array_equal(sample["cam2world"].numpy(), views.camera(4).cam2world.astype(np.float32))
    assert np.array_equal(sample["intrinsics"].numpy(), views.camera(4).intrinsics.astype(np.float32))
    with pytest.raises(IndexError):
        views[6]


def test_a_loader_with_workers_stacks_them(folder: Path) -> None:
    batches = list(DataLoader(LabeledViews(folder), batch_size=4, num_workers=2))
    assert [len(batch["name"]) for batch in batches] == [4, 2]
    assert batches[0]["image"].shape == (4, 3, SIZE_PX, SIZE_PX)
    assert batches[1]["depth"].shape == (2, SIZE_PX, SIZE_PX) and batches[1]["cam2world"].shape == (2, 4, 4)
    assert batches[1]["seed"].tolist() == [1, 1] and batches[1]["name"] == ["s0001_v01", "s0001_v02"]


def test_an_item_is_what_the_transform_makes(folder: Path) -> None:
    views = LabeledViews(folder, transform=darkest)
    assert views[5] == (int(LabeledViews(folder)[5]["image"].min()), 1)
    loaded = DataLoader(views, batch_size=None, num_workers=1, multiprocessing_context="spawn")
    assert [seed for _, seed in loaded] == [0, 0, 0, 1, 1, 1]


def test_a_split_is_read_by_its_name(split_folder: Path) -> None:
    train, val, whole = LabeledViews(split_folder, "train"), LabeledViews(split_folder, "val"), LabeledViews(split_folder)
    assert train.splits == ("train", "val") and len(train) and len(val)
    names = [[sample["name"] for sample in views] for views in (train, val, whole)]
    assert names[2] == names[0] + names[1] and sorted(names[2]) == [view_name(seed, 0) for seed in range(6)]
    assert torch.isinf(whole[0]["depth"]).any()  # npy, too
    assert repr(val).startswith(f"LabeledViews({split_folder}, split val: {len(val)} view")
    with pytest.raises(UsageError, match=r"split 'test': expected one that it has, found the splits train, val; choose another$"):
        LabeledViews(split_folder, "test")


def test_what_a_set_does_not_have_is_not_among_the_keys(tmp_path: Path, tiny_model: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        render(RenderCall(model_name=str(tiny_model), output=tmp_path / "a", seeds=(0,), views=1, channels=("depth",)))
    views = LabeledViews(tmp_path / "a")
    assert set(views[0]) == {"depth", "cam2world", "intrinsics", "name", "seed", "view"}
    assert views.labels is None and repr(views).endswith("1 view, no masks)")


# What is no data set


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: (path / "cameras.json").unlink(), "expected a data set that render wrote, found no cameras.json; give the"),
        (lambda path: (path / "metadata.jsonl").unlink(), "expected a finished data set, found no metadata.jsonl; repeat the"),
        (lambda path: (path / "cameras.json").write_text("{"), "cameras.json: expected JSON"),
        (lambda path: (path / "metadata.jsonl").write_text("{\n"), "metadata.jsonl: line 1: expected JSON"),
        (
            lambda path: (path / "metadata.jsonl").write_text("[1]\n"),
            r"line 1: expected files of a view below the folder, found \[1\]",
        ),
        (
            lambda path: (path / "metadata.jsonl").write_text('{"image_file_name": "../x.png"}'),
            "line 1: expected files of a view",
        ),
        (lambda path: (path / "metadata.jsonl").write_text('{"image_file_name": 3}'), "line 1: expected files of a view"),
        (lambda path: (path / "metadata.jsonl").write_text('{"image_file_name": "images/x.png"}'), "expected a camera for x in"),
        (lambda path: (path / "metadata.jsonl").write_bytes(b"\xff"), "metadata.jsonl: expected a list of a data set, it cannot"),
    ],
)
def test_a_damaged_folder_is_told_in_one_line(folder: Path, tmp_path: Path, change: Callable[[Path], Any], message: str) -> None:
    shutil.copytree(folder, tmp_path / "cars")
    change(tmp_path / "cars")
    with pytest.raises(UsageError, match=message) as caught:
        LabeledViews(tmp_path / "cars")
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path))


def test_what_is_no_folder_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: expected a data set folder, found nothing; render one there$"):
        LabeledViews(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file: expected a data set folder, found a file"):
        LabeledViews(str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"split 'train': expected one that it has, found a data set without splits"):
        LabeledViews(folder, "train")


def test_files_that_were_damaged_are_told_when_they_are_read(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "cars")
    for name, content in (("images/s0000_v00.png", b"no picture"), ("depth/s0000_v01.exr", b"")):
        (tmp_path / "cars" / name).write_bytes(content)
    shutil.copy(tmp_path / "cars" / "contact-sheet.png", tmp_path / "cars" / "images" / "s0000_v02.png")
    (tmp_path / "cars" / "masks" / "s0001_v00.png").unlink()
    views = LabeledViews(tmp_path / "cars")
    for index in (0, 1):
        with pytest.raises(OutputError, match="expected a file that this command wrote, it cannot be read"):
            views[index]
    with pytest.raises(
        AnnotationError, match=r"s0000_v02: mask: expected shape \[[0-9]+, [0-9]+\] to go with image, found \[64, 64\]"
    ):
        views[2]
    with pytest.raises(AnnotationError, match=r"s0001_v00\.png: expected a mask, found no file"):
        views[3]
