"""What one asks for who adds views of a subject to a data set, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dnerf_core.errors import UsageError
from dnerf_core.ranges import ranged
from dnerf_core.rendering.labeled_view import PartialView
from headless.runs.one_subject import OneSubjectCall
from headless.runs.views import CHANNELS

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from dnerf_core.labels import LabelSet
    from dnerf_core.subject import Channel
    from headless.datasets.adding.views import AddedView
    from headless.datasets.formats.card import Origin

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
    command: ClassVar[str] = "render"
    """What the folder's record calls what made it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.camera_names and len(self.camera_names) != len(self.cameras):
            raise UsageError(
                f"camera_names: expected one for each of {len(self.cameras)} cameras, found {len(self.camera_names)}; correct them"
            )

    def labels(self, facts: ModelFacts) -> LabelSet | None:
        """What the masks' ids mean; None: the views have no masks."""
        return facts.labels if facts.has_semantics else None

    def origin(self, facts: ModelFacts) -> Origin:
        """What the data card says of where the views come from."""
        from headless.runs.render import make_origin

        return make_origin(self.model_name, facts)

    def views(self) -> list[AddedView]:
        """The views, whose numbers do not count yet."""
        from headless.datasets.adding.views import AddedView

        titles = self.camera_names or [""] * len(self.cameras)
        return [AddedView(0, camera, self.pose, title) for camera, title in zip(self.cameras, titles, strict=True)]


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
