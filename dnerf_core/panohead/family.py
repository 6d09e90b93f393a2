"""PanoHead (An et al., CVPR 2023), as the registry of families has it. No torch."""

from __future__ import annotations

from dnerf_core.backbone.family import Family
from dnerf_core.checkpoints.releases.families import PANOHEAD
from dnerf_core.panohead.config import PanoHeadConfig
from dnerf_core.panohead.ranges import check_panohead_ranges
from dnerf_core.panohead.shapes import panohead_shapes

PANOHEAD_FAMILY = Family(
    name="panohead",
    title="PanoHead",
    config_class=PanoHeadConfig,
    expected_shapes=panohead_shapes,
    check_ranges=check_panohead_ranges,
    builder="dnerf_core.panohead.generator:PanoHead",
    read_release="dnerf_core.panohead.release:read_panohead",
    relative=PANOHEAD,
    unseen_by_views=("backbone.mapping.", "t_mapping."),
    literal="dnerf_core.panohead.reference:LiteralHead",
)
