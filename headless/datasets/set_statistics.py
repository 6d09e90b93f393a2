"""Statistics of a data set: the label histogram, and what is missing that its maker should know of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import OutputError, counted
from dnerf_core.files.pictures import MAKE_AGAIN
from dnerf_core.labels import LabelSet
from headless.datasets.plan import ViewPlan
from headless.datasets.view_facts import ViewFacts

STATISTICS_NAME = "statistics.json"


def set_statistics(plan: ViewPlan, labels: LabelSet | None, facts: ViewFacts, kept: NDArray[np.bool_]) -> dict[str, Any]:
    """The content of `statistics.json`.

    Args:
        facts: of all views of the plan.
        kept: bool [N], which of them the data set lists; the others count nowhere.
    """
    listed = facts.select(kept)
    views = int(kept.sum())
    data: dict[str, Any] = {"views": views, "rejected": len(kept) - views}
    if plan.splits:
        listed_by_subject = np.add.reduceat(kept.astype(np.int64), plan.firsts)
        rows = {seed: row for row, seed in enumerate(plan.seeds)}
        data["splits"] = [
            {"name": name, "subjects": len(seeds), "views": int(sum(listed_by_subject[rows[seed]] for seed in seeds))}
            for name, seeds in plan.seeds_by_split().items()
        ]
    if listed.pixels is not None and labels is not None:
        total = int(listed.pixels.sum())
        pixels, present = listed.pixels.sum(axis=0).tolist(), (listed.pixels > 0).sum(axis=0).tolist()
        data["empty_masks"] = int((listed.pixels[:, 1:].sum(axis=1) == 0).sum())
        data["labels"] = [
            {"id": k, "name": name, "pixels": pixels[k], "share": pixels[k] / total if total else 0.0, "views": present[k]}
            for k, name in enumerate(labels.names)
        ]
        data["class_weights"] = class_weights(listed.pixels)
        data["vanished"] = [name for name, count in zip(labels.names, pixels, strict=True) if count == 0]
    if listed.uncertainty is not None and views:
        ends = {"lowest": float(listed.uncertainty.min()), "highest": float(listed.uncertainty.max())}
        data["uncertainty"] = {"mean": float(listed.uncertainty.mean()), **ends}
    return data


def class_weights(pixels: NDArray[np.int64]) -> dict[str, list[float]]:
    """Weights of a loss by how seldom each label is, in the order of ids; a label without a pixel, which no loss meets, has 0.

    `inverse_frequency`: total / (labels seen * pixels of the label), so that the mean over pixels is 1. `median_frequency` (Eigen and
    Fergus, arXiv 1411.4734, section 6.3.2): the median over labels of f / f of the label, where f is its share of the pixels of those
    views that show it.

    Args:
        pixels: int64 [N, C], pixels of each label in each view.
    """
    total = pixels.sum(axis=0).astype(np.float64)
    in_its_views = ((pixels > 0) * pixels.sum(axis=1, keepdims=True)).sum(axis=0)
    seen = total > 0
    frequency = np.divide(total, in_its_views, out=np.zeros_like(total), where=seen)
    inverse, median = np.zeros_like(total), np.zeros_like(total)
    if seen.any():
        inverse[seen] = total.sum() / (seen.sum() * total[seen])
        median[seen] = np.median(frequency[seen]) / frequency[seen]
    return {"inverse_frequency": inverse.tolist(), "median_frequency": median.tolist()}


def remarks(statistics: dict[str, Any]) -> list[str]:
    """What a user should know of the whole set, a sentence each."""
    sentences = []
    if statistics.get("vanished"):
        names = ", ".join(statistics["vanished"])
        sentences.append(
            f"a class vanished: no view has a pixel of {names}; the model, its label set or the cameras may be the reason"
        )
    if statistics.get("empty_masks"):
        verb = "is" if statistics["empty_masks"] == 1 else "are"
        sentences.append(
            f"{statistics['empty_masks']} of {counted(statistics['views'], 'mask')} {verb} empty, every pixel is background"
        )
    sentences += [f"the split {split['name']} has no views" for split in statistics.get("splits", []) if not split["views"]]
    return sentences


def read_statistics(path: Path) -> dict[str, Any]:
    """What `statistics.json` holds.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and isinstance(data.get("views"), int):
            return data
        reason = "it holds something else"
    except (OSError, ValueError, RecursionError) as error:
        reason = f"it cannot be read: {error}"
    raise OutputError(f"{path}: expected statistics that this command wrote, {reason}; {MAKE_AGAIN}")
