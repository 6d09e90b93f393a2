"""The subject file: what goes in comes back and is seen as its seed is; every damaged, foreign or lying file is named in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints import subject_file
from dnerf_core.checkpoints.generator_hash import generator_sha256, loaded_generator_sha256
from dnerf_core.checkpoints.model_file import read_header, save_model
from dnerf_core.checkpoints.subject_file import (
    SubjectRecord,
    check_subject_file,
    open_subject,
    read_subject_file,
    read_subject_header,
    record_of,
    write_subject_file,
)
from dnerf_core.embedded import model_path
from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from tests.core.semantic_cases import TINY, tiny_camera, tiny_generator

pytestmark = pytest.mark.usefixtures("one_thread")

MADE = {"kind": "image", "source": "photo.png", "settings": {"steps": 500}, "scores": {"lpips": 0.25}}
TUNED = "backbone.synthesis.b8.conv0.weight"
CONFIG = SemanticConfig(num_classes=3)


def save_tiny(path: Path, branch_seed: int | None = None) -> Path:
    """The tiny generator, with a branch of random weights where a seed is given."""
    generator = tiny_generator()
    if branch_seed is None:
        save_model(path, generator.config, generator.state_dict())
        return path
    branch = SemanticBranch(CONFIG, generator.config, seed=branch_seed)
    save_model(
        path, generator.config, generator.state_dict(), semantic_config=config_to_json(CONFIG), semantic_state=branch.state_dict(),
        labels=LabelSet.from_names(["a", "b"]),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(save_tiny(tmp_path_factory.mktemp("model") / "tiny.safetensors", branch_seed=1))


def tuned_record(model: Model) -> SubjectRecord:
    weight = model.generator.state_dict()[TUNED]
    return record_of(model, model.subject(7).ws, tiny_camera(0.3), MADE, {TUNED: weight.roll(1, 0)})


@pytest.fixture(scope="module")
def good(model: Model, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a subject file with a camera and a tuned tensor."""
    path = tmp_path_factory.mktemp("good") / "good.safetensors"
    write_subject_file(path, tuned_record(model))
    return path.read_bytes()


def test_what_goes_in_comes_back(tmp_path: Path, model: Model) -> None:
    record, path = tuned_record(model), tmp_path / "x.safetensors"
    write_subject_file(path, record)
    read = read_subject_file(path)
    assert read.ws.dtype == torch.float32 and read.ws.shape == (8, 32) and torch.equal(read.ws, record.ws)
    assert list(read.tuned) == [TUNED] and torch.equal(read.tuned[TUNED], record.tuned[TUNED])
    assert read.camera is not None
    assert np.array_equal(read.camera.cam2world, tiny_camera(0.3).cam2world)
    assert np.array_equal(read.camera.intrinsics, tiny_camera(0.3).intrinsics)
    assert (read.generator_name, read.generator_sha256, read.made) == ("tiny", model.generator_sha256, MADE)
    header = read_subject_header(path)
    assert (header.num_ws, header.w_dim, header.tuned, header.made) == (8, 32, [TUNED], MADE)


def test_a_header_whose_length_begins_like_a_pickle_is_read(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "subject.safetensors"
    length = int.from_bytes(good[:8], "little")
    for wanted in (0x280, 0x380, 0x480, 0x580):  # 0x80 and a protocol's number, as the first bytes of the file
        header = json.loads(good[8 : 8 + length])
        fields = json.loads(header["__metadata__"]["datasetnerf_subject"])
        fields["made"] = {}
        header["__metadata__"]["datasetnerf_subject"] = json.dumps(fields)
        text = json.dumps(header).encode()
        if len(text) > wanted:
            continue
        path.write_bytes(struct.pack("<Q", wanted) + text.ljust(wanted) + good[8 + length :])
        assert path.read_bytes()[0] == 0x80
        assert read_subject_file(path).made == {}
    assert path.exists()


def test_the_same_record_is_the_same_bytes(tmp_path: Path, model: Model, good: bytes) -> None:
    write_subject_file(tmp_path / "again.safetensors", tuned_record(model))
    assert (tmp_path / "again.safetensors").read_bytes() == good


def test_a_record_of_a_seeds_latents_is_seen_as_the_seed_is(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "x.safetensors"
    write_subject_file(path, record_of(model, model.subject(7).ws, None, {}))
    read = read_subject_file(path)
    assert read.camera is None and read.tuned == {}
    subject, camera = open_subject(model, read), tiny_camera(0.4)
    assert subject.model is model
    view, expected, other = subject.render(camera), model.subject(7).render(camera), model.subject(8).render(camera)
    for name in ("rgb", "mask", "depth_planar"):
        assert np.array_equal(getattr(view, name), getattr(expected, name))
        assert not np.array_equal(getattr(view, name), getattr(other, name))


def test_tuned_tensors_stand_in_for_the_generators_and_all_else_is_shared(model: Model) -> None:
    before = {name: tensor.clone() for name, tensor in model.generator.state_dict().items()}
    record = tuned_record(model)
    subject, camera = open_subject(model, record), tiny_camera(0.4)
    own, shared = subject.model.generator.state_dict(), model.generator.state_dict()
    assert subject.model.branch is model.branch and subject.model.labels == model.labels
    assert torch.equal(own[TUNED], record.tuned[TUNED])
    assert own.keys() == shared.keys()
    for name, tensor in shared.items():
        assert torch.equal(tensor, before[name])
        assert (own[name].data_ptr() == tensor.data_ptr()) == (name != TUNED)
    assert not any(parameter.requires_grad for parameter in subject.model.generator.parameters())
    assert not np.array_equal(subject.render(camera).rgb, model.subject(7).render(camera).rgb)
    with torch.no_grad():
        changed = Model.load(model.header.path)
        weight = changed.generator.get_parameter(TUNED)
        weight.copy_(weight.roll(1, 0))
    assert np.array_equal(subject.render(camera).rgb, changed.subject(7).render(camera).rgb)


def test_a_branch_trained_again_takes_the_subject_and_another_generator_does_not(tmp_path: Path, model: Model) -> None:
    record = tuned_record(model)
    again = Model.load(save_tiny(tmp_path / "again.safetensors", branch_seed=2))
    plain = Model.load(save_tiny(tmp_path / "plain.safetensors"))
    assert again.sha256 != model.sha256
    assert torch.equal(open_subject(again, record).ws, open_subject(plain, record).ws)
    generator = tiny_generator()
    with torch.no_grad():
        generator.decoder.net[0].bias[0] += 1e-3
    save_model(tmp_path / "other.safetensors", generator.config, generator.state_dict())
    with pytest.raises(CheckpointError, match=r"expected the generator that it is a subject of, 'tiny' .*found tiny .*--model"):
        open_subject(Model.load(tmp_path / "other.safetensors"), record)
    write_subject_file(tmp_path / "x.safetensors", record)
    assert check_subject_file(tmp_path / "x.safetensors", plain.header.path).made == MADE
    with pytest.raises(CheckpointError, match=r"x.safetensors: expected the generator .*found tiny .*--model"):
        check_subject_file(tmp_path / "x.safetensors", tmp_path / "other.safetensors")


def test_a_check_looks_at_every_value_without_torch(tmp_path: Path, model: Model, good: bytes) -> None:
    (tmp_path / "good.safetensors").write_bytes(good)
    (tmp_path / "bad.safetensors").write_bytes(with_value(math.nan)(good))
    program = (
        "import sys\nfrom pathlib import Path\nfrom dnerf_core.checkpoints.subject_file import check_subject_file\n"
        "check_subject_file('good.safetensors', Path(sys.argv[1]))\nassert 'torch' not in sys.modules\n"
        "check_subject_file('bad.safetensors', Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(model.header.path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "bad.safetensors: subject.ws: expected 256 finite values, found others" in done.stderr, done.stderr


def test_a_generators_hash_is_the_same_in_a_file_and_in_memory_and_tells_every_change(tmp_path: Path, model: Model) -> None:
    assert generator_sha256(model.header.path) == model.generator_sha256 == generator_sha256(save_tiny(tmp_path / "plain"))
    generator = tiny_generator()
    generator.config = dataclasses.replace(TINY, name="another")
    assert loaded_generator_sha256(generator) != model.generator_sha256
    half = tmp_path / "half.safetensors"
    save_model(half, TINY, tiny_generator().state_dict(), stored="float16")
    assert generator_sha256(half) == Model.load(half).generator_sha256 != model.generator_sha256


def test_the_embedded_generators_hash_is_the_one_that_folders_and_subject_files_already_name() -> None:
    """It stands in every annotated folder and subject file made so far: a config that gains fields must not change it."""
    assert generator_sha256(model_path("demo-cars")) == "f47af9867a9860c1a315a60200b3e8f907e4303c37323106cba45fb3bd82cb16"


def test_a_header_is_read_without_torch(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(good)
    program = (
        "import sys\nfrom dnerf_core.checkpoints.subject_file import read_subject_header\n"
        "print(read_subject_header('x.safetensors').made['kind'])\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "image\n"), done.stderr


# What is refused


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """(table, header fields, tensor bytes) of a subject file."""
    length = struct.unpack("<Q", data[:8])[0]
    table = json.loads(data[8 : 8 + length])
    return table, json.loads(table["__metadata__"]["datasetnerf_subject"]), data[8 + length :]


def joined(table: dict[str, Any], fields: Any, tensors: bytes) -> bytes:
    table["__metadata__"] = {"datasetnerf_subject": json.dumps(fields)}
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def with_field(name: str, value: Any) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table, fields, tensors = parts(data)
        return joined(table, fields | {name: value}, tensors)

    return change


def without_field(data: bytes) -> bytes:
    table, fields, tensors = parts(data)
    del fields["made"]
    return joined(table, fields, tensors)


def renamed(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table, fields, tensors = parts(data)
        table[new] = table.pop(old)
        return joined(table, fields, tensors)

    return change


def reshaped(shape: list[int]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table, fields, tensors = parts(data)
        table["subject.ws"]["shape"] = shape
        return joined(table, fields, tensors)

    return change


def with_value(value: float) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        return data[:-4] + struct.pack("<f", value)

    return change


FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "expected a subject file .*found 0 header bytes"),
    "cut in the header": (lambda data: data[:40], "header bytes claimed in 40"),
    "cut in the tensors": (lambda data: data[:-4], "bytes of tensors, found"),
    "longer": (lambda data: data + b"\0", "bytes of tensors, found"),
    "a huge header": (lambda data: struct.pack("<Q", 2**62) + data[8:], "header bytes claimed"),
    "a pickle": (
        lambda data: b"\x80\x04." + data,
        "expected a subject file, found a pickle; make one with 'dnerf-headless invert'",
    ),
    "a picture": (lambda data: b"\x89PNG\r\n\x1a\n" + data, "expected a subject file"),
    "NaN": (with_value(math.nan), "expected [0-9]+ finite values"),
    "infinity": (with_value(-math.inf), "expected [0-9]+ finite values"),
    "another version": (with_field("format_version", 2), "expected format version 1, found 2"),
    "a missing field": (without_field, r"missing fields \['made'\]"),
    "a surplus field": (with_field("code", "import os"), r"surplus \[\"'code'\"\]"),
    "no hash": (with_field("generator_sha256", "abc"), "generator_sha256: expected 64 hexadecimal digits, found 'abc'"),
    "no name": (with_field("generator_name", 3), "generator_name: expected text, found 3"),
    "no axis": (with_field("world_up", "x"), "world_up: expected 'y' or 'z', found 'x'"),
    "no record": (with_field("made", [1]), "made: expected an object"),
    "no camera": (with_field("camera", {"cam2world": 1, "intrinsics": 2}), "camera: cam2world: expected"),
    "half a camera": (with_field("camera", {"cam2world": [[1.0]]}), "camera: expected the keys cam2world and intrinsics"),
    "no latents": (renamed("subject.ws", "generator.ws"), r"subject.ws: expected .*found none"),
    "an unknown tensor": (renamed(f"generator.{TUNED}", "subject.z"), r"expected the tensors .*found 'subject.z'"),
    "a foreign tensor": (renamed(f"generator.{TUNED}", "semantic.z"), r"expected subject.\* or generator.\*"),
    "flat latents": (reshaped([256]), r"subject.ws: expected .*found \[256\]"),
    "too many latents": (reshaped([2, 128, 1]), r"subject.ws: expected"),
    "a lying shape": (reshaped([8, 33]), "its bytes do not match its shape"),
    "no latents at all": (reshaped([0, 32]), "its bytes do not match its shape"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_damaged_file_is_one_line(tmp_path: Path, good: bytes, fault: str) -> None:
    change, message = FAULTS[fault]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(change(good))
    with pytest.raises(CheckpointError, match=message) as raised:
        read_subject_file(path)
    text = str(raised.value)
    assert text.startswith(str(path)) and "\n" not in text
    assert "model file" not in text


def test_files_of_another_kind_name_the_right_option(tmp_path: Path, model: Model, good: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"expected a subject file, found a model file; give that with --model$"):
        read_subject_file(model.header.path)
    (tmp_path / "x.safetensors").write_bytes(good)
    with pytest.raises(CheckpointError, match=r"expected a model file, found a subject file; give that with --subject$"):
        read_header(tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"expected a subject file .*found no such file; check the path$"):
        read_subject_file(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match=r"expected a subject file .*found no regular file; check the path$"):
        read_subject_file(tmp_path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path, good: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.safetensors").write_bytes(good)
    monkeypatch.setattr(subject_file, "MAX_VALUES", 300)
    with pytest.raises(CheckpointError, match="expected at most 300 values, found"):
        read_subject_header(tmp_path / "x.safetensors")


def refused(model: Model, **changes: Any) -> SubjectRecord:
    return dataclasses.replace(tuned_record(model), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ws": torch.full((8, 32), torch.nan)}, "subject.ws: expected finite values"),
        ({"ws": torch.zeros(32)}, "subject.ws: expected"),
        ({"tuned": {TUNED: torch.full((2,), torch.inf)}}, "expected finite values"),
        ({"made": {"lpips": math.nan}}, "expected plain JSON values"),
        ({"made": {"path": Path("x")}}, "expected plain JSON values"),
        ({"made": {"note": "x" * 2**20}}, "expected at most 1048576 bytes"),
        ({"made": {"count": 10**30}}, "expected JSON text of finite numbers"),
        ({"generator_sha256": "unknown"}, "expected 64 hexadecimal digits"),
    ],
)
def test_nothing_is_written_that_would_be_refused(tmp_path: Path, model: Model, changes: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"{message}.*not written$"):
        write_subject_file(tmp_path / "x.safetensors", refused(model, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path, model: Model) -> None:
    with pytest.raises(OutputError, match="the system says: No such file or directory"):
        write_subject_file(tmp_path / "none" / "x.safetensors", tuned_record(model))


@pytest.mark.parametrize(
    ("ws", "tuned", "message"),
    [
        ((7, 32), {}, r"'subject.ws': expected \[8, 32\], found \[7, 32\]"),
        ((2, 8, 32), {}, r"'subject.ws': expected \[8, 32\], found \[2, 8, 32\]"),
        ((8, 32), {"backbone.nothing": (1,)}, r"'generator.backbone.nothing': expected no such tensor, found \[1\]"),
        ((8, 32), {TUNED: (1,)}, r"'generator.backbone.synthesis.b8.conv0.weight': expected \[.*found \[1\]"),
        ((8, 32), {"backbone.synthesis.b8.resample_filter": (4, 4)}, ".*filter.: expected no such tensor"),
    ],
)
def test_latents_and_tensors_of_another_shape_are_no_records(
    tmp_path: Path, model: Model, ws: tuple[int, ...], tuned: dict[str, tuple[int, ...]], message: str
) -> None:
    tensors = {name: torch.zeros(shape) for name, shape in tuned.items()}
    with pytest.raises(CheckpointError, match=message):
        record_of(model, torch.zeros(ws), None, {}, tensors)
    if len(ws) == 2:
        record = dataclasses.replace(tuned_record(model), ws=torch.zeros(ws), tuned=tensors)
        with pytest.raises(CheckpointError, match=f"^x: {message}"):
            open_subject(model, record, "x")
        write_subject_file(tmp_path / "x.safetensors", record)
        with pytest.raises(CheckpointError, match=f"x.safetensors: {message}"):
            check_subject_file(tmp_path / "x.safetensors", model.header.path)
