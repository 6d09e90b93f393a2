"""The modules of a pickled network by dotted name, and its state dict out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dnerf_core.backbone.registry import family_titles
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import ModuleRecord, TensorRecord
from dnerf_core.errors import CheckpointError

MAX_MODULES = 5_000
"""A release's G_ema has about 150 modules."""


def walk_modules(root: ModuleRecord, where: str) -> Iterator[tuple[str, ModuleRecord]]:
    """Every module with its dotted name, the root as ''. Bounded: a file may nest a module in itself.

    Raises:
        CheckpointError: too many, or something that is no module in a module's place.
    """
    waiting, count = [("", root, 0)], 0
    while waiting:
        name, module, depth = waiting.pop()
        count += 1
        if count > MAX_MODULES or depth > 16:
            raise CheckpointError(f"{where}: expected some 150 modules, found far more; {_unmodified()}")
        yield name, module
        for key, child in _attribute(module, "_modules", f"{where}.{name}").items():
            if child is None:
                continue
            if type(child) is not ModuleRecord:
                raise CheckpointError(f"{where}.{name}: module {key!r}: expected a module, found {shown(child)}; {_unmodified()}")
            waiting.append((f"{name}.{key}" if name else key, child, depth + 1))


def state_of(modules: Mapping[str, ModuleRecord], where: str) -> dict[str, TensorRecord]:
    """The state dict of modules: parameters and persistent buffers by full name.

    Raises:
        CheckpointError: something that is no tensor in a tensor's place.
    """
    records: dict[str, TensorRecord] = {}
    for name, module in modules.items():
        passing = module.state.get("_non_persistent_buffers_set")
        skipped = passing if type(passing) is set else set()
        owned = _attribute(module, "_parameters", f"{where}.{name}") | {
            key: value for key, value in _attribute(module, "_buffers", f"{where}.{name}").items() if key not in skipped
        }
        for key, record in owned.items():
            full = f"{name}.{key}" if name else key
            if record is None:
                continue
            if type(record) is not TensorRecord:
                raise CheckpointError(f"{where}: {full}: expected a float32 tensor, found {shown(record)}; {_unmodified()}")
            records[full] = record
    return records


def _attribute(module: ModuleRecord, attribute: str, where: str) -> dict[str, Any]:
    entries = module.state.get(attribute)
    if type(entries) is not dict or not all(type(key) is str and re.fullmatch(r"\w{1,80}", key, re.ASCII) for key in entries):
        raise CheckpointError(
            f"{where}: expected {attribute!r} to be a dictionary of names, found another value; {_unmodified()}"
        )
    return entries


def _unmodified() -> str:
    """The end of a message about a module that no training writes."""
    return f"nothing was written; import an unmodified generator of {family_titles()}"
