"""What a configuration of EG3D's generator may claim: what that of any generator of painted planes may."""

from __future__ import annotations

from dnerf_core.backbone.ranges import refusal
from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.stylegan2.ranges import check_plane_generator


def check_eg3d_ranges(config: GeneratorConfig, where: str, remedy: str) -> None:
    """Refuses a config that could not be built or rendered; see `Family.check_ranges`."""
    check_plane_generator(config, refusal(where, remedy))
