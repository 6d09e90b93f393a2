"""Data sets of images in every form: the same pairs come out, labels are matched by name, subjects divide, and what is wrong is told."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.downstream.images.sets.joined import JoinedSets, Place, divide, missing_classes, read_all
from dnerf_core.downstream.images.sets.opening import open_set
from dnerf_core.errors import AnnotationError, DNeRFError, UsageError
from dnerf_core.labels import LabelSet
from tests.core.downstream.small_sets import LABELS, png, small_view, write_folder, write_shards


def test_a_folder_and_its_shards_give_the_same_pairs(tmp_path: Path) -> None:
    folder, shards = open_set(write_folder(tmp_path / "cars", 3)), open_set(write_shards(tmp_path / "shards"))
    assert (folder.kind, shards.kind) == ("folder", "webdataset") and folder.labels == shards.labels == LABELS
    assert folder.views == shards.views and len(folder.views) == 6
    for index, view in enumerate(folder.views):
        image, mask = small_view(100 * int(view.subject.removeprefix("seed ")) + index % 2)
        for one in (folder, shards):
            pair = one.pair(index)
            assert np.array_equal(pair[0], image) and np.array_equal(pair[1], mask)


def test_shards_are_found_where_they_lie(tmp_path: Path) -> None:
    write_shards(tmp_path / "one" / "webdataset")
    assert len(open_set(tmp_path / "one").views) == 6
    write_shards(tmp_path / "split" / "train" / "webdataset")
    write_shards(tmp_path / "split" / "val" / "webdataset", first_seed=3)
    assert [view.split for view in open_set(tmp_path / "split").views] == ["train"] * 6 + ["val"] * 6
    # a folder that has both is read as a folder
    write_shards(write_folder(tmp_path / "both") / "webdataset")
    assert open_set(tmp_path / "both").kind == "folder"


def test_splits_are_known_and_a_splits_folder_is_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "cars", splits={"train": range(4), "val": range(4, 6)})
    assert [view.split for view in open_set(folder).views] == ["train"] * 8 + ["val"] * 4
    assert {(view.split, view.subject) for view in open_set(folder / "val").views} == {("val", "seed 4"), ("val", "seed 5")}


def joined(*places: Path) -> JoinedSets:
    return JoinedSets([open_set(place) for place in places])


def subjects(sets: JoinedSets, places: tuple[Place, ...]) -> set[str]:
    return {sets.facts(place).subject for place in places}


def test_labels_are_matched_by_name(tmp_path: Path) -> None:
    other = LabelSet.from_names(["blue", "red"])
    sets = joined(write_folder(tmp_path / "a", 1), write_folder(tmp_path / "b", 1, labels=other))
    assert sets.labels == LABELS and not np.array_equal(sets.sets[0].pair(0)[1], sets.sets[1].pair(0)[1])
    assert np.array_equal(sets.pair(Place(0, 0))[1], sets.pair(Place(1, 0))[1])
    with pytest.raises(AnnotationError, match=r"found none named blue and green besides; use sets of one label set"):
        joined(tmp_path / "a", write_folder(tmp_path / "c", 1, labels=LabelSet.from_names(["red", "green"])))


def test_subjects_are_held_out_whole_and_in_every_set(tmp_path: Path) -> None:
    sets = joined(write_folder(tmp_path / "a", 10), write_folder(tmp_path / "b", 20, views=1))
    division = divide(sets, None)
    trained, scored = subjects(sets, division.trained), subjects(sets, division.scored)
    assert len(scored) == 2 and not trained & scored and len(trained) == 18
    assert len(division.trained) + len(division.scored) == 40 and not division.by_split
    # more subjects move nobody that would be held out anyway; a number, a share, and none
    assert len(subjects(sets, divide(sets, 5).scored)) == 5 and len(subjects(sets, divide(sets, 0.25).scored)) == 5
    assert scored <= subjects(sets, divide(sets, 5).scored)
    assert not divide(sets, 0).scored
    with pytest.raises(UsageError, match="--validation: expected at least one of 20 subjects left"):
        divide(sets, 20)


def test_a_set_s_own_validation_split_is_taken_and_its_test_left_alone(tmp_path: Path) -> None:
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    sets = joined(write_folder(tmp_path / "a", 8, splits=splits), write_folder(tmp_path / "b", 10, views=1))
    division = divide(sets, None)
    assert division.by_split and subjects(sets, division.scored) == {"seed 4", "seed 5"}
    # the other set's views of them and of the test's subjects are left out
    assert subjects(sets, division.trained) == {f"seed {n}" for n in (0, 1, 2, 3, 8, 9)} and division.left_out == 4 + 4
    anew = divide(sets, 3)
    assert not anew.by_split and not {"seed 6", "seed 7"} & subjects(sets, anew.trained + anew.scored)
    with pytest.raises(UsageError, match="expected views to train on, found none"):
        divide(joined(tmp_path / "a" / "test"), 0)


def test_reading_all_tells_digests_and_pixels(tmp_path: Path) -> None:
    sets = joined(write_folder(tmp_path / "a", 3))
    division = divide(sets, 1)
    read = read_all(sets, division)
    assert read.pixels_a_view.shape == (4, 3) and read.pixels.sum() == 4 * 32 * 32
    assert read_all(sets, division).digests == read.digests != read_all(sets, divide(sets, 2)).digests
    path = tmp_path / "a" / "images" / "s0000_v00.png"
    path.write_bytes(png(small_view(77)[0]))
    assert read_all(sets, division).digests != read.digests
    assert missing_classes(np.array([5, 0, 3]), LABELS) == ["red"]


def edit_index(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "index.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def strange_member(folder: Path) -> None:
    with tarfile.open(folder / "views-000000.tar", "w") as tar:
        link = tarfile.TarInfo("s0000_v00.image.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


def without_masks(folder: Path) -> None:
    with tarfile.open(folder / "views-000000.tar", "w") as tar:
        data = png(small_view(0)[0])
        member = tarfile.TarInfo("s0000_v00.image.png")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "index.json").write_text("{"), "found no JSON"),
        (lambda f: edit_index(f, lambda index: index.pop("labels")), "expected labels of masks"),
        (lambda f: edit_index(f, lambda index: index.update(shards=[{"file": "../x-000000.tar"}])), "expected a list of shards"),
        (lambda f: (f / "views-000001.tar").unlink(), "cannot be read: No such file"),
        (lambda f: cut(f / "views-000001.tar"), "cannot be read"),
        (strange_member, "expected a plain file of a view"),
        (without_masks, "found no mask.png"),
    ],
)
def test_spoiled_shards_are_refused(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    folder = write_shards(tmp_path / "shards")
    spoil(folder)
    with pytest.raises(DNeRFError, match=message) as caught:
        open_set(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "images" / "s0000_v00.png").write_bytes(b"no picture"), "expected an 8-bit RGB PNG"),
        (lambda f: cut(f / "images" / "s0000_v00.png"), "expected an 8-bit RGB PNG"),
        (lambda f: (f / "masks" / "s0000_v00.png").unlink(), "cannot be read: No such file"),
        (lambda f: (f / "masks" / "s0000_v00.png").write_bytes(png(np.full((32, 32), 9, np.uint8))), "found 9"),
        (lambda f: (f / "masks" / "s0000_v00.png").write_bytes(png(np.zeros((16, 32), np.uint8))), "32 x 32 px and 32 x 16 px"),
    ],
)
def test_a_spoiled_view_is_told_before_training(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    folder = write_folder(tmp_path / "cars", 3)
    spoil(folder)
    sets = joined(folder)
    with pytest.raises(DNeRFError, match=message):
        read_all(sets, divide(sets, 1))


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "pipe", "no masks"])
def test_what_is_no_data_set_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cars"
    if kind == "file":
        path.write_text("cars")
    elif kind == "empty":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "no masks":
        write_folder(path)
        (path / "labels.json").unlink()
    with pytest.raises(UsageError, match="expected") as caught:
        open_set(path)
    assert "\n" not in str(caught.value)
