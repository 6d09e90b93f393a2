"""Charts as SVG text, which a page holds itself: lines over a logarithmic axis, with bars of spread; light or dark as the reader's
screen is, light where a viewer knows no styles."""

from __future__ import annotations

import math
from html import escape

from headless.reproducing.writing.report import Chart

WIDTH, HEIGHT = 720, 360
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 40, 150, 48
_COLORS = ("#1f5aa8", "#d6600e", "#2a8442", "#8c3c96", "#78701a", "#be1e46")
_DARK_COLORS = ("#7fb2f5", "#f5a05c", "#74cf8c", "#d98ee6", "#cfc462", "#f57f9a")
_INK, _GRID, _PAPER = "#202024", "#dededc", "#fafaf8"
_DARK_INK, _DARK_GRID, _DARK_PAPER = "#e6e6e8", "#3a3a40", "#18181b"
_FONT_PX, _LETTER_SHARE = 13, 0.6
"""Of letters, and how wide one of them is at most on average, so that long words shrink instead of running out of the picture."""


def _style() -> str:
    """Rules that a dark screen has other colours by; what has no class keeps the colours of its attributes."""
    rules = [f".dn-ink{{fill:{_DARK_INK}}}", f".dn-grid{{stroke:{_DARK_GRID}}}", f".dn-paper{{fill:{_DARK_PAPER}}}"]
    for index, color in enumerate(_DARK_COLORS):
        rules.append(f".dn-l{index}{{stroke:{color}}}.dn-p{index}{{fill:{color}}}")
    return f"<style>@media(prefers-color-scheme:dark){{{''.join(rules)}}}</style>"


def chart_svg(chart: Chart) -> str:
    """The chart as one <svg> element."""
    points = [point for series in chart.series for point in series.points]
    low_x, high_x = _log_range([x for x, _, _ in points])
    low_y, high_y = _range([value for _, y, spread in points for value in (y - spread, y + spread)])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low_x) / (high_x - low_x)
        up = (y - low_y) / (high_y - low_y)
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * across, HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * up

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' role='img'>",
        f"<title>{escape(chart.title)}</title>",
        _style(),
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='{_PAPER}' class='dn-paper'/>",
        _text(_LEFT, 22, chart.title, "start", bold=True),
    ]
    for tick in _ticks(low_y, high_y):
        _, y = place(10**low_x, tick)
        parts += [_line(_LEFT, y, WIDTH - _RIGHT, y, _GRID, 1, "dn-grid"), _text(_LEFT - 8, y + 4, f"{tick:.3g}", "end")]
    for tick in sorted({x for x, _, _ in points}):
        x, _ = place(tick, low_y)
        parts += [
            _line(x, _TOP, x, HEIGHT - _BOTTOM, _GRID, 1, "dn-grid"),
            _text(x, HEIGHT - _BOTTOM + 18, f"{tick:g}", "middle"),
        ]
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 10, chart.x_name, "middle"))
    parts.append(_text(8, _TOP - 6, chart.y_name, "start"))
    for index, series in enumerate(chart.series):
        number = index % len(_COLORS)
        color, line = _COLORS[number], f"dn-l{number}"
        placed = [place(x, y) for x, y, _ in series.points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f"<polyline points='{joined}' fill='none' stroke='{color}' stroke-width='2' class='{line}'/>")
        for (x, y), (value_x, value_y, spread) in zip(placed, series.points, strict=True):
            parts.append(
                f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{color}' class='dn-p{number}'>"
                f"<title>{escape(series.name)}: {value_x:g}, {value_y:.4f}</title></circle>"
            )
            if spread > 0:
                (_, top), (_, bottom) = place(value_x, value_y + spread), place(value_x, value_y - spread)
                parts.append(_line(x, top, x, bottom, color, 1, line))
        y = _TOP + 20 * index
        parts += [
            _line(WIDTH - _RIGHT + 14, y, WIDTH - _RIGHT + 34, y, color, 2, line),
            _text(WIDTH - _RIGHT + 40, y + 4, series.name, "start"),
        ]
    return "\n".join([*parts, "</svg>"])


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = " font-weight='bold'" if bold else ""
    room = WIDTH - x if anchor == "start" else WIDTH
    size = min(_FONT_PX, room / (_LETTER_SHARE * max(1, len(text))))
    style = f"font-family='sans-serif' font-size='{size:.3g}'{weight}"
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{_INK}' class='dn-ink' {style}>{escape(text)}</text>"


def _line(x0: float, y0: float, x1: float, y1: float, color: str, width: int, kind: str) -> str:
    return (
        f"<line x1='{x0:.1f}' y1='{y0:.1f}' x2='{x1:.1f}' y2='{y1:.1f}' stroke='{color}' stroke-width='{width}' class='{kind}'/>"
    )


def _log_range(values: list[float]) -> tuple[float, float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    return (low - 0.5, high + 0.5) if high == low else (low, high)


def _range(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within [low, high], 3 to 8 of them."""
    step = 10.0 ** math.floor(math.log10(high - low))
    for factor in (1.0, 0.5, 0.2, 0.1):
        first = math.ceil(low / (step * factor))
        found = [step * factor * number for number in range(first, math.floor(high / (step * factor)) + 1)]
        if len(found) >= 3:
            break
    return found
