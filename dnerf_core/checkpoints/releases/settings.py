"""A network's settings as its modules carry them, read with their types and ranges checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import ModuleRecord
from dnerf_core.checkpoints.releases.camera_choice import CameraChoice
from dnerf_core.errors import CheckpointError


@dataclass(frozen=True, eq=False)
class ReleaseSettings:
    """A network's modules by dotted name (the root as ''), the keys of its tensors, the file's path, and how messages begin and end.

    `neural_resolution` and `cameras` take the place of what the file says of them.
    """

    path: Path
    where: str
    modules: Mapping[str, ModuleRecord]
    tensor_keys: frozenset[str]
    neural_resolution: int | None
    cameras: CameraChoice
    remedy: str

    def attribute(self, module: str, name: str, default: Any = None) -> Any:
        """A module's plain attribute, or its construction argument of that name, or `default`."""
        record = self.modules.get(module)
        state = record.state if record else {}
        arguments = state.get("_init_kwargs")
        return state.get(name, arguments.get(name, default) if type(arguments) is dict else default)

    def refuse(self, name: str, expected: str, found: object) -> NoReturn:
        """Raises the CheckpointError for a setting."""
        raise CheckpointError(f"{self.where}: {name}: expected {expected}, found {shown(found)}; {self.remedy}")

    def number(self, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
        """`value` as a float within [low, high]."""
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            self.refuse(name, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def count(self, name: str, value: Any, low: int, high: int) -> int:
        """`value` as an integer within [low, high]."""
        if type(value) is not int or not low <= value <= high:
            self.refuse(name, f"an integer from {low} to {high}", value)
        return int(value)

    def flag(self, name: str, value: Any) -> bool:
        """`value` as a bool."""
        if type(value) is not bool:
            self.refuse(name, "True or False", value)
        return bool(value)

    def fixed(self, name: str, value: Any, expected: str | float | bool) -> None:
        """Refuses any value but the one that every release has."""
        if type(value) not in (str, int, float, bool) or value != expected:
            self.refuse(name, f"{expected!r}, the only one implemented", value)
