"""What a family of generators supplies, so that its releases are told from others' and read. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dnerf_core.checkpoints.inert_records import ModuleRecord
from dnerf_core.checkpoints.release_settings import ReleaseSettings
from dnerf_core.checkpoints.shape_facts import ShapeFacts

Configured = tuple[Any, tuple[str, ...]]
"""A family's configuration, and a remark for everything that was left open or set aside."""


@dataclass(frozen=True)
class ReleaseReader:
    """How one family's generator is told and read.

    Attributes:
        name: the family, as messages name it: "EG3D".
        licence: what a model file's header says of where the weights come from.
        presets: configurations that `--config` takes by name.
        claims_module: whether a pickled network is of this family.
        claims_state: whether a state dict of these published names is.
        of_modules: the configuration that a pickled network's modules carry.
        facts: what the shapes of a state dict say; (shapes, how messages begin) -> facts.
        of_options: (settings without modules, construction arguments, facts) -> the configuration of a state dict beside these arguments.
        with_shapes: a given configuration, with what shapes decide in its place.
        renamed: a configuration under the name of the release that it equals, if there is one.
    """

    name: str
    licence: str
    presets: Mapping[str, Any]
    claims_module: Callable[[ModuleRecord], bool]
    claims_state: Callable[[Collection[str]], bool]
    of_modules: Callable[[ReleaseSettings], Configured]
    facts: Callable[[Mapping[str, tuple[int, ...]], str], ShapeFacts]
    of_options: Callable[[ReleaseSettings, Mapping[str, Any], ShapeFacts], Configured]
    with_shapes: Callable[[Any, ShapeFacts], Configured]
    renamed: Callable[[Any], Any]
