"""Buttons with what comes of them: progress and Cancel while their job runs, then its line, in a place of constant height.

So nothing moves under the mouse. The place is a row of buttons, or the progress in their stead, and `TEXT_LINES` lines of text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import bpy

from .. import session
from ..icons import has_picture, picture_icon
from .fitting import TEXT_LINES, draw_rows, fit_lines, text_measure, text_room_px

LEVEL_ICONS = {"INFO": "INFO", "ERROR": "ERROR", "CANCELLED": "CANCEL"}


@dataclass(frozen=True)
class Button:
    """An operator's button.

    Attributes:
        operator: its `bl_idname`.
        text: on the button; "": the operator's own.
        fields: the operator's properties.
        enabled: whether it can be pressed at all.
        needs_worker: whether it has to wait while a job runs.
        icon_only: without a text.
    """

    operator: str
    text: str = ""
    icon: str = "NONE"
    fields: Mapping[str, object] = field(default_factory=dict)
    enabled: bool = True
    needs_worker: bool = True
    icon_only: bool = False


def draw_job_buttons(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    *buttons: Button,
    rows: Sequence[Sequence[Button]] = (),
    also: Sequence[str] = (),
) -> None:
    """A row of buttons, and below it what comes of the one that was pressed last.

    Args:
        rows: further rows above, whose lines stand here, too; their buttons stay while a job of the last row runs.
        also: operators whose buttons are elsewhere, and whose lines stand here.
    """
    holder = session.current()
    column = layout.column(align=True)
    for row in rows:
        draw_buttons(column, *row)
    names = {button.operator for row in (buttons, *rows) for button in row} | set(also)
    if holder.job is not None and holder.job.button in names:
        draw_progress(column, context, holder.job)
        return
    draw_buttons(column, *buttons)
    outcome = holder.outcomes.latest(names)
    draw_rows(column, context, "" if outcome is None else outcome.line, "NONE" if outcome is None else LEVEL_ICONS[outcome.level])


def draw_buttons(layout: bpy.types.UILayout, *buttons: Button) -> None:
    """A row of them; those that have to wait are gray while a job runs."""
    row, waits = layout.row(align=True), session.busy()
    for button in buttons:
        part = row.row(align=True)
        part.enabled = button.enabled
        text = "" if button.icon_only else button.text or _label_of(button.operator)
        if waits and button.needs_worker:
            part.operator("dnerf.wait", text=text, icon=button.icon)
            continue
        fields = part.operator(button.operator, text=text, icon=button.icon)
        for name, value in button.fields.items():
            setattr(fields, name, value)


def _label_of(operator: str) -> str:
    module, name = operator.split(".")
    return str(getattr(bpy.types, f"{module.upper()}_OT_{name}").bl_label)


def draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context, job: session.Job) -> None:
    """What a job does, how far it is, and Cancel; the picture of a search on the left."""
    picture = has_picture()
    if picture:
        layout = layout.row(align=True)
        layout.template_icon(icon_value=picture_icon(), scale=1.0 + TEXT_LINES)
        layout = layout.column(align=True)
    row = layout.row(align=True)
    icons = 2 + job.keeps_best + (1 + TEXT_LINES) * picture
    row.progress(factor=job.share, text=_first_line(context, job.title, icons))
    if job.keeps_best:
        row.operator("dnerf.stop_early", text="", icon="CHECKMARK")
    row.operator("dnerf.cancel", text="", icon="CANCEL")
    layout.label(text=_first_line(context, step_text(job), icons - 1), translate=False)
    if job.cancelled:  # and where the engine does not let go of it
        layout.operator("dnerf.restart_worker", icon="FILE_REFRESH")
    else:
        layout.label(text="")


def step_text(job: session.Job) -> str:
    """The step that a job is at."""
    if job.cancelled:
        return "cancelling"
    if job.stopping:
        return "ending with the best so far"
    if session.current().worker_state == "starting":
        return "the engine is starting"
    return f"{job.done} of {job.total} {job.text}" if job.total else job.text or "working"


def _first_line(context: bpy.types.Context, text: str, icons: int) -> str:
    lines, _ = fit_lines(text, text_room_px(context, icons), text_measure(context), 1)
    return lines[0] if lines else ""
