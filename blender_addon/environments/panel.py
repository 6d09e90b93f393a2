"""What the preferences show of an environment that is being made: in the place of the button, of constant height."""

from __future__ import annotations

import bpy

from ..panels.fitting import draw_rows
from .making import EnvironmentMaking


def draw_making(
    layout: bpy.types.UILayout, context: bpy.types.Context, making: EnvironmentMaking | None, refusal: str, *, margin_px: float
) -> None:
    """The button Create Environment with the line of the last one; while one is made, how far it is, and Cancel.

    Args:
        making: the one that is being made, or was made last.
        refusal: why the button, pressed last, has begun none; "": it has.
        margin_px: beside what is drawn, at a UI scale of 1.
    """
    column = layout.column(align=True)
    if making is None or not making.running:
        column.operator("dnerf.create_environment", icon="ADD")
        line, icon = (refusal, "ERROR") if refusal else ("", "NONE")
        if making is not None and not refusal:
            line, icon = making.line, "CHECKMARK" if making.succeeded else "CANCEL" if making.cancelled else "ERROR"
        draw_rows(column, context, line, icon, margin_px=margin_px)
        return
    progress = making.progress
    text = "cancelling: what has been made is being removed" if making.cancelled else progress.text
    row = column.row(align=True)
    row.progress(factor=progress.share, text=f"{progress.share:.0%}")
    row.operator("dnerf.cancel_environment", text="", icon="CANCEL")
    draw_rows(column, context, text, "SORTTIME", margin_px=margin_px)
