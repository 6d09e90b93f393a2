"""EG3D (Chan et al., CVPR 2022), as the registry of families has it. No torch."""

from __future__ import annotations

from dnerf_core.backbone.family import Family
from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.generator.ranges import check_eg3d_ranges
from dnerf_core.generator.shapes import expected_shapes

EG3D = Family(
    name="eg3d",
    title="EG3D",
    config_class=GeneratorConfig,
    expected_shapes=expected_shapes,
    check_ranges=check_eg3d_ranges,
    builder="dnerf_core.generator.eg3d:Generator",
    read_release="dnerf_core.generator.release:read_eg3d",
    kernels=("torch", "triton"),
    literal="dnerf_core.generator.reference:LiteralSubject",
)
