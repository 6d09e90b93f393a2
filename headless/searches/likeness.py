"""How well a search ended, in words for people: its scores, and a warning where they are too poor to be taken for success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

POOR_PSNR_DB = 20.0
"""A photo that is met less well than this is told to be none of what the model makes: docs/inversion.md has what was measured."""
POOR_MIOU = 0.5
"""The same of a mask."""
POOR_TAKEN = 0.5
"""An edit of which less of the repainted pixels take their label is told to be more than the model can make."""


def score_text(scores: Mapping[str, Any]) -> str:
    """`psnr_db` or `miou`, and the camera of an inversion."""
    if scores["miou"] is not None:
        score = f"mIoU {scores['miou']:.3f}"
    else:
        score = "the very same picture" if scores["psnr_db"] is None else f"PSNR {scores['psnr_db']:.1f} dB"
    return f"{score}, yaw {scores['yaw_deg']:.1f}, pitch {scores['pitch_deg']:.1f} degrees"


def poor_likeness(model_name: str, scores: Mapping[str, Any]) -> str | None:
    """What to tell of an inversion whose likeness is poor, `psnr_db` of a photo or `miou` of a mask; None: it is not."""
    psnr_db, miou = scores["psnr_db"], scores["miou"]
    if psnr_db is not None and psnr_db < POOR_PSNR_DB:
        expected = f"{POOR_PSNR_DB:g} dB"
    elif miou is not None and miou < POOR_MIOU:
        expected = f"{POOR_MIOU:g}"
    else:
        return None
    return (
        f"the best likeness is poor, {score_text(scores)}, expected {expected} or more; it may be nothing that {model_name} makes, "
        "or be seen from beyond the yaw that was searched, or need a crop to stand as the model's subjects do"
    )


def poor_edit(model_name: str, edited_taken: float) -> str | None:
    """What to tell of an edit, by the share of the repainted pixels that took their label; None: nothing."""
    if edited_taken >= POOR_TAKEN:
        return None
    return (
        f"{edited_taken:.0%} of the repainted pixels took their label, expected {POOR_TAKEN:.0%} or more; {model_name} may make nothing "
        "of that shape: ask for a smaller change, or let colours hold less"
    )
