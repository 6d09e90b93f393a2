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

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.backbone.registry import family_of
from dnerf_core.checkpoints.generator_hash import generator_sha256
from dnerf_core.checkpoints.model_file import read_header, save_arrays
from dnerf_core.embedded import model_path
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
