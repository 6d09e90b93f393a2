"""Pictures and passes that Blender rendered of a scene, read; nothing else in the files counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.compositing.in_scene import SceneView
from dnerf_core.errors import UsageError
from dnerf_core.files.opening.regular_files import open_regular
from dnerf_core.files.pictures import read_image

_NOTHING = 0.9e10
"""Blender's depth where a ray meets nothing is 1e10, in whatever units."""
_DEPTH = ("Depth", "Z")
_INDICES = {"object": ("IndexOB", "Object Index"), "material": ("IndexMA", "Material Index")}
"""The passes' names up to Blender 4.5, and from 5.0 on."""
_AGAIN = "render the scene again"


@dataclass(frozen=True)
class SceneFiles:
    """What Blender rendered of the scene for one view.

    Attributes:
        picture: a PNG as Blender shows the scene, RGB or RGBA, of the view's size.
        passes: a multilayer EXR with the passes Depth, Object Index and Material Index, so many times as large as the picture.
        depth_scale: the scene's units a unit of the model's world.
        frame: of the scene.
    """

    picture: Path
    passes: Path
    depth_scale: float
    frame: int


def scene_sha256(files: SceneFiles, labels_by: str) -> str:
    """What tells the scene's view from another: of its colours, depths and indices, not of its files, which have a date.

    Raises:
        UsageError: as `read_scene`.
    """
    sums = hashlib.sha256()
    for array in (_picture(files.picture), *_passes(files.passes, labels_by)):
        sums.update(f"{array.dtype}{array.shape}".encode())
        sums.update(np.ascontiguousarray(array).tobytes())
    sums.update(repr(float(files.depth_scale)).encode())
    return sums.hexdigest()


def read_scene(files: SceneFiles, labels_by: str, indices: Sequence[int], first_id: int, size_px: int) -> SceneView:
    """The scene's view, its depth in the subject's world units, its labels numbered on from `first_id` in the order of `indices`.

    Args:
        indices: the pass indices that have a label; index 0 has none, and is background.
        size_px: the side of the picture.

    Raises:
        UsageError: a file cannot be read, is of another size, lacks a pass, or shows an index that has no label.
    """
    picture = _picture(files.picture)
    if picture.shape[:2] != (size_px, size_px):
        raise UsageError(f"{files.picture}: expected {size_px} x {size_px} px, found {_size(picture)}; {_AGAIN}")
    depth, index = _passes(files.passes, labels_by)
    ids = {0: 0} | {number: first_id + place for place, number in enumerate(indices)}
    found, places = np.unique(np.rint(index).astype(np.int64), return_inverse=True)
    if strange := [int(number) for number in found if number not in ids]:
        raise UsageError(
            f"{files.passes}: expected the pass indices {', '.join(map(str, indices)) or '0'} of {labels_by}s in the scene, found "
            f"{strange[0]}; give the {labels_by} a pass index in the scene itself, or 0"
        )
    table = np.array([ids[int(number)] for number in found], np.uint8)
    nothing = depth >= _NOTHING
    mask = np.where(nothing, 0, table[places.reshape(index.shape)]).astype(np.uint8)
    scaled = np.where(nothing, np.inf, depth.astype(np.float64) / files.depth_scale).astype(np.float32)
    return SceneView(picture, scaled, mask)


def _picture(path: Path) -> NDArray[np.uint8]:
    """uint8 [H, W, 4]."""
    pixels = read_image(path)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return pixels
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UsageError(f"{path}: expected a picture in colours, found {list(pixels.shape)}; {_AGAIN}")
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2)


def _passes(path: Path, labels_by: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth and index, float32 [H, W]."""
    import OpenEXR

    try:
        open_regular(path).close()  # the library would wait for a pipe's writer
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found = {
                _pass_name(part.name(), name): values.pixels for part in file.parts for name, values in part.channels.items()
            }
    except (OSError, ValueError, RuntimeError, LookupError, TypeError) as error:
        raise UsageError(f"{path}: expected passes that Blender rendered, it cannot be read ({error}); {_AGAIN}") from error
    depth, index = (_one_of(found, names, path) for names in (_DEPTH, _INDICES[labels_by]))
    if depth.ndim != 2 or depth.shape[0] != depth.shape[1] or index.shape != depth.shape:
        raise UsageError(f"{path}: expected square passes of one size, found {_size(depth)} and {_size(index)}; {_AGAIN}")
    return depth, index


def _pass_name(part_name: Any, channel: str) -> str:
    """The pass of a channel such as `ViewLayer.Depth.Z`; of a part of its own the part's name may stand before it."""
    words = channel.split(".")
    if len(words) < 2:
        words = [*str(part_name or "").split("."), *words]
    return words[-2] if len(words) > 1 else words[0]


def _one_of(found: dict[str, NDArray[Any]], names: Sequence[str], path: Path) -> NDArray[np.float32]:
    for name in names:
        if name in found:
            return np.asarray(found[name], np.float32)
    raise UsageError(f"{path}: expected the pass {names[0]}, found {', '.join(sorted(found)) or 'none'}; {_AGAIN}")


def _size(array: NDArray[Any]) -> str:
    return " x ".join(str(size) for size in array.shape[1::-1])
