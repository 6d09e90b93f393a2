"""The template file: what is written is read again, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from dnerf_core.checkpoints.safetensors_layout import MODEL, TEMPLATE, file_kind, is_as_written, read_layout
from dnerf_core.errors import CheckpointError, TemplateError
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.body.template_file import read_template, write_template
from tests.core.gnarf.rigs import cmu_skeleton, template_of

ROOT = Path(__file__).resolve().parents[3]


def rich_template() -> Template:
    plain = template_of(cmu_skeleton())
    rng = np.random.default_rng(0)
    vertices, joints = len(plain.vertices), plain.num_joints
    return replace(
        plain,
        shape_vertices=rng.normal(size=(2, vertices, 3)).astype(np.float32),
        shape_joints=rng.normal(size=(2, joints, 3)).astype(np.float32),
        part_names=("body", "Kopf mit Müt\u017fe"),
        vertex_parts=rng.integers(0, 2, vertices).astype(np.uint8),
        canonical_pose=rng.normal(size=(joints + 1, 3)).astype(np.float32),
    )


@pytest.mark.parametrize("make", [rich_template, lambda: template_of(cmu_skeleton())])
def test_a_template_is_read_as_it_was_written(tmp_path: Path, make: Callable[[], Template]) -> None:
    path = tmp_path / "body.safetensors"
    template = make()
    write_template(path, template)
    again = read_template(path)
    for field in fields(Template):
        mine, theirs = getattr(template, field.name), getattr(again, field.name)
        if isinstance(mine, np.ndarray):
            assert theirs.dtype == mine.dtype and np.array_equal(theirs.reshape(mine.shape), mine), field.name
        else:
            assert theirs == mine
    assert file_kind(path) == TEMPLATE and is_as_written(path, TEMPLATE)
    raw = path.read_bytes()
    write_template(path, template)
    assert path.read_bytes() == raw
    # the library that others use reads the same
    theirs = safetensors.numpy.load_file(path)
    assert np.array_equal(theirs["template.faces"], template.faces) and theirs["template.faces"].dtype == np.int32


def test_a_template_is_no_model_and_a_model_no_template(tmp_path: Path) -> None:
    path = tmp_path / "body.safetensors"
    write_template(path, template_of(cmu_skeleton()))
    with pytest.raises(CheckpointError, match="expected a model file, found a template file; give that with --template"):
        read_layout(path, MODEL)
    safetensors.numpy.save_file({"generator.x": np.zeros(3, np.int32)}, path, {"datasetnerf": "{}"})
    with pytest.raises(CheckpointError, match="expected type F32 or F16, found 'I32'"):
        read_layout(path, MODEL)
    with pytest.raises(CheckpointError, match="expected a template file, found a model file"):
        read_template(path)


def spoiled(**changes: Any) -> Template:
    return replace(rich_template(), **changes)


def with_value(name: str, index: Any, value: Any) -> Template:
    array = getattr(rich_template(), name).copy()
    array[index] = value
    return spoiled(**{name: array})


WRONG: list[tuple[Callable[[], Template], str]] = [
    (lambda: with_value("vertices", (0, 0), np.nan), "vertices: expected numbers up to"),
    (lambda: with_value("joints", (0, 0), 1e9), "joints: expected numbers up to"),
    (lambda: with_value("canonical_pose", (0, 0), np.inf), "canonical_pose: expected numbers"),
    (lambda: with_value("shape_vertices", (0, 0, 0), np.nan), "shape_vertices: expected numbers"),
    (lambda: with_value("faces", (0, 0), -1), "faces: expected vertices"),
    (lambda: with_value("faces", (0, 0), 10**6), "faces: expected vertices"),
    (lambda: with_value("parents", 0, 3), "parents: expected a root first"),
    (lambda: with_value("parents", 2, 2), "parents: expected a root first"),
    (lambda: with_value("parents", 2, -1), "parents: expected a root first"),
    (lambda: with_value("weights", (0, 0), 2.0), "weights: expected rows"),
    (lambda: with_value("weights", (0, slice(None)), 0.0), "weights: expected rows"),
    (lambda: with_value("weights", (0, slice(0, 2)), [-1.0, 2.0]), "weights: expected rows"),
    (lambda: with_value("vertex_parts", 0, 7), "vertex_parts: expected parts below 2"),
    (lambda: spoiled(vertices=np.zeros((0, 3), np.float32)), "1 to 1000000 vertices"),
    (lambda: spoiled(weights=rich_template().weights[:, :-1]), r"weights: expected \["),
    (lambda: spoiled(names=rich_template().names[:-1]), "joint names"),
    (lambda: spoiled(names=("a",) * rich_template().num_joints), "joint names"),
    (lambda: spoiled(part_names=()), "vertex_parts: expected"),
    (lambda: spoiled(shape_joints=np.zeros((0, 0, 3), np.float32)), "shape_joints: expected"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_a_wrong_template_is_neither_written_nor_read(
    tmp_path: Path, make: Callable[[], Template], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "body.safetensors"
    with pytest.raises(TemplateError, match=message) as caught:
        write_template(path, make())
    assert not path.exists() and "\n" not in str(caught.value)
    with monkeypatch.context() as patch:
        patch.setattr("dnerf_core.gnarf.body.template_file.check_template", lambda *_: None)
        write_template(path, make())
    with pytest.raises(CheckpointError) as caught_again:
        read_template(path)
    assert "\n" not in str(caught_again.value)


def test_other_types_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="as int32, found"):
        write_template(tmp_path / "body.safetensors", spoiled(faces=rich_template().faces.astype(np.int64)))


def edited_header(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """The file with its table and its text changed."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    table = json.loads(raw[8 : 8 + length])
    text = json.loads(table["__metadata__"]["datasetnerf_template"])
    change(table, text)
    table["__metadata__"]["datasetnerf_template"] = json.dumps(text)
    header = json.dumps(table).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + length :])


HEADERS: list[tuple[Callable[[dict[str, Any], dict[str, Any]], Any], str]] = [
    (lambda table, text: text.update(format_version=2), "expected format version 1"),
    (lambda table, text: text.update(extra=1), "surplus"),
    (lambda table, text: text.pop("licence"), "missing fields"),
    (lambda table, text: text.update(names="Hips"), "names: expected a list of texts"),
    (lambda table, text: text.update(licence=3), "licence: expected a text"),
    (lambda table, text: table.update({"template.other": table.pop("template.joints")}), "expected an array joints"),
    (lambda table, text: table.update({"other.joints": table.pop("template.joints")}), r"template\.\*"),
    (lambda table, text: table["template.faces"].update(dtype="F32"), "as float32"),
    (lambda table, text: table["template.faces"].update(dtype="I64"), "expected type F32 or I32 or U8"),
    (lambda table, text: table["template.joints"].update(shape=[3, table["template.joints"]["shape"][0]]), "joints: expected"),
    (lambda table, text: table["template.joints"].update(data_offsets=[0, 8]), "do not match"),
]


@pytest.mark.parametrize(("change", "message"), HEADERS)
def test_a_hostile_header_is_refused_in_one_line(tmp_path: Path, change: Callable[..., Any], message: str) -> None:
    path = tmp_path / "body.safetensors"
    write_template(path, template_of(cmu_skeleton()))
    edited_header(path, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_template(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_truncated_files_and_pipes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "body.safetensors"
    write_template(path, template_of(cmu_skeleton()))
    raw = path.read_bytes()
    for cut in range(0, len(raw), 977):
        path.write_bytes(raw[:cut])
        with pytest.raises(CheckpointError):
            read_template(path)
    os.mkfifo(tmp_path / "pipe.safetensors")
    for name in ("pipe.safetensors", "none.safetensors"):
        with pytest.raises(CheckpointError, match="cannot read it"):
            read_template(tmp_path / name)


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "body.safetensors"
    write_template(path, template_of(cmu_skeleton()))
    code = "import sys; from dnerf_core.gnarf.body.template_file import read_template as r; "
    code += f"print(r({str(path)!r}).num_joints, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-E", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["27", "False"]
