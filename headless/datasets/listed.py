"""What a format's writer reads of a data set's lists: the views that are listed, their files and their metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dnerf_core.backbone.viewing import CameraConfig
    from dnerf_core.labels import LabelSet
    from headless.datasets.folder import DatasetFolder
    from headless.datasets.format_options import FormatOptions
    from headless.datasets.formats.card import Origin
    from headless.datasets.plan import PlannedView, ViewPlan
    from headless.work.reporting import Reporter


class Listed(Protocol):
    """The lists of a plan's views, as `headless.datasets.listing.Listing` makes them.

    Attributes:
        plan, folder: which views, and where their files are.
        cameras: the generator's own.
        labels: what the masks' ids mean; None where views have no masks.
        reporter: hears of what is written.
        workers: threads that read files.
        origin: where the weights come from; None: not told.
        options: what is chosen of each format.
    """

    plan: ViewPlan
    folder: DatasetFolder
    cameras: CameraConfig
    labels: LabelSet | None
    reporter: Reporter
    workers: int
    origin: Origin | None
    options: FormatOptions

    def subjects(self, split: str | None = None, *, kept: bool = True) -> Iterator[list[tuple[int, PlannedView]]]:
        """The listed views of each subject of a split, or of all, each with its number in the plan."""

    def views(self, split: str | None = None) -> Iterator[tuple[int, PlannedView]]:
        """The listed views of a split, or of all."""

    def count(self, split: str) -> int:
        """How many views of a split are listed."""

    def row(self, index: int, view: PlannedView) -> dict[str, Any]:
        """The metadata of one view."""
