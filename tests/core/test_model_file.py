"""The model file: what goes in comes back, headers are read without torch, and every damaged file is named in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.checkpoints.expected_shapes import is_filter
from dnerf_core.checkpoints.model_file import (
    METADATA_KEY,
    file_sha256,
    load_model_file,
    read_header,
    save_arrays,
    save_model,
)
from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.files import whole
from dnerf_core.labels import LabelSet
from tests.core.hostile import NARROW, weights

LABELS = LabelSet.from_names(["hood", "roof"])


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return weights(NARROW)


@pytest.fixture(scope="module")
def good(arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a model file with a semantic branch."""
    path = tmp_path_factory.mktemp("good") / "good.safetensors"
    save_arrays(
        path,
        NARROW,
        arrays,
        semantic_config={"kind": "planes"},
        semantic_arrays={"head.weight": np.ones((2, 3), np.float32), "head.bias": np.zeros((), np.float32)},
        labels=LABELS,
        source={"file": "x.pkl", "sha256": "00", "licence": "none"},
        training={"seed": 3},
    )
    return path.read_bytes()


def test_what_goes_in_comes_back(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "model.safetensors"
    state = {key: torch.from_numpy(array) for key, array in arrays.items()}
    semantic = {"head.weight": torch.rand(4, 3).double(), "scale": torch.tensor(2.0)}
    save_model(
        path,
        NARROW,
        state,
        semantic_config={"width": 8},
        semantic_state=semantic,
        labels=LABELS,
        source={"file": "a"},
        training={"scores": [0.5]},
    )
    loaded = load_model_file(path)
    header = loaded.header
    assert header.generator_config == NARROW and header.format_version == 1 and header.path == path
    assert header.semantic_config == {"width": 8} and header.has_semantics and header.labels == LABELS
    assert header.source == {"file": "a"} and header.training == {"scores": [0.5]}
    assert loaded.sha256 == file_sha256(path)
    assert set(loaded.generator_state) == {key for key in arrays if not is_filter(key)}
    for key, tensor in loaded.generator_state.items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, state[key])
    assert loaded.semantic_state is not None and set(loaded.semantic_state) == set(semantic)
    assert torch.equal(loaded.semantic_state["head.weight"], semantic["head.weight"].float())
    assert loaded.semantic_state["scale"].shape == ()


def test_a_plain_generator_has_no_semantics(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "model.safetensors"
    save_arrays(path, NARROW, arrays)
    loaded = load_model_file(path)
    assert loaded.semantic_state is None and not loaded.header.has_semantics
    assert loaded.header.labels is None and loaded.header.source is None and loaded.header.training is None


def test_half_precision_on_disk_loads_as_float32(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_arrays(full, NARROW, arrays)
    save_arrays(half, NARROW, arrays, stored="float16")
    assert half.stat().st_size < 0.51 * full.stat().st_size + 20_000
    for key, tensor in load_model_file(half).generator_state.items():
        assert tensor.dtype == torch.float32
        np.testing.assert_array_equal(tensor.numpy(), arrays[key].astype(np.float16).astype(np.float32))


def test_the_file_is_a_safetensors_for_others_too(tmp_path: Path, good: bytes) -> None:
    from safetensors import safe_open

    path = tmp_path / "model.safetensors"
    path.write_bytes(good)
    with safe_open(path, "np") as file:
        assert set(file.keys()) == set(read_header(path).tensors)
        assert json.loads(file.metadata()[METADATA_KEY])["training"] == {"seed": 3}


def test_a_header_is_read_without_torch(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(good)
    program = (
        "import sys\nfrom dnerf_core.checkpoints.model_file import read_header\n"
        "assert read_header(sys.argv[1]).labels.names[1] == 'hood'\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=Path(__file__).parents[2], timeout=60)


# Writing


def test_a_bad_state_is_not_written(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "model.safetensors"
    large = arrays["decoder.net.0.bias"] + 1e6
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({**arrays, "x": np.zeros(1)}, {}, "surplus 'x'"),
        ({k: v for k, v in arrays.items() if k != "decoder.net.0.bias"}, {}, "missing 'decoder.net.0.bias'"),
        ({**arrays, "decoder.net.0.bias": np.zeros(3)}, {}, r"expected shape \[64\], found \[3\]"),
        ({**arrays, "decoder.net.0.bias": np.full(64, np.nan)}, {}, "decoder.net.0.bias: expected finite values"),
        ({**arrays, "decoder.net.0.bias": large}, {"stored": "float16"}, "expected finite values as float16"),
        (arrays, {"semantic_config": {}}, "configuration and weights together"),
        (arrays, {"semantic_arrays": {}}, "configuration and weights together"),
    ]
    for state, options, expected in cases:
        with pytest.raises(CheckpointError, match=expected) as caught:
            save_arrays(path, NARROW, state, **options)
        assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole.os, "fsync", fail)
    with pytest.raises(OutputError, match=r"model\.safetensors: expected to write .* says: No space left on device; free some"):
        save_arrays(path, NARROW, arrays)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]
    with pytest.raises(OutputError, match="the system says: No such file or directory"):
        save_arrays(tmp_path / "nowhere" / "model.safetensors", NARROW, arrays)


@pytest.mark.skipif(os.name == "nt", reason="permission bits are those of POSIX")
def test_the_file_has_ordinary_permissions(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path, other = tmp_path / "model.safetensors", tmp_path / "other"
    save_arrays(path, NARROW, arrays)
    other.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


# Reading what is damaged


def assert_refused(path: Path, data: bytes, expected: str, load: Callable[[Path], object] = read_header) -> None:
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(str(path)) and message.isprintable() and len(message) < 900 + len(str(path))


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(entries: dict[str, Any], tensors: bytes) -> bytes:
    raw = json.dumps(entries).encode()
    return struct.pack("<Q", len(raw)) + raw + tensors


def with_fields(data: bytes, **changes: Any) -> bytes:
    entries, tensors = parts(data)
    fields = json.loads(entries["__metadata__"][METADATA_KEY]) | changes
    entries["__metadata__"][METADATA_KEY] = json.dumps(fields)
    return joined(entries, tensors)


def with_generator(data: bytes, name: str, value: object) -> bytes:
    """The file with one field of the generator's config replaced, given by its dotted name."""
    generator = json.loads(parts(data)[0]["__metadata__"][METADATA_KEY])["generator"]
    *groups, field = name.split(".")
    target = generator
    for group in groups:
        target = target[group]
    target[field] = value
    return with_fields(data, generator=generator)


def test_the_helpers_keep_a_good_file_good(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(with_fields(good))
    assert load_model_file(path).header.generator_config == NARROW


def test_other_files_are_named(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "m.safetensors"
    assert_refused(path, b"", "0 header bytes claimed in 0")
    assert_refused(path, b"some text that is no model file", "header bytes claimed in 31")
    assert_refused(path, b"\x80\x04N." + bytes(20), "found a pickle; convert it with 'dnerf-headless import'")
    assert_refused(path, struct.pack("<Q", 4 * 2**30) + bytes(100), "4294967296 header bytes claimed in 108")
    assert_refused(path, struct.pack("<Q", 20) + b"{" * 20, "expected JSON text")
    assert_refused(path, struct.pack("<Q", 2) + b"[]", "expected a JSON object, found list")
    assert_refused(path, struct.pack("<Q", 100_000) + b'{"a":' + b"[" * 99_995, "expected JSON text")
    assert_refused(path, struct.pack("<Q", 2) + b"{}", "without 'datasetnerf' in its metadata")
    assert_refused(path, joined({"__metadata__": {"format": "pt"}}, b""), "without 'datasetnerf' in its metadata")
    with pytest.raises(CheckpointError, match="no such file"):
        read_header(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match="no regular file"):
        read_header(tmp_path)


def test_cut_files_are_refused(tmp_path: Path, good: bytes) -> None:
    for length in (7, 8, 9, 1000, len(good) // 2, len(good) - 1):
        assert_refused(tmp_path / "m.safetensors", good[:length], "m.safetensors: ")
    assert_refused(tmp_path / "m.safetensors", good[:-1], "bytes of tensors, found")
    assert_refused(tmp_path / "m.safetensors", good + b"x", "bytes of tensors, found")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format_version": 2}, "expected format version 1, found 2"),
        ({"format_version": True}, "expected format version 1, found bool"),
        ({"format_version": None}, "found NoneType"),
        ({"more": 1}, "surplus [\"'more'\"]"),
        ({"generator": {}}, "generator: expected the names"),
        ({"generator": None}, "generator: expected a JSON object"),
        ({"semantic": None}, "found none of a configuration"),
        ({"semantic": "x"}, "header field 'semantic': expected an object or null"),
        ({"source": 3}, "header field 'source'"),
        ({"training": []}, "header field 'training'"),
        ({"labels": {"labels": 3}}, "m.safetensors: labels: "),
        ({"labels": "x"}, "header field 'labels'"),
    ],
)
def test_bad_header_fields_are_named(tmp_path: Path, good: bytes, changes: dict[str, Any], expected: str) -> None:
    assert_refused(tmp_path / "m.safetensors", with_fields(good, **changes), expected)


def test_configs_that_cannot_be_built_are_refused(tmp_path: Path, good: bytes) -> None:
    entries, _ = parts(good)
    generator = json.loads(entries["__metadata__"][METADATA_KEY])["generator"]
    for name, value, expected in [
        ("resolution", 0, "backbone.resolution: expected 4 to 4096"),
        ("resolution", 200, "power of two"),
        ("channel_base", 1, "channel_base: expected 256"),
        ("plane_channels", 2**40, "plane_channels: expected 1 to 4096"),
        ("channel_max", 8, "expected shape"),
    ]:
        changed = generator | {"backbone": generator["backbone"] | {name: value}}
        assert_refused(tmp_path / "m.safetensors", with_fields(good, generator=changed), expected)
    many = generator | {"mapping": generator["mapping"] | {"layers": 10**9}}
    assert_refused(tmp_path / "m.safetensors", with_fields(good, generator=many), "mapping.layers: expected 1 to 64")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("image_size", 15, "16 to 4096, found 15"),
        ("image_size", 4097, "16 to 4096, found 4097"),
        ("rays.neural_resolution", 0, "1 to 2048, found 0"),
        ("rays.neural_resolution", 2049, "1 to 2048, found 2049"),
        ("rays.samples_coarse", 3, "4 to 4096, found 3"),
        ("rays.samples_coarse", 4097, "4 to 4096, found 4097"),
        ("rays.samples_fine", -1, "0 to 4096, found -1"),
        ("rays.samples_fine", 4097, "0 to 4096, found 4097"),
        ("rays.ray_start", 2.6, "less than ray_end 2.6, or both 'auto', found 2.6"),
        ("rays.ray_start", "auto", "less than ray_end 2.6, or both 'auto', found 'auto'"),
        ("triplane.box_warp", 0, "a number above 0, found 0.0"),
        ("triplane.box_warp", -1.5, "a number above 0, found -1.5"),
        ("rays.auto_inset", 0.8, "0 to less than half of box_warp 1.6, found 0.8"),
        ("triplane.plane_axes", ["xy", "xz"], "3 planes, found 2"),
        ("cameras.radius", 0.0, "a number above 0"),
        ("cameras.focal", -1, "a number above 0"),
        ("cameras.radius", 1e30, "a number within 1e+06 of 0, found 1e+30"),
        ("cameras.pitch_deg", 90.5, "-90 to 90, found 90.5"),
        ("cameras.pitch_deg", -200, "-90 to 90, found -200.0"),
        ("cameras.pivot", [0, 1.3, 0], "a point nearer to the origin than radius 1.3, found [0.0, 1.3, 0.0]"),
        ("cameras.yaw_range_deg", [-361, 0], "two rising angles from -360 to 360, up to 360 apart, found [-361.0, 0.0]"),
        ("cameras.yaw_range_deg", [0, 361], "two rising angles from -360 to 360, up to 360 apart, found [0.0, 361.0]"),
        ("cameras.yaw_range_deg", [30, -30], "two rising angles from -360 to 360, up to 360 apart, found [30.0, -30.0]"),
        ("cameras.yaw_range_deg", [-200, 170], "two rising angles from -360 to 360, up to 360 apart, found [-200.0, 170.0]"),
        ("cameras.yaw_range_deg", [1], "tuple[float, float] or null, found [1]"),
        ("cameras.pitch_range_deg", [-91, 0], "two rising angles from -90 to 90, found [-91.0, 0.0]"),
        ("cameras.pitch_range_deg", [0, 90.5], "two rising angles from -90 to 90, found [0.0, 90.5]"),
        ("cameras.pitch_range_deg", [10, 5], "two rising angles from -90 to 90, found [10.0, 5.0]"),
        ("cameras.pitch_deg", "x" * 10**6, "float, found 'xxxx"),
        ("rays.ray_end", [[[[0] * 10**5]]], "float or 'auto', found [[[[...]]]]; the file is damaged"),
        ("superresolution.channels", "x" * 10**6, "tuple[int, int] or null, found 'xxxx"),
        ("mapping.z_dim", -8, "1 to 65536, found -8"),
    ],
)
def test_claims_that_no_tensor_backs_are_checked(tmp_path: Path, good: bytes, name: str, value: object, expected: str) -> None:
    assert_refused(tmp_path / "m.safetensors", with_generator(good, name, value), f"generator.{name}: expected {expected}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", 16),
        ("image_size", 4096),
        ("rays.neural_resolution", 1),
        ("rays.neural_resolution", 2048),
        ("rays.samples_coarse", 4096),
        ("rays.samples_fine", 0),
        ("rays.samples_fine", 4096),
        ("cameras.yaw_range_deg", (-360, 0)),
        ("cameras.yaw_range_deg", (0, 360)),
        ("cameras.yaw_range_deg", (20, 20)),
        ("cameras.pitch_range_deg", (-90, 90)),
    ],
)
def test_the_ends_of_the_ranges_are_inside(tmp_path: Path, good: bytes, name: str, value: object) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(with_generator(good, name, value))
    config: Any = read_header(path).generator_config
    for part in name.split("."):
        config = getattr(config, part)
    assert config == value


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400])
@pytest.mark.parametrize("field", ['"box_warp": 1.6', '"radius": 1.3', '"seed": 3'])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, good: bytes, field: str, number: str) -> None:
    entries, tensors = parts(good)
    text = entries["__metadata__"][METADATA_KEY]
    assert text.count(field) == 1
    entries["__metadata__"][METADATA_KEY] = text.replace(field, f"{field.partition(':')[0]}: {number}")
    assert_refused(tmp_path / "m.safetensors", joined(entries, tensors), "expected JSON text of finite numbers")


def test_a_config_that_would_not_load_is_not_written(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    replace = dataclasses.replace
    for config, expected in [
        (replace(NARROW, image_size=8), "generator.image_size: expected 16 to 4096, found 8; not written"),
        (replace(NARROW, triplane=replace(NARROW.triplane, box_warp=math.inf)), "triplane.box_warp: expected a finite number"),
        (replace(NARROW, cameras=replace(NARROW.cameras, focal=math.nan)), "cameras.focal: expected a finite number, found nan"),
        (replace(NARROW, cameras=replace(NARROW.cameras, pivot=(0.0, math.inf, 0.0))), r"cameras.pivot\[1\]: expected a finite"),
        (replace(NARROW, rays=replace(NARROW.rays, ray_end=math.inf)), "rays.ray_end: expected a finite number, found inf"),
    ]:
        with pytest.raises(CheckpointError, match=expected):
            save_arrays(tmp_path / "model.safetensors", config, arrays)
    assert list(tmp_path.iterdir()) == []


def _entry(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda entries: entries["generator.decoder.net.0.bias"].update(changes)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda e: e.pop("generator.decoder.net.0.bias"), "expected its bytes at"),
        (lambda e: e.update({"x": e["generator.decoder.net.0.bias"]}), "tensor 'x': expected generator.* or semantic.*"),
        (lambda e: e.update({"a\nb": 3}), "tensor 'a\\nb'"),
        (lambda e: e.update({"generator.x": e.pop("generator.decoder.net.0.bias")}), "missing 'decoder.net.0.bias'"),
        (lambda e: e.update({"generator.x": e.pop("semantic.head.bias")}), "surplus 'x'"),
        (_entry(shape=[8, 8]), "decoder.net.0.bias: expected shape [64], found [8, 8]"),
        (_entry(shape=[63]), "its bytes do not match its shape"),
        (_entry(shape=[-64]), "non-negative integers"),
        (_entry(shape=64), "non-negative integers"),
        (_entry(dtype="I32"), "expected type F32 or F16, found 'I32'"),
        (_entry(dtype=None), "expected type F32 or F16, found None"),
        (_entry(data_offsets=[0, 256]), "expected its bytes at 32, found 0"),
        (_entry(data_offsets=[2**47, 2**47 + 256]), "expected its bytes at"),
    ],
)
def test_bad_tensor_tables_are_named(
    tmp_path: Path, good: bytes, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    entries, tensors = parts(good)
    change(entries)
    assert_refused(tmp_path / "m.safetensors", joined(entries, tensors), expected)


def test_a_name_given_twice_is_refused(tmp_path: Path, good: bytes) -> None:
    entries, tensors = parts(good)
    raw = (
        json.dumps(entries)[:-1]
        + ', "generator.decoder.net.0.bias": '
        + json.dumps(entries["generator.decoder.net.0.bias"])
        + "}"
    )
    assert_refused(tmp_path / "m.safetensors", struct.pack("<Q", len(raw)) + raw.encode() + tensors, "expected JSON text")


def test_values_that_are_not_finite_are_refused_on_load(tmp_path: Path, good: bytes) -> None:
    entries, tensors = parts(good)
    place = entries["generator.decoder.net.0.bias"]["data_offsets"][0]
    for value in (np.nan, np.inf):
        damaged = tensors[:place] + struct.pack("<f", value) + tensors[place + 4 :]
        assert_refused(
            tmp_path / "m.safetensors", joined(entries, damaged), "decoder.net.0.bias: expected 64 finite values", load_model_file
        )
