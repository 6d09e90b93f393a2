"""What a configuration of PanoHead's generator may claim beyond that of any generator of painted planes."""

from __future__ import annotations

from collections.abc import Iterator

from dnerf_core.backbone.ranges import WholeNumber, refusal
from dnerf_core.panohead.config import MAX_DEPTH, PanoHeadConfig
from dnerf_core.stylegan2.ranges import check_plane_generator


def check_panohead_ranges(config: PanoHeadConfig, where: str, remedy: str) -> None:
    """Refuses a config that could not be built or rendered; see `Family.check_ranges`."""
    refuse = refusal(where, remedy)
    check_plane_generator(config, refuse, _whole_numbers(config))
    field = config.triplane
    if not 0 <= 2 * field.crop_margin < field.box_warp:
        raise refuse("triplane.crop_margin", f"0 to less than half of box_warp {field.box_warp}", field.crop_margin)
    if config.rays.white_back:
        raise refuse("rays.white_back", "false, since the background is painted", True)


def _whole_numbers(config: PanoHeadConfig) -> Iterator[WholeNumber]:
    yield "triplane.depth", config.triplane.depth, 1, MAX_DEPTH
    if config.use_background:  # half the width, and at least a channel
        yield "backbone.channel_base / 2", config.background.channel_base, config.background.resolution, 2**24
