"""Every family of generators, by the name that a model file's header has. Nothing here imports torch.

A further family is a folder of its own (configuration, shapes, ranges, network), its reader of releases, and a line in `FAMILIES`: nothing
else of the engine or of the command line knows a family by name.
"""

from __future__ import annotations

from typing import Any

from dnerf_core.backbone.family import Family
from dnerf_core.errors import CheckpointError, brief
from dnerf_core.generator.family import EG3D
from dnerf_core.gnarf.family import GNARF
from dnerf_core.panohead.family import PANOHEAD_FAMILY

FAMILIES: dict[str, Family] = {family.name: family for family in (EG3D, PANOHEAD_FAMILY, GNARF)}

UNNAMED = EG3D.name
"""The family of a model file that names none, as all did when there was one; its files are still written like that, byte by byte."""


def family_titles(conjunction: str = "or") -> str:
    """The families as messages name them: "EG3D or PanoHead"."""
    *others, last = (family.title for family in FAMILIES.values())
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def family_of(config: Any) -> Family:
    """The family that a configuration is of.

    Raises:
        TypeError: it is no family's.
    """
    for family in FAMILIES.values():
        if type(config) is family.config_class:
            return family
    raise TypeError(f"configuration: expected one of the families {', '.join(FAMILIES)}, found {type(config).__name__}")


def family_named(name: Any, where: str) -> Family:
    """The family of a name that a file has.

    Args:
        where: how a message begins.

    Raises:
        CheckpointError: there is none.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise CheckpointError(
            f"{where}: expected a family of generators ({', '.join(FAMILIES)}), found {brief(name)}; "
            "use the datasetnerf that wrote the file"
        )
    return FAMILIES[name]
