"""Where a viewport shows the preview: in the subject's place, or beside it where a cloud or a mesh of it stands there.

Convention: pixels of the region, from the bottom left.
"""

from __future__ import annotations

from dataclasses import dataclass

_LEAST_SHARE = 0.35
"""A picture is made smaller to fit beside the subject, but no smaller than this."""
_CORNER_SHARE = 0.3
"""Where there is no room beside it, the picture is in a corner, as large as this share of the shorter side."""


@dataclass(frozen=True)
class Place:
    """A square of a region, in pixels."""

    left_px: float
    bottom_px: float
    side_px: float


@dataclass(frozen=True)
class Free:
    """What of a region nothing lies over, in pixels."""

    left_px: float
    bottom_px: float
    right_px: float
    top_px: float


def place_aside(taken: Place, free: Free) -> Place:
    """Where the picture of what stands in `taken` does not cover it: at the side with more room, smaller where that is too narrow, or
    else in the lower corner of that side.
    """
    room_right, room_left = free.right_px - (taken.left_px + taken.side_px), taken.left_px - free.left_px
    is_right = room_right >= room_left
    side = min(taken.side_px, max(room_right, room_left), free.top_px - free.bottom_px)
    if side < _LEAST_SHARE * taken.side_px:
        side = _CORNER_SHARE * min(free.right_px - free.left_px, free.top_px - free.bottom_px)
        return Place(free.right_px - side if is_right else free.left_px, free.bottom_px, side)
    left = taken.left_px + taken.side_px if is_right else taken.left_px - side
    middle = taken.bottom_px + (taken.side_px - side) / 2.0
    return Place(left, min(max(middle, free.bottom_px), free.top_px - side), side)
