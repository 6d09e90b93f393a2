"""What one asks for who adds views of a subject to a data set, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.errors import UsageError
from dnerf_core.ranges import ranged
from dnerf_core.rendering.labeled_view import PartialView
from headless.runs.one_subject import OneSubjectCall
from headless.runs.views import CHANNELS

if TYPE_CHECKING:
    from dnerf_core.subject import Channel

TakeView = Callable[[int, str, PartialView], None]
"""Hears of a view that is there: its camera's number in the call, its name in the data set, and its channels as its files have them."""


@dataclass(frozen=True, kw_only=True)
class AddViewsCall(OneSubjectCall):
    """What is to be added.

    Attributes:
        channels: what is written of each view; of a model whose subjects move the joints are, too, as `render` does.
        output: the folder; one that holds a data set of the same model, size and channels goes on.
        camera_names: of each camera, for the lists; empty: they have none.
        pose: that the subject takes in these views; None: its own.
    """

    channels: tuple[Channel, ...] = ranged(CHANNELS)
    output: Path
    camera_names: Sequence[str] = ()
    pose: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.camera_names and len(self.camera_names) != len(self.cameras):
            raise UsageError(
                f"camera_names: expected one for each of {len(self.cameras)} cameras, found {len(self.camera_names)}; correct them"
            )


@dataclass(frozen=True)
class AddedTo:
    """What the folder has after a call.

    Attributes:
        names: of the call's views in the data set, in the order of its cameras.
        written: how many views were not there before.
        views, subjects: of the whole data set.
    """

    names: tuple[str, ...]
    written: int
    views: int
    subjects: int
