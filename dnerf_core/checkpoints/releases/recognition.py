"""Which registered family a checkpoint's network is of, by what each family says of itself (`backbone.signature`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from dnerf_core.backbone.family import Family
from dnerf_core.backbone.registry import FAMILIES
from dnerf_core.checkpoints.inert.records import ModuleRecord


def dictionary(value: Any) -> dict[Any, Any]:
    """A value out of a file, if it is a dictionary; else an empty one."""
    return value if type(value) is dict else {}


def state_key_pattern() -> re.Pattern[str]:
    """A tensor's name in a state dict of some family, after the prefix (group 1) that a larger network gives it."""
    keys = "|".join(dict.fromkeys(family.signature.state_key for family in FAMILIES.values()))
    return re.compile(rf"((?:[^.\s]{{1,80}}\.){{0,8}}?)(?:{keys})")


def network_classes() -> list[str]:
    """Names of the classes that families' trainings pickle, each once."""
    return list(dict.fromkeys(family.signature.network_class for family in FAMILIES.values()))


def has_modules_of_a_family(root: ModuleRecord) -> bool:
    """Whether a pickled network, whatever its class is called, has the modules of some family's."""
    modules = dictionary(root.state.get("_modules"))
    return any(family.signature.modules <= modules.keys() for family in FAMILIES.values())


def family_of_settings(root: ModuleRecord) -> Family | None:
    """The family whose own modules or options a pickled network has; None: none that has any of its own."""
    modules = dictionary(root.state.get("_modules")).keys()
    options = dictionary(root.state.get("rendering_kwargs")).keys()
    for family in FAMILIES.values():
        own = family.signature
        if own.own_modules & modules or own.own_options & options:
            return family
    return None


def families_of_class(class_name: str) -> list[Family]:
    """Those whose networks are pickled under this name."""
    return [family for family in FAMILIES.values() if family.signature.network_class == class_name]


def families_of_state(names: Collection[str]) -> list[Family]:
    """Those of whose state dicts tensors of these names, without a prefix, may be."""
    return [family for family in FAMILIES.values() if any(re.match(family.signature.state_key, name) for name in names)]


def family_of_own_tensors(names: Collection[str], families: Iterable[Family]) -> Family | None:
    """The first of `families` that has tensors of its own, and has all of them there; None: none."""
    for family in families:
        own = family.signature.own_tensors
        if own and all(any(re.search(pattern, name) for name in names) for pattern in own):
            return family
    return None


def remaining_family(families: Iterable[Family]) -> Family | None:
    """What a network is whose own things no family has: the first of `families` that has none; None: each has some."""
    return next((family for family in families if family.signature.is_general), None)
