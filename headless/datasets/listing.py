"""What tells of a whole data set, written when all of its views are there: metadata, statistics, card, other formats, contact sheet."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.errors import counted
from dnerf_core.files.names import ID2LABEL_NAME, METADATA_NAME, SHEET_NAME, id2label_json, json_bytes
from dnerf_core.labels import LabelSet
from headless.datasets.folder import REJECTED_NAME, DatasetFolder, integer_depth_scale
from headless.datasets.format_options import USUAL, FormatOptions
from headless.datasets.formats.card import CARD_NAME, Origin, card
from headless.datasets.formats.export import Export, exports, index_names
from headless.datasets.formats.registry import Format
from headless.datasets.plan import PlannedView, ViewPlan, plan_subject
from headless.datasets.set_statistics import STATISTICS_NAME, read_statistics, remarks, set_statistics
from headless.datasets.view_facts import ViewFacts, read_facts
from headless.pictures import contact_sheet
from headless.work.reporting import Reporter


class Listing:
    """The lists of a plan's views, made from the files in its folder alone."""

    def __init__(
        self,
        plan: ViewPlan,
        folder: DatasetFolder,
        cameras: CameraConfig,
        labels: LabelSet | None,
        reporter: Reporter,
        *,
        workers: int = 1,
        formats: tuple[Format, ...] = (),
        options: FormatOptions = USUAL,
        origin: Origin | None = None,
        sampled: bool = False,
        unpainted: bool = False,
    ) -> None:
        """Args:
        labels: what the masks' ids mean; None where views have no masks.
        workers: threads that read files.
        formats: what is written beside the folder's own lists, and `options` how.
        origin: where the weights come from, for the statistics and the data card; None: there are none.
        sampled: the views are there to be annotated; the contact sheet shows all of them, and what there is to paint.
        unpainted: nothing is painted in the masks; the contact sheet leaves them out.
        """
        self.plan, self.folder, self.cameras, self.labels, self.reporter = plan, folder, cameras, labels, reporter
        self.workers, self.formats, self.options, self.origin = workers, formats, options, origin
        self.sampled, self.unpainted = sampled, unpainted

    def lacks_any(self) -> bool:
        """Whether a list is missing.

        Raises:
            OutputError: none is, but one has been damaged.
        """
        if any(map(self.folder.lacks, self._names())):
            return True
        for export, split in self._exports():
            export.check(self, split)
        return False

    def _names(self) -> list[str]:
        own = [] if self.origin is None else [STATISTICS_NAME, CARD_NAME]
        own += [] if self.origin is None or self.labels is None else [ID2LABEL_NAME]
        own += [REJECTED_NAME] if self.plan.reject_uncertain else []
        return [*self._metadata_names().values(), *own, *index_names(self.formats, self.folder.splits), SHEET_NAME]

    def _metadata_names(self) -> dict[str, str]:
        """The metadata file of each split."""
        return {split: f"{split}/{METADATA_NAME}" if split else METADATA_NAME for split in self.folder.splits}

    def write(self) -> None:
        """Write the lists that are missing.

        Raises:
            OutputError: something cannot be read or written.
            AnnotationError: a mask cannot be read.
        """
        if self.origin is not None and self.folder.lacks(STATISTICS_NAME):
            statistics = set_statistics(self.plan, self.labels, self._facts, self._kept)
            self.folder.write_once(STATISTICS_NAME, json_bytes(statistics))
        if self.origin is not None and self.labels is not None:
            self.folder.write_once(ID2LABEL_NAME, id2label_json(self.labels))
        for split, name in self._metadata_names().items():
            if self.folder.lacks(name):
                self.folder.write_lines_once(name, self._metadata(split))
        if self.plan.reject_uncertain and self.folder.lacks(REJECTED_NAME):
            self.folder.write_lines_once(REJECTED_NAME, self._rejected())
        if self.origin is not None and self.folder.lacks(CARD_NAME):
            text = card(self.plan, self.origin, self.statistics(), self.folder.kinds, self.folder.splits)
            self.folder.write_once(CARD_NAME, text.encode())
        for export, split in self._exports():
            missing = any(map(self.folder.lacks, export.names(split)))
            (export.write if missing else export.check)(self, split)
        if self.folder.lacks(SHEET_NAME):
            self.folder.write_once(SHEET_NAME, self._sheet_png())

    def _exports(self) -> Iterator[tuple[Export, str]]:
        """The other formats, in each split."""
        return ((export, split) for export in exports(self.formats) for split in self.folder.splits)

    def statistics(self) -> dict[str, Any]:
        """The statistics of the whole set.

        Raises:
            OutputError: they cannot be read.
        """
        return read_statistics(self.folder.path / STATISTICS_NAME)

    def tell(self, statistics: dict[str, Any]) -> None:
        """Warn of what is missing in the whole set, however many runs made it."""
        for remark in remarks(statistics):
            self.reporter.warning(f"{self.folder.path}: {remark}")

    @cached_property
    def _facts(self) -> ViewFacts:
        return read_facts(self.plan, self.folder, self.labels, self.reporter, self.workers)

    @cached_property
    def _kept(self) -> NDArray[np.bool_]:
        if self.plan.reject_uncertain:
            return self._facts.certain(self.plan.reject_uncertain)
        return np.ones(self.plan.total, np.bool_)

    def subjects(self, split: str | None = None, *, kept: bool = True) -> Iterator[list[tuple[int, PlannedView]]]:
        """The listed views of each subject of a split, or of all, in the order of the plan, each with its number there.

        `kept` false: the views that are not listed. Subjects without such views are left out.
        """
        first = 0
        for seed in self.plan.seeds:
            selected = self._kept[first : first + self.plan.views_of(seed)] == kept
            if selected.any() and (split is None or self.plan.split_of(seed) == split):
                views = plan_subject(self.plan, self.cameras, seed)
                yield [(first + place, view) for place, view in enumerate(views) if selected[place]]
            first += len(selected)

    def views(self, split: str | None = None) -> Iterator[tuple[int, PlannedView]]:
        """The listed views of a split, or of all, as `subjects` gives them."""
        for views in self.subjects(split):
            yield from views

    def _rejected(self) -> Iterator[str]:
        """`rejected.jsonl`: the views that no list names, the most uncertain first, as `metadata.jsonl` would have them."""
        rows = []
        for views in self.subjects(kept=False):
            split = self.plan.split_of(views[0][1].seed)
            rows += [self.row(index, view) | ({"split": split} if split else {}) for index, view in views]
        for row in sorted(rows, key=lambda row: -float(row["uncertainty"])):
            yield json.dumps(row) + "\n"

    def count(self, split: str) -> int:
        """How many views of a split are listed."""
        listed = np.add.reduceat(self._kept.astype(np.int64), self.plan.firsts)
        return int(listed[[self.plan.split_of(seed) == split for seed in self.plan.seeds]].sum())

    def _metadata(self, split: str) -> Iterator[str]:
        """`metadata.jsonl`: a line a view, in the order of the plan."""
        for index, view in self.views(split):
            yield json.dumps(self.row(index, view)) + "\n"

    def row(self, index: int, view: PlannedView) -> dict[str, Any]:
        """The metadata of one view."""
        row: dict[str, Any] = {**self.folder.files_of(view), **integer_depth_scale(self.plan), **view.which}
        if "parts" in self.plan.channels and self.labels is not None and self._facts.pixels is not None:
            seen = self._facts.pixels[index] > 0
            row["parts"] = [name for name, visible in zip(self.labels.names[1:], seen[1:], strict=True) if visible]
        if "uncertainty" in self.plan.channels and self._facts.uncertainty is not None:
            row["uncertainty"] = float(self._facts.uncertainty[index])
        return row

    def _sheet_png(self) -> bytes:
        """The contact sheet of the first subjects and views; of samples, of all."""
        labels, size_px = self.labels, self.plan.resolution_px
        most_subjects, most_views = contact_sheet.MAX_SUBJECTS, contact_sheet.MAX_VIEWS
        if self.sampled:
            most_subjects, most_views = contact_sheet.MAX_SAMPLED_SUBJECTS, contact_sheet.MAX_SAMPLED_VIEWS
        seeds = self.plan.seeds[:most_subjects]
        shown = [
            kind
            for kind in self.folder.kinds
            if kind in ("images", "depth") or (kind == "masks" and labels is not None and not self.unpainted)
        ]

        def read(view: PlannedView) -> contact_sheet.SheetView:
            seen = {kind: self.folder.read(kind, view.name, labels, size_px) for kind in shown}
            return contact_sheet.SheetView(seen.get("images"), seen.get("masks"), seen.get("depth"))

        def views_of(row: int) -> list[contact_sheet.SheetView]:
            return [read(view) for view in plan_subject(self.plan, self.cameras, seeds[row])[:most_views]]

        title = f"{self.plan.model_name}, {counted(len(self.plan.seeds), 'subject')} x {counted(self.plan.views, 'view')}"
        if self.plan.added is not None:
            title = f"{self.plan.model_name}, {counted(self.plan.total, 'view')} of {counted(len(self.plan.seeds), 'subject')}"
        if self.sampled and (len(seeds) < len(self.plan.seeds) or most_views < self.plan.views):
            title += f": the first {len(seeds)} x {min(most_views, self.plan.views)}"
        names = [self.plan.subject(seed).short_title for seed in seeds]
        columns = min(most_views, max(map(self.plan.views_of, seeds)))
        buffer = io.BytesIO()
        sheet = contact_sheet.contact_sheet(title, names, views_of, labels, to_paint=self.unpainted, columns=columns)
        sheet.save(buffer, format="PNG")
        return buffer.getvalue()
