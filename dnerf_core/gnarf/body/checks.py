"""Whether a body's numbers can be posed: what no shape tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dnerf_core.errors import CheckpointError
from dnerf_core.gnarf.config import BodyConfig

if TYPE_CHECKING:
    from torch import Tensor

MAX_PLACE = 1e6
"""Of any coordinate, template units, of any coefficient's direction and of barycentrics."""

SUM_TOLERANCE = 1e-3
"""By which a vertex's skinning weights, or barycentrics, may miss 1: ten times what float16 storage would do to them."""


def check_body(numbers: Mapping[str, Tensor], config: BodyConfig) -> None:
    """Refuse a body's numbers, by the names and shapes of `shapes.body_shapes`, that could not be posed.

    Raises:
        CheckpointError: the first number that is not finite or far off, an index that is none, weights that do not sum to 1.
    """
    for name, tensor in numbers.items():
        if tensor.numel() and not bool((tensor.abs() <= MAX_PLACE).all()):  # false of NaN too
            raise _refusal(name, f"finite numbers within {MAX_PLACE:g} of 0", "others")
    for mesh, counts in (("", config.mesh), ("reduced.", config.reduced), ("clip.", config.clip)):
        _check_index(f"{mesh}faces", numbers[f"{mesh}faces"], counts.vertices)
        if mesh:
            _check_index(f"{mesh}attach_face", numbers[f"{mesh}attach_face"], config.mesh.faces)
            _check_sums(f"{mesh}attach_bary", numbers[f"{mesh}attach_bary"])
    weights = numbers["weights"]
    if bool((weights < -SUM_TOLERANCE).any()):
        raise _refusal("weights", "0 or more", f"{float(weights.min()):g}")
    _check_sums("weights", weights)
    if config.part_names:
        _check_index("vertex_parts", numbers["vertex_parts"], len(config.part_names))


def _check_index(name: str, tensor: Tensor, count: int) -> None:
    bad = (tensor != tensor.round()) | (tensor < 0) | (tensor >= count)
    if bool(bad.any()):
        raise _refusal(name, f"whole numbers from 0 to {count - 1}", f"{float(tensor[bad][0]):g}")


def _check_sums(name: str, tensor: Tensor) -> None:
    sums = tensor.double().sum(dim=1)
    largest = tensor.double().abs().sum(dim=1).clamp_min(1)
    bad = (sums - 1).abs() > SUM_TOLERANCE * largest
    if bool(bad.any()):
        raise _refusal(name, "rows that sum to 1", f"one of {float(sums[bad][0]):g}")


def _refusal(name: str, expected: str, found: str) -> CheckpointError:
    return CheckpointError(f"tensor body.{name}: expected {expected}, found {found}; the weights are not of a body, or damaged")
