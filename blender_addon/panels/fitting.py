"""Text that fits a region: measured in the interface's own font, and broken into lines between words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import blf
import bpy

Measure = Callable[[str], float]
"""How wide a text is, in pixels."""

TEXT_LINES = 2
"""Below a button, always."""
_MARGIN_PX = 62
"""Of a side panel at a UI scale of 1: its tabs, its borders, and those of a label."""
BOX_MARGIN_PX = _MARGIN_PX + 16
"""The same in a box."""
_ICON_PX = 20
_CUT = "\N{HORIZONTAL ELLIPSIS}"


def wrap_text(text: str, width_px: float, measure: Measure) -> list[str]:
    """`text` in lines of at most that width; a word that is wider, such as a path, is broken where it has to be."""
    lines: list[str] = []
    for word in text.split():
        rest = word
        if lines and measure(f"{lines[-1]} {word}") <= width_px:
            lines[-1] = f"{lines[-1]} {word}"
            continue
        while measure(rest) > width_px and len(rest) > 1:
            end = _end_of_line(rest, width_px, measure)
            lines.append(rest[:end])
            rest = rest[end:]
        lines.append(rest)
    return lines


def _end_of_line(word: str, width_px: float, measure: Measure) -> int:
    """How many characters of a word that is too wide fit, one at least; after a separator of a path, where one is near."""
    low, high = 1, len(word) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(word[:middle]) <= width_px else (low, middle - 1)
    separator = max(word.rfind(mark, 0, low) for mark in "/\\") + 1
    return separator if separator > low // 2 else low


def fit_lines(text: str, width_px: float, measure: Measure, most: int) -> tuple[list[str], bool]:
    """The first lines of `text`, `most` at most, and whether they are all of it; what is cut ends in an ellipsis."""
    lines = wrap_text(text, width_px, measure)
    if len(lines) <= most:
        return lines, True
    last = lines[most - 1]
    while last and measure(last + _CUT) > width_px:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip() + _CUT], False


def text_measure(context: bpy.types.Context) -> Measure:
    """Measures in the font and size that labels are drawn with."""
    size = context.preferences.ui_styles[0].widget.points * context.preferences.system.ui_scale

    def measure(text: str) -> float:
        blf.size(0, size)
        return float(blf.dimensions(0, text)[0])

    return measure


def text_room_px(context: bpy.types.Context, icons: int = 0, margin_px: float = _MARGIN_PX) -> float:
    """How wide a label of the region that is being drawn may be, with so many icons or small buttons beside it.

    Args:
        margin_px: what the region has to the left and the right of labels, at a UI scale of 1; that of a side panel, if not given.
    """
    return float(context.region.width - (margin_px + icons * _ICON_PX) * context.preferences.system.ui_scale)


def draw_text(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", margin_px: float = _MARGIN_PX
) -> None:
    """`text` in as many lines as the width of the side panel asks for."""
    column, room_px = layout.column(align=True), text_room_px(context, int(icon != "NONE"), margin_px)
    for number, line in enumerate(wrap_text(text, room_px, text_measure(context))):
        column.label(text=line, icon=icon if number == 0 or icon == "NONE" else "BLANK1", translate=False)


def draw_rows(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: str = "NONE",
    rows: int = TEXT_LINES,
    margin_px: float = _MARGIN_PX,
) -> None:
    """`text` in so many rows, also where it needs fewer; where it needs more, a small button shows all of it."""
    measure, icons = text_measure(context), int(icon != "NONE")
    lines, whole = fit_lines(text, text_room_px(context, icons, margin_px), measure, rows)
    if not whole:
        lines, _ = fit_lines(text, text_room_px(context, icons + 1, margin_px), measure, rows)
    column = layout.column(align=True)
    for number in range(rows):
        row = column.row(align=True)
        row.label(
            text=lines[number] if number < len(lines) else "",
            icon=icon if number == 0 or icon == "NONE" else "BLANK1",
            translate=False,
        )
        if not whole and number == rows - 1:
            row.operator("dnerf.show_line", text="", icon="TEXT", emboss=False).line = text


def columns_for(context: bpy.types.Context, names: Iterable[str]) -> int:
    """Whether names, each with an icon, fit side by side in two columns, or need one each for themselves."""
    measure, half_px = text_measure(context), text_room_px(context) / 2 - 2 * _ICON_PX * context.preferences.system.ui_scale
    return 2 if all(measure(name) <= half_px for name in names) else 1
