"""NVIDIA Warp, started without a word; see `dnerf_core.mesh.warp_started`."""

from dnerf_core.mesh.warp_started import warp

__all__ = ["warp"]
