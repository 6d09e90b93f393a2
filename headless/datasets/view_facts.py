"""What a data set's files say of its views: how many pixels each label has, and how uncertain each view is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.masks import read_mask
from dnerf_core.files.pictures import of_size, read_gray16
from dnerf_core.labels import LabelSet
from headless.datasets.folder import DatasetFolder
from headless.datasets.plan import ViewPlan, view_names
from headless.work.reporting import Reporter
from headless.work.workers import run_tasks


@dataclass(frozen=True, eq=False)
class ViewFacts:
    """Facts of N views in the order of the plan.

    Attributes:
        pixels: int64 [N, C], pixels of each label; None without masks.
        uncertainty: float64 [N], mean over the view's pixels, 0 certain to 1; None without that channel.
    """

    pixels: NDArray[np.int64] | None
    uncertainty: NDArray[np.float64] | None

    def certain(self, reject: float) -> NDArray[np.bool_]:
        """Which of the views are left, bool [N], when a share of them is left out: the most uncertain ones, of equals the later.

        DatasetGAN (arXiv 2104.06490) leaves out the tenth of its images whose pixels' uncertainty is highest in sum, by the
        divergence of several classifiers; here it is the entropy of one.
        """
        assert self.uncertainty is not None
        count = len(self.uncertainty)
        kept = np.zeros(count, np.bool_)
        kept[np.argsort(self.uncertainty, kind="stable")[: count - math.floor(reject * count + 1e-9)]] = True
        return kept

    def select(self, keep: NDArray[np.bool_]) -> ViewFacts:
        """Those of some views."""
        pixels = None if self.pixels is None else self.pixels[keep]
        return ViewFacts(pixels, None if self.uncertainty is None else self.uncertainty[keep])


def read_facts(plan: ViewPlan, folder: DatasetFolder, labels: LabelSet | None, reporter: Reporter, workers: int) -> ViewFacts:
    """The facts of all views, from the files: a resumed run has not rendered them all.

    Raises:
        AnnotationError: a mask cannot be read.
        OutputError: another file cannot be read.
    """
    count = plan.total
    pixels = None if labels is None else np.zeros((count, labels.num_classes), np.int64)
    uncertainty = np.zeros(count) if "uncertainty" in plan.channels else None
    if pixels is None and uncertainty is None:
        return ViewFacts(None, None)

    def read(task: tuple[int, str]) -> None:
        index, name = task
        if pixels is not None and labels is not None:
            mask = read_mask(folder.file("masks", name), labels, plan.resolution_px)
            pixels[index] = np.bincount(mask.ravel(), minlength=256)[: labels.num_classes]
        if uncertainty is not None:
            path = folder.file("uncertainty", name)
            values = of_size(read_gray16(path), path, plan.resolution_px)
            # whole numbers first: their sum does not depend on the order of summation
            uncertainty[index] = int(values.sum(dtype=np.int64)) / (65535 * values.size)

    with reporter.progress("statistics", count) as advance:
        for _ in run_tasks(_names(plan), read, workers):
            advance()
    return ViewFacts(pixels, uncertainty)


def _names(plan: ViewPlan) -> Iterator[list[tuple[int, str]]]:
    """The views of each subject, numbered."""
    first = 0
    for seed in plan.seeds:
        names = view_names(plan, seed)
        yield list(enumerate(names, start=first))
        first += len(names)
