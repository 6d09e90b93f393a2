"""The template file: a .safetensors with a body's mesh, skeleton and weights. docs/template-file.md describes the format.

Reading needs numpy alone, and nothing of a file is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.checkpoints.model_file import write_tensors
from dnerf_core.checkpoints.safetensors_layout import TEMPLATE, checked_fields, parsed_json, read_layout
from dnerf_core.errors import CheckpointError, TemplateError, brief
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.gnarf.body.template import Template

FORMAT_VERSION = 1
MAX_VERTICES, MAX_FACES, MAX_JOINTS, MAX_SHAPES, MAX_PARTS = 1_000_000, 4_000_000, 1024, 256, 254
MAX_VALUES = 2**28
"""Of all arrays of a file, 1 GiB."""
MAX_TEXT = 2**20
MAX_COORDINATE = 1e4
WEIGHT_TOLERANCE = 1e-3
"""Of a row's sum."""
LOWEST_WEIGHT = -1e-6
"""Rounding that is let pass; other programs' weights have it."""

_PREFIX = "template."
_TEXTS = ("names", "part_names", "licence", "source")
_FIELDS = {"format_version", *_TEXTS}
_ARRAYS: dict[str, type] = {
    "vertices": np.float32,
    "faces": np.int32,
    "joints": np.float32,
    "parents": np.int32,
    "weights": np.float32,
    "canonical_pose": np.float32,
    "shape_vertices": np.float32,
    "shape_joints": np.float32,
    "vertex_parts": np.uint8,
}
_OPTIONAL = {"shape_vertices", "shape_joints", "vertex_parts"}


def read_template(path: str | Path) -> Template:
    """The template of a file, every array checked.

    Raises:
        CheckpointError: no such file, another kind of file, or one that is damaged.
    """
    path = Path(path)
    try:
        with open_regular(path):  # a pipe is refused before anything waits for it
            pass
    except OSError as error:
        raise CheckpointError(f"{path}: expected a template file, cannot read it: {error.strerror}; check the path") from error
    layout = read_layout(path, TEMPLATE)
    texts = checked_fields(layout, path, TEMPLATE, FORMAT_VERSION, _FIELDS)
    where, remedy = f"{path}", TEMPLATE.damaged
    names = {name.removeprefix(_PREFIX): info for name, info in layout.tensors.items()}
    for name in _ARRAYS:
        if name not in names and name not in _OPTIONAL:
            raise TemplateError(f"{where}: expected an array {name}, found none; {remedy}")
    arrays: dict[str, NDArray[Any]] = {}
    total = sum(info.count for info in names.values())
    if total > MAX_VALUES:
        raise TemplateError(f"{where}: expected at most {MAX_VALUES} values, found {total}; {remedy}")
    with path.open("rb") as file:
        for name, info in names.items():
            if name not in _ARRAYS or info.dtype != _ARRAYS[name]:
                raise TemplateError(f"{where}: expected arrays of a template, found {brief(name)} as {info.dtype}; {remedy}")
            file.seek(layout.data_start + info.offset)
            values = np.fromfile(file, info.dtype, info.count)
            if values.size != info.count:
                raise TemplateError(f"{where}: {name}: expected {info.count} values, found {values.size}; {remedy}")
            arrays[name] = values.reshape(info.shape)
    return template_from(texts, arrays, where, remedy)


def write_template(path: str | Path, template: Template) -> None:
    """Writes a template file, whole or not at all; a file of that name is replaced.

    Raises:
        TemplateError: a template that `read_template` would refuse.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    check_template(template, str(path), "not written")
    text = json.dumps({"format_version": FORMAT_VERSION, **template_texts(template)}, allow_nan=False, sort_keys=True)
    if len(text) > MAX_TEXT:
        raise TemplateError(f"{path}: expected at most {MAX_TEXT} bytes of text, found {len(text)}; not written")
    template_texts_of(parsed_json(text, str(path), "not written"), str(path), "not written")
    arrays = {_PREFIX + name: array for name, array in template_arrays(template).items()}
    write_tensors(path, arrays, TEMPLATE.key, text)


def template_texts(template: Template) -> dict[str, Any]:
    """What a template says in words, as plain JSON; with `template_arrays` it is the whole template."""
    return {
        "names": list(template.names),
        "part_names": list(template.part_names),
        "licence": template.licence,
        "source": template.source,
    }


def template_arrays(template: Template) -> dict[str, NDArray[Any]]:
    """The arrays of a template by name, little-endian; directions of shape and parts only where it has them."""
    arrays: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(getattr(template, name), kind) for name, kind in _ARRAYS.items()
    }
    return {name: array for name, array in arrays.items() if name not in _OPTIONAL or len(array)}


def template_from(texts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], where: str, remedy: str) -> Template:
    """The template of `template_texts` and `template_arrays`, checked.

    Args:
        where, remedy: how a message begins and ends.

    Raises:
        TemplateError: they are no template's.
    """
    template = Template(**{**arrays, **template_texts_of(texts, where, remedy)})
    check_template(template, where, remedy)
    return template


def template_texts_of(fields: Mapping[str, Any], where: str, remedy: str) -> dict[str, Any]:
    """Names and texts out of JSON fields, as `Template` has them.

    Raises:
        TemplateError: other values.
    """
    values: dict[str, Any] = {}
    for name in ("names", "part_names"):
        found = fields[name]
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise TemplateError(f"{where}: {name}: expected a list of texts, found {brief(found)}; {remedy}")
        values[name] = tuple(found)
    for name in ("licence", "source"):
        if not isinstance(fields[name], str):
            raise TemplateError(f"{where}: {name}: expected a text, found {brief(fields[name])}; {remedy}")
        values[name] = fields[name]
    return values


def check_template(template: Template, where: str, remedy: str) -> None:
    """Hold all of a template against what `Template` says.

    Args:
        where, remedy: how a message begins and ends.

    Raises:
        TemplateError: what is wrong.
    """
    vertices, faces, joints, shapes = (
        len(array) for array in (template.vertices, template.faces, template.joints, template.shape_vertices)
    )
    for count, most, what in (
        (vertices, MAX_VERTICES, "vertices"),
        (faces, MAX_FACES, "faces"),
        (joints, MAX_JOINTS, "joints"),
    ):
        if not 1 <= count <= most:
            raise TemplateError(f"{where}: expected 1 to {most} {what}, found {count}; {remedy}")
    if shapes > MAX_SHAPES:
        raise TemplateError(f"{where}: expected at most {MAX_SHAPES} directions of shape, found {shapes}; {remedy}")
    expected: dict[str, tuple[int, ...]] = {
        "vertices": (vertices, 3),
        "faces": (faces, 3),
        "joints": (joints, 3),
        "parents": (joints,),
        "weights": (vertices, joints),
        "canonical_pose": (joints + 1, 3),
        "shape_vertices": (shapes, vertices, 3) if shapes else template.shape_vertices.shape,
        "shape_joints": (shapes, joints, 3) if shapes else template.shape_joints.shape,
        "vertex_parts": (vertices,) if template.part_names else (0,),
    }
    for name, shape in expected.items():
        array = getattr(template, name)
        if array.shape != shape or array.dtype != _ARRAYS[name]:
            found = f"{list(array.shape)} as {array.dtype}"
            raise TemplateError(f"{where}: {name}: expected {list(shape)} as {np.dtype(_ARRAYS[name])}, found {found}; {remedy}")
        if array.dtype == np.float32 and not (np.abs(array) <= MAX_COORDINATE).all():  # NaN, too
            raise TemplateError(f"{where}: {name}: expected numbers up to {MAX_COORDINATE:g}, found NaN or larger ones; {remedy}")
    if len(template.shape_joints) != shapes:
        raise TemplateError(f"{where}: shape_joints: expected {shapes} directions, found {len(template.shape_joints)}; {remedy}")
    _check_names(template, where, remedy)
    _check_indices(template, where, remedy)


def _check_names(template: Template, where: str, remedy: str) -> None:
    for names, count, what in (
        (template.names, template.num_joints, "joint names"),
        (template.part_names, len(template.part_names), "part names"),
    ):
        if len(names) != count or len(set(names)) != count or not all(0 < len(name) <= 200 for name in names):
            raise TemplateError(f"{where}: expected {count} {what}, each once and of 1 to 200 characters, found others; {remedy}")
    if len(template.part_names) > MAX_PARTS:
        raise TemplateError(f"{where}: expected at most {MAX_PARTS} parts, found {len(template.part_names)}; {remedy}")


def _check_indices(template: Template, where: str, remedy: str) -> None:
    faces, parents, weights = template.faces, template.parents, template.weights
    if faces.min() < 0 or faces.max() >= len(template.vertices):
        raise TemplateError(f"{where}: faces: expected vertices from 0 to {len(template.vertices) - 1}, found others; {remedy}")
    if parents[0] != -1 or not all(0 <= parent < joint for joint, parent in enumerate(parents.tolist()) if joint):
        raise TemplateError(
            f"{where}: parents: expected a root first, and every parent before its children, found others; {remedy}"
        )
    if weights.min() < LOWEST_WEIGHT or (np.abs(weights.sum(axis=1, dtype=np.float64) - 1) > WEIGHT_TOLERANCE).any():
        raise TemplateError(f"{where}: weights: expected rows of at least 0 that add up to 1, found others; {remedy}")
    if len(template.vertex_parts) and template.vertex_parts.max() >= len(template.part_names):
        raise TemplateError(f"{where}: vertex_parts: expected parts below {len(template.part_names)}, found others; {remedy}")
