"""Files that appear whole or not at all, and what killed writers of this and of earlier versions left."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnerf_core.errors import OutputError
from dnerf_core.files.whole import check_writable, leftovers, sync_folder, temporary_for, whole_file, write_bytes_whole


def test_a_file_takes_the_place_of_another_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    with whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        assert (path.read_bytes(), temporary_for(temporary.name)) == (b"old", "a.npz")
    assert path.read_bytes() == b"new"
    sync_folder(tmp_path)
    with pytest.raises(ValueError, match="half"), whole_file(path) as temporary:
        temporary.write_bytes(b"ne")
        raise ValueError("half")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.npz", b"new")]


def test_a_folder_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(OutputError, match=r"a\.npz: expected a file to write, found a folder; give the output a file name"):
        write_bytes_whole(tmp_path / "a.npz", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    "name", [".tmp-0000000077-cars.safetensors", ".tmp-7-cars.safetensors", ".cars.safetensors.0123abcd.part"]
)
def test_what_killed_writers_left_is_found_by_both_schemes_and_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"half")
    assert temporary_for(name) == "cars.safetensors"
    assert leftovers(tmp_path, "bars.safetensors".__eq__) == []
    check_writable(tmp_path / "cars.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["cars.safetensors", ".cars.safetensors.part", ".cars.safetensors.0123ABCD.part", ".tmp-x-cars.safetensors", ".tmp-7-"],
)
def test_names_of_others_are_no_temporary_names(name: str) -> None:
    assert temporary_for(name) is None
