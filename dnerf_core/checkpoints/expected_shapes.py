"""The tensors that a generator's config demands, and whether those found are they. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dnerf_core.backbone.registry import family_of
from dnerf_core.backbone.specs import BackboneConfig, Shape
from dnerf_core.errors import CheckpointError, listed

UNUSED_KEYS = frozenset({"superresolution.resample_filter"})
"""Buffers that some releases carry and no layer reads."""

FILTER_TAPS = (1.0, 3.0, 3.0, 1.0)
"""Every `resample_filter` is the outer product of these with themselves, divided by 64."""


def expected_shapes(config: BackboneConfig) -> dict[str, Shape]:
    """Every key of the state of a generator of any family and its shape, () for a single number, in no particular order."""
    return family_of(config).expected_shapes(config)


def is_filter(key: str) -> bool:
    """Whether a key names an upsampling filter: a constant that releases store and model files leave out."""
    return key.rpartition(".")[2] == "resample_filter"


def check_shapes(
    shapes: Mapping[str, Shape], config: BackboneConfig, where: str, remedy: str, *, needs_filters: bool = False
) -> None:
    """Compares a generator's tensors with what its config demands.

    Args:
        shapes: of the tensors that there are, by key; `UNUSED_KEYS` may be among them.
        where, remedy: how the message begins and ends.
        needs_filters: whether a filter that is not there is missed, as in a release.

    Raises:
        CheckpointError: a missing key, a surplus key or another shape; the first of them is named, with their number.
    """
    expected = expected_shapes(config)
    missing = sorted(key for key in set(expected) - set(shapes) if needs_filters or not is_filter(key))
    if missing:
        raise CheckpointError(f"{where}: expected {len(expected)} tensors, missing {_some(missing)}; {remedy}")
    surplus = sorted(set(shapes) - set(expected) - UNUSED_KEYS)
    if surplus:
        raise CheckpointError(f"{where}: expected {len(expected)} tensors, surplus {_some(surplus)}; {remedy}")
    for key, shape in expected.items():
        if key in shapes and tuple(shapes[key]) != shape:
            raise CheckpointError(f"{where}: {key}: expected shape {list(shape)}, found {list(shapes[key])}; {remedy}")


def _some(names: Iterable[str]) -> str:
    # Names come from the file: quoted, so that none breaks the line.
    return listed([ascii(name[:80]) for name in names], 3)
