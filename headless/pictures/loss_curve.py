"""A loss over the steps of a search, as a picture with a logarithmic axis and as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dnerf_core.files.pictures import write_image
from dnerf_core.files.whole import write_bytes_whole
from headless.pictures.contact_sheet import Font

WIDTH_PX, HEIGHT_PX = 880, 480

_SUPER = 2
"""Drawn this many times as large and shrunk, which smooths the lines."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 86, 76, 24, 56
_INK, _PAPER, _GRID = (32, 32, 36), (250, 250, 248), (222, 222, 220)
_COLORS = ((31, 90, 168), (214, 96, 14), (42, 132, 66), (140, 60, 150), (120, 110, 20), (190, 30, 70))


@dataclass(frozen=True)
class LossStage:
    """A stage of a search: its name and the loss of each of its steps. Stages follow each other without a gap."""

    name: str
    losses: tuple[float, ...]


def loss_curve(title: str, stages: Sequence[LossStage]) -> npt.NDArray[np.uint8]:
    """The picture uint8 [H, W, 3]: a line a stage, each in its colour, named at the top; steps count from 0.

    Losses that are not finite leave a gap, those of 0 or less lie on the axis; both are counted at the top.

    Args:
        title: one line at the top.
        stages: at least one step among them.
    """
    losses = np.array([loss for stage in stages for loss in stage.losses], np.float64)
    drawable = losses[np.isfinite(losses) & (losses > 0)]
    left_out = len(losses) - len(drawable)
    low, high = _limits(drawable)
    image = Image.new("RGB", (_SUPER * WIDTH_PX, _SUPER * HEIGHT_PX), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15 * _SUPER)
    plot = _Plot(draw, font, max(1, len(losses) - 1), math.log10(low), math.log10(high))
    note = f"   ({left_out} of {len(losses)} losses are not finite or not above 0)" if left_out else ""
    plot.text(16, 12, title + note, ImageFont.load_default(size=18 * _SUPER))
    plot.axes(loss_ticks(low, high), step_ticks(len(losses) - 1))
    start, left = 0, float(_LEFT)
    for index, stage in enumerate(stages):
        color = _COLORS[index % len(_COLORS)]
        # A stage's line begins where the one before ended, in the later one's colour.
        plot.line(losses, max(0, start - 1), start + len(stage.losses), color, low)
        draw.rectangle([_SUPER * v for v in (left, 48, left + 14, 62)], fill=color)
        plot.text(left + 20, 45, stage.name, font)
        left += 44 + font.getlength(stage.name) / _SUPER
        start += len(stage.losses)
    return np.array(image.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BOX), np.uint8)


@dataclass(frozen=True)
class _Plot:
    """Draws in pixels of the finished picture, and knows where a step and a loss lie."""

    draw: ImageDraw.ImageDraw
    font: Font
    last_step: int
    log_low: float
    log_high: float

    def x(self, step: float) -> float:
        return _LEFT + (WIDTH_PX - _LEFT - _RIGHT) * step / self.last_step

    def y(self, loss: float) -> float:
        share = (math.log10(loss) - self.log_low) / (self.log_high - self.log_low)
        return HEIGHT_PX - _BOTTOM - (HEIGHT_PX - _TOP - _BOTTOM) * share

    def text(self, x: float, y: float, text: str, font: Font, anchor: str = "la") -> None:
        self.draw.text((_SUPER * x, _SUPER * y), text, fill=_INK, font=font, anchor=anchor)

    def segment(self, points: Sequence[tuple[float, float]], color: tuple[int, int, int], width: int) -> None:
        self.draw.line([(_SUPER * x, _SUPER * y) for x, y in points], fill=color, width=width, joint="curve")

    def axes(self, losses: Sequence[float], steps: Sequence[int]) -> None:
        right, bottom = WIDTH_PX - _RIGHT, HEIGHT_PX - _BOTTOM
        for loss in losses:
            self.segment([(_LEFT, self.y(loss)), (right, self.y(loss))], _GRID, _SUPER)
            self.text(_LEFT - 8, self.y(loss), f"{loss:.6g}", self.font, "rm")
        for step in steps:
            self.segment([(self.x(step), _TOP), (self.x(step), bottom)], _GRID, _SUPER)
            self.text(self.x(step), bottom + 8, str(step), self.font, "ma")
        self.segment([(_LEFT, _TOP), (_LEFT, bottom), (right, bottom)], _INK, _SUPER)
        self.text((_LEFT + right) / 2, HEIGHT_PX - 24, "step", self.font, "ma")
        self.text(16, 45, "loss", self.font)

    def line(self, losses: npt.NDArray[np.float64], first: int, end: int, color: tuple[int, int, int], low: float) -> None:
        """The losses of steps `first` to `end` - 1; a single one as a dot."""
        run: list[tuple[float, float]] = []
        for step in range(first, end + 1):
            if step < end and math.isfinite(losses[step]):
                run.append((self.x(step), self.y(max(float(losses[step]), low))))
                continue
            if len(run) > 1:
                self.segment(run, color, 2 * _SUPER)
            for x, y in run[:1] if len(run) == 1 else ():
                self.draw.ellipse([_SUPER * v for v in (x - 2, y - 2, x + 2, y + 2)], fill=color)
            run = []


def _limits(losses: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The axis' ends: a little beyond the losses, and at least a tenth of the lowest apart; (0.1, 1) without losses."""
    if losses.size == 0:
        return 0.1, 1.0
    low, high = (float(loss) for loss in np.clip([losses.min(), losses.max()], 1e-300, 1e300))  # room for room
    room = max((high / low) ** 0.04, 1.05)
    return low / room, high * room


def loss_ticks(low: float, high: float) -> list[float]:
    """Round losses within [low, high], at most 10 and, by ever finer steps, at least 3: decades, 1-2-5, or even steps."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((last - first) / 9))
    decades = [10.0**power for power in range(first, last + 1)]
    for ticks in (decades[::stride], [m * d for d in decades for m in (1, 2, 5)]):
        inside = [tick for tick in ticks if low <= tick <= high]
        if 3 <= len(inside) <= 10:
            return inside
    step = _round_step((high - low) / 6)
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def step_ticks(last_step: int) -> list[int]:
    """Round steps from 0 to `last_step`, at most 9."""
    step = max(1, round(_round_step(last_step / 8)))
    return list(range(0, last_step + 1, step))


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, .. by powers of ten that is not below `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def loss_table(stages: Sequence[LossStage]) -> str:
    """The numbers as CSV, a line a step: step, stage, loss; a loss reads back as the same float."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("step", "stage", "loss"))
    rows = [(stage.name, loss) for stage in stages for loss in stage.losses]
    writer.writerows((step, name, repr(float(loss))) for step, (name, loss) in enumerate(rows))
    return buffer.getvalue()


def write_loss_curve(picture_path: Path, table_path: Path, title: str, stages: Sequence[LossStage]) -> None:
    """`loss_curve` as a PNG and `loss_table` as a CSV, each whole or not at all.

    Raises:
        OutputError: a file cannot be written.
    """
    write_image(picture_path, loss_curve(title, stages))
    write_bytes_whole(table_path, loss_table(stages).encode())
