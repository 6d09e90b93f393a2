"""Folders that an earlier version began, whose masks were palettes and whose EXR depth lay in a channel `Z`: they go on as they began."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from dnerf_core.files.names import RECORD_FORMAT, RECORD_NAME
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.pictures import EARLIER_DEPTH_CHANNEL, MaskFormat
from headless.datasets.plan import ViewPlan


def continued(plan: ViewPlan, folder: Path, masks: MaskFormat | None) -> ViewPlan:
    """The plan, with the kinds of file that the folder was begun with where an earlier version began it.

    Records of that time name neither kind. What is no such record is left to `ResultFolder.check`, which refuses it.

    Args:
        masks: what the call asks for; None: nothing, and the folder's own kind is meant.
    """
    if not _is_earlier(folder):
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


def plan_of_render(folder: Path) -> dict[str, Any] | None:
    """The plan that a folder records of a `render`; None: it records none, which whoever opens the folder tells."""
    try:
        record = json.loads(read_regular_text(folder / RECORD_NAME))
    except (OSError, ValueError, RecursionError):  # `ResultFolder.check` reads it again, and tells
        return None
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT or record.get("command") != "render":
        return None
    plan = record.get("plan")
    return plan if isinstance(plan, dict) else None


def _is_earlier(folder: Path) -> bool:
    plan = plan_of_render(folder)
    return plan is not None and not {"mask_format", "exr_channel"} & plan.keys()
