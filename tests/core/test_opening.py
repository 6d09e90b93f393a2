"""Pipes, sockets and devices in a file's place are refused at once, and lone surrogates in a file's text become characters."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints.safetensors_layout import parsed_json
from dnerf_core.checkpoints.subject_file import read_subject_header
from dnerf_core.errors import CheckpointError, DNeRFError, UsageError
from dnerf_core.files.camera_files.dataset_cameras import _parsed
from dnerf_core.files.cloud_reading import read_cloud
from dnerf_core.files.masks import read_mask
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.opening.regular_files import NotRegularError, open_regular, read_regular_text, strange_kind
from dnerf_core.files.photos import BLACK, read_label_mask, read_photo
from dnerf_core.files.pictures import read_depth, read_image
from dnerf_core.files.posed_folder import PosedFolder
from dnerf_core.labels import SHAPENET_CAR_LABELS

FILES = Path(__file__).parent / "files"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("ä\r\nb".encode())
    (tmp_path / "link").symlink_to(tmp_path / "x")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == "ä\r\nb".encode()
    assert read_regular_text(tmp_path / "x") == "ä\nb"
    assert strange_kind(tmp_path / "x") is strange_kind(tmp_path) is strange_kind(tmp_path / "none") is None


def test_pipe_socket_and_device_are_refused_without_waiting(pipe: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        for path, kind in ((pipe, "named pipe"), (tmp_path / "s", "socket"), (Path("/dev/null"), "device")):
            with pytest.raises(NotRegularError, match=f"expected a regular file, found a {kind}"):
                open_regular(path)


READERS: dict[str, Callable[[Path], Any]] = {
    "m.png": lambda path: read_mask(path, SHAPENET_CAR_LABELS, 64),
    "l.png": lambda path: read_label_mask(path, 64, "pad", SHAPENET_CAR_LABELS),
    "photo.jpg": lambda path: read_photo(path, 64, "pad", BLACK),
    "i.png": read_image,
    "d.exr": read_depth,
    "d.npy": read_depth,
    "c.ply": read_cloud,
    "c.npz": read_cloud,
    "cameras.json": lambda path: PosedFolder.open(path.parent),
    "dataset.json": _parsed,
    "subject.safetensors": read_subject_header,
}


@pytest.mark.parametrize("name", READERS)
def test_readers_do_not_wait_for_a_pipe(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DNeRFError, match=r"pipe|regular|plain") as told:
        READERS[name](tmp_path / name)
    assert name in str(told.value)
    assert "\n" not in str(told.value)


def test_lone_surrogates_become_replacement_characters() -> None:
    assert without_surrogates({"a\ud800": ["\udc00b", 1, None]}) == {"a\ufffd": ["\ufffdb", 1, None]}
    assert without_surrogates("\U0001f697") == "\U0001f697"
    assert parsed_json('{"name": "\ud800", "other": "\\udfff"}', "x") == {"name": "\ufffd", "other": "\ufffd"}
    with pytest.raises(CheckpointError):
        parsed_json('{"\ud800": 1, "\ud801": 2}', "two names that become one")


def test_a_subject_file_whose_text_is_half_a_character(tmp_path: Path) -> None:
    shutil.copy(FILES / "subject-surrogate-text.safetensors", tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="expected JSON text"):
        read_subject_header(tmp_path / "x.safetensors")


def test_camera_names_can_be_written(tmp_path: Path) -> None:
    view = '{"name": "\\ud800v", "cam2world": [[1,0,0,0],[0,1,0,0],[0,0,1,-3],[0,0,0,1]], "intrinsics": [[1,0,0.5],[0,1,0.5],[0,0,1]]}'
    text = f'{{"version": 1, "views": [{view}]}}'
    assert list(cameras_from_json(text)) == ["\ufffdv"]
    (tmp_path / "cameras.json").write_text(text)
    assert [view.name for view in PosedFolder.open(tmp_path).objects["object"]] == ["\ufffdv"]
    with pytest.raises(UsageError, match="again"):
        cameras_from_json(f'{{"version": 1, "views": [{view}, {view.replace("d800", "d801")}]}}')
