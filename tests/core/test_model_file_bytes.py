"""What a model file's header says of a configuration, byte by byte: fields, their order, and numbers as text stay as they were written.

Hashes of generators and of files, by which subject files and results name them, rest on this text.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.backbone.registry import family_of
from dnerf_core.checkpoints.generator_hash import generator_sha256
from dnerf_core.checkpoints.model_file import read_header, save_arrays, write_tensors
from dnerf_core.checkpoints.safetensors_layout import MODEL, SUM_KEY, is_as_written
from dnerf_core.embedded import model_path
from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import PRESETS
from dnerf_core.panohead.config import PANOHEAD
from tests.core import hostile, panohead_cases

# name -> configuration, start of the sha256 of its JSON in the order of its fields, and of that of a header with it
WRITTEN: dict[str, tuple[Any, str, str]] = {
    "faces": (PRESETS["ffhq512-128"], "a476c0c5005570ca", ""),
    "cars": (PRESETS["shapenetcars128-64"], "caf55e0d0d6117e9", ""),
    "narrow": (
        hostile.NARROW,
        "115203330be94f1f",
        "827476ef15a9b70a",
    ),
    "panohead": (PANOHEAD, "fd862042283b1f5b", ""),
    "narrow-panohead": (
        panohead_cases.NARROW,
        "f3513a7dca17b249",
        "9317cd6ec434c14b",
    ),
}


def sha256_start(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_configurations_json_keeps_its_fields_and_their_order(name: str) -> None:
    config, expected, _ = WRITTEN[name]
    assert sha256_start(json.dumps(config_to_json(config))) == expected


@pytest.mark.parametrize("name", ["narrow", "narrow-panohead"])
def test_a_model_files_header_keeps_its_text(tmp_path: Path, name: str) -> None:
    config, _, expected = WRITTEN[name]
    arrays = {key: np.zeros(shape, np.float32) for key, shape in family_of(config).expected_shapes(config).items()}
    save_arrays(tmp_path / "x.safetensors", config, arrays, source={"file": "x.pkl"})
    raw = (tmp_path / "x.safetensors").read_bytes()
    table = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    assert sha256_start(table["__metadata__"]["datasetnerf"]) == expected


def test_the_demos_generator_keeps_its_hash() -> None:
    path = Path(model_path("demo-cars"))
    assert generator_sha256(path)[:16] == "f47af9867a9860c1"
    assert sha256_start(json.dumps(config_to_json(read_header(path).generator_config))) == "73b65509fc13bc64"


def test_the_layout_is_the_safetensors_librarys(tmp_path: Path) -> None:
    """But for the check sum, which is a second text; an array of no value among them."""
    rng = np.random.default_rng(0)
    arrays = {
        "b": rng.random((3, 5), np.float32),
        "a": rng.random(7, np.float32).astype(np.float16),
        "c": np.ones(1, np.float32),
    }
    arrays |= {"é": np.zeros((0, 4), np.float32)}
    write_tensors(tmp_path / "x.safetensors", arrays, "key", 'a "text" of ü')
    raw = (tmp_path / "x.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    table = json.loads(raw[8 : 8 + length])
    sha256 = table["__metadata__"].pop(SUM_KEY)
    theirs = safetensors.numpy.save(arrays, table["__metadata__"])
    own = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    assert theirs == struct.pack("<Q", -(-len(own) // 8) * 8) + own + b" " * (-len(own) % 8) + raw[8 + length :]
    assert length % 8 == 0 and len(sha256) == 64
    read = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    config = hostile.NARROW
    arrays = {key: np.ones(shape, np.float32) for key, shape in family_of(config).expected_shapes(config).items()}
    path = tmp_path / "x.safetensors"
    save_arrays(path, config, arrays, source={"file": "x.pkl", "licence": "mine"})
    assert is_as_written(path, MODEL) is True
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, len(raw), 40), *rng.integers(8, 8 + length, 60), len(raw) - 1]
    for place in places:
        changed = bytearray(raw)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            found = is_as_written(path, MODEL)
        except CheckpointError:
            continue
        # what no reader minds: how a number of the table is spelled, or the key of the sum itself
        assert found is False or (found is None and SUM_KEY.encode() not in changed), place
