"""PanoHead (An et al., CVPR 2023), as the registry of families has it. No torch."""

from __future__ import annotations

import dataclasses

from dnerf_core.backbone.family import Family
from dnerf_core.generator.family import EG3D
from dnerf_core.panohead.config import PanoHeadConfig
from dnerf_core.panohead.ranges import check_panohead_ranges
from dnerf_core.panohead.shapes import panohead_shapes

PANOHEAD_FAMILY = Family(
    name="panohead",
    title="PanoHead",
    kernels=("torch", "triton"),
    config_class=PanoHeadConfig,
    expected_shapes=panohead_shapes,
    check_ranges=check_panohead_ranges,
    builder="dnerf_core.panohead.generator:PanoHead",
    read_release="dnerf_core.panohead.release:read_panohead",
    signature=dataclasses.replace(  # its code is EG3D's, with more in it
        EG3D.signature,
        own_modules=frozenset({"bcg_synthesis"}),
        own_options=frozenset({"triplane_depth"}),
        own_tensors=(r"(^|\.)(bcg_synthesis|t_mapping)\.",),
    ),
    unseen_by_views=("backbone.mapping.", "t_mapping."),
    literal="dnerf_core.panohead.reference:LiteralHead",
)
