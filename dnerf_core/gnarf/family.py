"""GNARF (Bergman et al., NeurIPS 2022), as the registry of families has it. No torch."""

from __future__ import annotations

import dataclasses

from dnerf_core.backbone.family import Family
from dnerf_core.generator.family import EG3D
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.gnarf.ranges import check_gnarf_ranges
from dnerf_core.gnarf.shapes import gnarf_shapes

GNARF = Family(
    name="gnarf",
    title="GNARF",
    kernels=("torch", "triton"),
    config_class=GnarfConfig,
    expected_shapes=gnarf_shapes,
    check_ranges=check_gnarf_ranges,
    builder="dnerf_core.gnarf.generator:Gnarf",
    read_release="dnerf_core.gnarf.release:read_gnarf",
    signature=dataclasses.replace(  # its code is EG3D's, with more in it
        EG3D.signature,
        own_options=frozenset({"projector", "warping_mask"}),
        own_tensors=(r"(^|\.)(smpl_reduced|smpl_clip|surface_field)\.",),
    ),
    unseen_by_views=("backbone.mapping.", "shape_head."),
    exact_tensors=("body.",),
    literal="dnerf_core.gnarf.reference:LiteralBody",
    poser="dnerf_core.gnarf.poser:poser_of_model",
    template_mesh="dnerf_core.gnarf.template_mesh:template_mesh_of_model",
    rigid="dnerf_core.gnarf.rigid:rigid_model",
)
