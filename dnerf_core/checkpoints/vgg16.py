"""The weights of VGG16's convolutions (Simonyan and Zisserman 2014, arXiv 1409.1556, column D) out of a file that the user names.

The file is torchvision's `vgg16-397923af.pth`, or a .safetensors with the same names and shapes. Nothing is downloaded or executed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from dnerf_core.checkpoints.inert.mapped_file import map_file
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.torch_state import read_torch_state
from dnerf_core.errors import CheckpointError

STAGES: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((0, 3, 64), (2, 64, 64)),
    ((5, 64, 128), (7, 128, 128)),
    ((10, 128, 256), (12, 256, 256), (14, 256, 256)),
    ((17, 256, 512), (19, 512, 512), (21, 512, 512)),
    ((24, 512, 512), (26, 512, 512), (28, 512, 512)),
)
"""(place in torchvision's `features`, channels in, channels out) of each 3 x 3 convolution; a stage ends before its pooling."""

_WHAT = "VGG16's weights (torchvision's vgg16-397923af.pth, or a .safetensors with the same names)"
_REMEDY = "name the file that torchvision publishes"


def vgg16_shapes() -> dict[str, tuple[int, ...]]:
    """Shape by name of every tensor that `read_vgg16` needs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for place, before, after in (convolution for stage in STAGES for convolution in stage):
        shapes[f"features.{place}.weight"] = (after, before, 3, 3)
        shapes[f"features.{place}.bias"] = (after,)
    return shapes


def read_vgg16(path: Path) -> dict[str, np.ndarray]:
    """VGG16's convolutions as float32 arrays by torchvision's names; other tensors, the classifier's, are passed over.

    Raises:
        CheckpointError: no such file, another format, tensors missing, or of another shape, or with a value that is not finite.
    """
    head = bytes(map_file(path, _WHAT, "get it again from its publisher")[:9])
    shapes = vgg16_shapes()
    if head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":
        arrays = read_torch_state(path, shapes)
    elif head[8:] == b"{":
        arrays = _from_safetensors(path)
    else:
        raise CheckpointError(f"{path}: expected {_WHAT}, found bytes that begin {head[:4].hex(' ')}; {_REMEDY}")
    for name, shape in shapes.items():
        if name not in arrays:
            raise CheckpointError(f"{path}: expected {_WHAT}, found no tensor {name}; {_REMEDY}")
        if arrays[name].shape != shape:
            raise CheckpointError(f"{path}: {name}: expected {list(shape)}, found {list(arrays[name].shape)}; {_REMEDY}")
        if not np.isfinite(arrays[name]).all():
            raise CheckpointError(f"{path}: {name}: expected finite values, found others; the file is damaged, get it again")
    return arrays


def _from_safetensors(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    try:
        with safe_open(path, framework="np") as file:
            for name in set(file.keys()) & set(vgg16_shapes()):
                kind = file.get_slice(name).get_dtype()
                if kind not in ("F32", "F16"):
                    raise CheckpointError(f"{path}: {name}: expected type F32 or F16, found {shown(kind)}; {_REMEDY}")
                arrays[name] = file.get_tensor(name).astype(np.float32)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: expected {_WHAT}, found a damaged .safetensors: {error}; get it again") from error
    return arrays
