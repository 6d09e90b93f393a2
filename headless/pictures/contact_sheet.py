"""The contact sheet: one picture to see at a glance what a data set folder holds. Pure functions from arrays to a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dnerf_core.labels import IGNORE_COLOR, LabelSet

MAX_SUBJECTS = 8
MAX_VIEWS = 4
MAX_SAMPLED_SUBJECTS = 200
MAX_SAMPLED_VIEWS = 12
"""Of what `sample` wrote all is shown, as far as programs open such a picture."""
TILE_PX = 144

_MARGIN = 16
_ROW_LABEL = 76
_LABEL_GAP = 8
_TILE_GAP = 3
_VIEW_GAP = 16
_LINE = 26
_INK = (32, 32, 36)
_PAPER = (250, 250, 248)
_BACKGROUND_GRAY = 236

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
LegendLine = list[tuple[int, str, tuple[int, int, int]]]
"""(left edge, name, colour) of each label on one line of a legend."""

_NEAR_TO_FAR = np.array(
    [(255, 244, 184), (253, 190, 92), (241, 125, 74), (204, 67, 99), (142, 42, 118), (80, 30, 110), (28, 18, 66)], np.float64
)
"""Colours from near (bright) to far (dark), even steps."""


@dataclass(frozen=True)
class SheetView:
    """One view: rgb uint8 [H, W, 3]; mask uint8 [H, W] label ids; depth_planar float32 [H, W], +inf at background; None: not shown."""

    rgb: npt.NDArray[np.uint8] | None
    mask: npt.NDArray[np.uint8] | None
    depth_planar: npt.NDArray[np.float32] | None


def contact_sheet(
    title: str,
    names: Sequence[str],
    views_of: Callable[[int], Sequence[SheetView]],
    labels: LabelSet | None,
    *,
    to_paint: bool = False,
    columns: int | None = None,
) -> Image.Image:
    """A row a subject; for each view the image, the mask laid over it and the coloured depth, those that are given.

    Args:
        title: one line at the top.
        names: of each subject.
        views_of: the views of the row of that number, all with the same channels. Each row is asked for once, and not kept.
        labels: names and colours for the legend; None where there are no masks.
        to_paint: the legend is what there is to paint, with the colour that means ignore.
        columns: views of the longest row; None: of the first.
    """
    first_row = views_of(0)
    first = first_row[0]
    shows_depth, shows_labels = first.depth_planar is not None, labels is not None and first.mask is not None
    shown = [
        name for name, present in (("image", first.rgb is not None), ("labels", shows_labels), ("depth", shows_depth)) if present
    ]
    tiles_a_view = len(shown)
    views = columns or len(first_row)
    view_width = tiles_a_view * TILE_PX + (tiles_a_view - 1) * _TILE_GAP
    font, title_font = ImageFont.load_default(size=15), ImageFont.load_default(size=18)
    row_label = max(_ROW_LABEL, *(int(font.getlength(name)) + _LABEL_GAP for name in names))
    width = 2 * _MARGIN + row_label + views * view_width + (views - 1) * _VIEW_GAP
    width = max(width, 2 * _MARGIN + int(title_font.getlength(title)))
    legend_lines = wrap_labels(labels, font, width - 2 * _MARGIN, ignore=to_paint)
    legend_title = bool(to_paint and legend_lines)
    top = _MARGIN + 2 * _LINE
    height = top + len(names) * (TILE_PX + _TILE_GAP) + _MARGIN // 2
    height += _LINE * (len(legend_lines) + legend_title + shows_depth) + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), title, fill=_INK, font=title_font)
    for view in range(views):
        left = _MARGIN + row_label + view * (view_width + _VIEW_GAP)
        draw.text((left, _MARGIN + _LINE), f"view {view}: {', '.join(shown)}", fill=_INK, font=font)
    for index, name in enumerate(names):
        row = views_of(index) if index else first_row
        y = top + index * (TILE_PX + _TILE_GAP)
        draw.text((_MARGIN, y + TILE_PX // 2 - 9), name, fill=_INK, font=font)
        near, far = depth_limits([view.depth_planar for view in row if view.depth_planar is not None])
        for column, view_arrays in enumerate(row):
            x = _MARGIN + row_label + column * (view_width + _VIEW_GAP)
            for tile in _tiles(view_arrays, labels, near, far):
                sheet.paste(tile, (x, y))
                x += TILE_PX + _TILE_GAP
    y = top + len(names) * (TILE_PX + _TILE_GAP) + _MARGIN // 2 + 4
    if legend_title:
        draw.text((_MARGIN, y), "to paint:", fill=_INK, font=font)
        y += _LINE
    y = draw_labels(draw, y, legend_lines, font)
    if shows_depth:
        _draw_depth_bar(sheet, y, font)
    return sheet


def depth_limits(depths: Sequence[npt.NDArray[np.float32]]) -> tuple[float, float]:
    """The nearest and farthest depth to colour: the 1st and 99th percentile of all finite values; (0, 1) where there are none."""
    finite = np.concatenate([np.empty(0, np.float32), *(depth[np.isfinite(depth)] for depth in depths)])
    if finite.size == 0:
        return 0.0, 1.0
    near, far = np.percentile(finite, [1, 99])
    return float(near), float(max(far, near + 1e-6))


def color_depth(depth_planar: npt.NDArray[np.float32], near: float, far: float) -> npt.NDArray[np.uint8]:
    """Depth [H, W] as colours uint8 [H, W, 3], bright near and dark far, light gray at background."""
    background = ~np.isfinite(depth_planar)
    position = np.clip((np.where(background, near, depth_planar) - near) / (far - near), 0.0, 1.0)
    colors = _ramp(position)
    colors[background] = _BACKGROUND_GRAY
    return colors


def _tiles(view: SheetView, labels: LabelSet | None, near: float, far: float) -> list[Image.Image]:
    pictures = [] if view.rgb is None else [view.rgb]
    if labels is not None and view.mask is not None:
        pictures.append(labels.colorize(view.mask) if view.rgb is None else labels.overlay(view.rgb, view.mask))
    if view.depth_planar is not None:
        pictures.append(color_depth(view.depth_planar, near, far))
    return [Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS) for picture in pictures]


def _ramp(position: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    steps = np.linspace(0.0, 1.0, len(_NEAR_TO_FAR))
    return np.stack([np.rint(np.interp(position, steps, _NEAR_TO_FAR[:, c])) for c in range(3)], axis=-1).astype(np.uint8)


def wrap_labels(labels: LabelSet | None, font: Font, width: int, *, ignore: bool = False) -> list[LegendLine]:
    """The labels, and with `ignore` the colour that means it, as lines of a legend no wider than `width`; no lines without labels."""
    lines: list[LegendLine] = []
    left = width
    named = [] if labels is None else [(label.name, label.color) for label in labels.labels]
    for name, color in [*named, ("ignore", IGNORE_COLOR)] if ignore and named else named:
        needed = 22 + int(font.getlength(name)) + 20
        if not lines or left + needed > width:
            lines.append([])
            left = 0
        lines[-1].append((_MARGIN + left, name, color))
        left += needed
    return lines


def draw_labels(draw: ImageDraw.ImageDraw, top: int, lines: Sequence[LegendLine], font: Font) -> int:
    """Draw the lines of `wrap_labels` from `top` on; returns where they end."""
    for index, line in enumerate(lines):
        y = top + index * _LINE
        for x, name, color in line:
            draw.rectangle((x, y + 2, x + 15, y + 17), fill=tuple(color), outline=_INK)
            draw.text((x + 22, y), name, fill=_INK, font=font)
    return top + len(lines) * _LINE


def _draw_depth_bar(sheet: Image.Image, y: int, font: Font) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, y), "depth: near", fill=_INK, font=font)
    bar_left = _MARGIN + int(font.getlength("depth: near")) + 8
    bar = _ramp(np.tile(np.linspace(0.0, 1.0, 120), (15, 1)))
    sheet.paste(Image.fromarray(bar), (bar_left, y + 2))
    draw.text((bar_left + 128, y), "far (scaled for each subject)", fill=_INK, font=font)
