"""Which viewport's picture is asked for next: one is under way at a time, of all viewports and scenes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..viewport_camera import ViewportSquare


@dataclass(eq=False)
class RegionPreview:
    """One viewport's preview.

    Attributes:
        region: the region's `as_pointer`.
        scene_uid: the `session_uid` of the scene that it shows.
        square: what it sees now; None: the subject is out of sight.
        wanted: the request that it wants, JSON; "": none.
        requested: the one that it has asked for last.
        turn: a number that grows with every request of any region; 0: it has asked for none.
        texture: the picture, and `texture_square`, where it belongs; None: there is none yet.
    """

    region: int
    scene_uid: int
    square: ViewportSquare | None = None
    wanted: str = ""
    requested: str = ""
    turn: int = 0
    texture: Any = None
    texture_square: ViewportSquare | None = None

    @property
    def is_out_of_date(self) -> bool:
        """Whether it wants another picture than it has asked for."""
        return bool(self.wanted) and self.wanted != self.requested


@dataclass(eq=False)
class UnderWay:
    """The request that the worker has.

    Attributes:
        has_coarse: its first picture has come; the whole one may follow.
    """

    entry: RegionPreview
    has_coarse: bool = False


def next_turn(entries: Iterable[RegionPreview], under_way: UnderWay | None) -> RegionPreview | None:
    """The region to ask for now, the one that has waited longest; None: none wants anything, or the one under way is to be waited for.

    A new request ends the whole picture that is under way. So one is made only where that picture is out of date: else two viewports at
    rest would end each other's for ever.
    """
    waiting = [entry for entry in entries if entry.is_out_of_date]
    if under_way is not None and not (under_way.has_coarse and under_way.entry.is_out_of_date):
        return None
    return min(waiting, key=lambda entry: entry.turn, default=None)
