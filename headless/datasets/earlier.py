"""Folders that an earlier version began, whose masks were palettes and whose EXR depth lay in a channel `Z`: they go on as they began."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from dnerf_core.files.names import RECORD_FORMAT, RECORD_NAME
from dnerf_core.files.pictures import EARLIER_DEPTH_CHANNEL, MaskFormat
from headless.datasets.plan import ViewPlan


def continued(plan: ViewPlan, folder: Path, masks: MaskFormat | None) -> ViewPlan:
    """The plan, with the kinds of file that the folder was begun with where an earlier version began it.

    Records of that time name neither kind. What is no such record is left to `ResultFolder.check`, which refuses it.

    Args:
        masks: what the call asks for; None: nothing, and the folder's own kind is meant.
    """
    if not _is_earlier(folder / RECORD_NAME):
        return plan
    return dataclasses.replace(plan, exr_channel=EARLIER_DEPTH_CHANNEL, mask_format=None if masks is None else plan.mask_format)


def kept_kinds(plan: ViewPlan) -> list[str]:
    """What a plan keeps of an earlier version's ways, for people."""
    masks = ["palette masks"] if plan.masks and plan.mask_format is None else []
    depth = (
        [f"depth in a channel {plan.exr_channel}"]
        if plan.depth_format == "exr" and plan.exr_channel == EARLIER_DEPTH_CHANNEL
        else []
    )
    return masks + depth


def _is_earlier(path: Path) -> bool:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # `ResultFolder.check` reads it again, and tells
        return False
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT or record.get("command") != "render":
        return False
    recorded = record.get("plan")
    return isinstance(recorded, dict) and not {"mask_format", "exr_channel"} & recorded.keys()
