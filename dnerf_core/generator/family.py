"""EG3D (Chan et al., CVPR 2022), as the registry of families has it. No torch."""

from __future__ import annotations

from dnerf_core.backbone.family import Family
from dnerf_core.backbone.signature import Signature
from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.generator.ranges import check_eg3d_ranges
from dnerf_core.stylegan2.shapes import plane_generator_shapes

EG3D = Family(
    name="eg3d",
    title="EG3D",
    config_class=GeneratorConfig,
    expected_shapes=plane_generator_shapes,
    check_ranges=check_eg3d_ranges,
    builder="dnerf_core.generator.eg3d:Generator",
    read_release="dnerf_core.generator.release:read_eg3d",
    signature=Signature(
        network_class="TriPlaneGenerator",
        modules=frozenset({"backbone", "decoder", "superresolution"}),
        state_key=r"backbone\.synthesis\.b\d{1,5}\.",
    ),
    kernels=("torch", "triton"),
    literal="dnerf_core.generator.reference:LiteralSubject",
)
