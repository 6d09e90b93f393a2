"""Whose releases are read, in the order in which they are asked."""

from __future__ import annotations

from dnerf_core.checkpoints.release_config import EG3D_RELEASES
from dnerf_core.checkpoints.release_reader import ReleaseReader
from dnerf_core.panohead.release import PANOHEAD_RELEASES


def readers() -> tuple[ReleaseReader, ...]:
    """Every family's; EG3D's comes last, since it claims what no other does."""
    return PANOHEAD_RELEASES, EG3D_RELEASES
