"""The embedded demo generator's configuration: the same class as the releases, at a size that two cores train."""

from __future__ import annotations

from dnerf_core.generator.config import (
    BackboneConfig,
    CameraConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
    TriplaneConfig,
)

DEMO_NAME = "demo-cars"

DEMO_CARS = GeneratorConfig(
    name=DEMO_NAME,
    image_size=256,
    mapping=MappingConfig(z_dim=20, w_dim=128, c_dim=0, layers=4, c_scale=0.0),
    backbone=BackboneConfig(resolution=128, channel_base=4096, channel_max=256, plane_channels=32),
    triplane=TriplaneConfig(box_warp=1.8, plane_axes=("xy", "xz", "yz")),
    rays=RayConfig(128, 32, 32, "auto", "auto", white_back=True, auto_inset=0.02),
    superresolution=SuperResolutionConfig(kind="4X", conv_clamp=None, channels=(32, 16)),
    cameras=CameraConfig(radius=3.5, pivot=(0.0, 0.0, 0.0), focal=1.7074, pitch_deg=15.0),
)
"""Cars of `dnerf_core.demo.world`: y up, looking along +z, inside a box of side 1.8."""
