"""How a mesh is made, and the packages that making one needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dnerf_core.errors import UsageError

MESH_NODES = 128
"""Nodes an axis of the grid that a mesh is made from."""

MAX_NODES = 512
"""0.5 GB of densities, and a minute on two cores."""

SURFACE_DENSITY = 10.0
"""Raw density at a mesh's surface where none is given: the level of EG3D's published `gen_samples.py`."""


@dataclass(frozen=True)
class MeshOptions:
    """How a mesh is made.

    Attributes:
        nodes: of the density's grid, an axis.
        level: raw density at the surface, before the softplus.
        faces: at most so many triangles, by edge collapse (Garland and Heckbert 1997, by libigl); None: as many as were marched.
        min_piece: pieces of at least this share of the largest one's area are kept: 1 keeps the largest alone, 0 all.

    Raises:
        UsageError: a value out of range.
    """

    nodes: int = MESH_NODES
    level: float = SURFACE_DENSITY
    faces: int | None = None
    min_piece: float = 1.0

    def __post_init__(self) -> None:
        if not 8 <= self.nodes <= MAX_NODES:
            raise UsageError(f"nodes: expected 8 to {MAX_NODES} an axis, found {self.nodes}; choose another number")
        if not math.isfinite(self.level):
            raise UsageError(f"level: expected a finite raw density, found {self.level}; the usual one is {SURFACE_DENSITY:g}")
        if self.faces is not None and self.faces < 4:
            raise UsageError(f"faces: expected at least 4, which close a surface, found {self.faces}; choose more")
        if not 0 <= self.min_piece <= 1:
            raise UsageError(f"min_piece: expected a share from 0 to 1, found {self.min_piece}; 1 keeps the largest piece alone")

    def check_packages(self) -> None:
        """Make sure, before any work, that the packages are there that such a mesh takes.

        Raises:
            UsageError: one is missing.
        """
        needed("skimage.measure", "scikit-image", "mesh")
        needed("scipy.sparse", "scipy", "mesh")
        if self.faces is not None:
            needed("igl", "libigl", "mesh")


def needed(module: str, package: str, extra: str) -> Any:
    """A module of an optional package.

    Raises:
        UsageError: it is missing; the message names the extra that has it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"{extra}: expected the package {package}, found none; install it: pip install 'datasetnerf[{extra}]'"
        ) from None
