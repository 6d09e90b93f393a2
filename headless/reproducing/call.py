"""What one call of `reproduce` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnerf_core import job_ranges
from dnerf_core.ranges import Choice, Ranged, Whole, ranged
from headless.reproducing.scales import SCALES

EXPERIMENT_NAMES = ("table1", "table2", "table3", "table4", "table5", "figure5", "s10", "s12", "s13")
WITHOUT_TEST = ("table4", "table5")
"""Experiments that need no test set of a user: they cross-validate the painted folder."""
OF_PICTURES = ("table1", "s10", "s12", "s13")
"""Experiments whose networks label pictures."""
ALL = "all"
WORLD_NAMES = ("demo-cars", "demo-people")
ROW_NAMES: tuple[str, ...] = (
    *("painted", "transfer", "transfer-stages", "transfer-resnet101"),
    *("datasetgan", "datasetnerf", "datasetnerf-photographs", "exact"),
    *("generated", "real", "real+generated", "aligned", "scans"),
    *("last-scale", "all-scales", "no-density-prior", "density-prior", "views"),
    *("truth", "segmented", "dinov2"),
)
MAX_REPETITIONS = 10


@dataclass(frozen=True, kw_only=True)
class ReproduceCall(Ranged):
    """What one call of `reproduce` asks for.

    Attributes:
        experiment: one of `EXPERIMENT_NAMES`, or all.
        world: whose model and exact truth are used, unless `model_name` names a user's own.
        annotations: numbers of painted views; None: the scale's.
        seeds: repetitions of each row; None: the scale's.
        only: rows by name; None: all that there are.
        model_name, annotated, test: a user's own, all three of them, instead of a world; experiments of `WITHOUT_TEST` take no test.
        category, parts: of a user's own benchmark of clouds: which of ShapeNetPart's categories, and labels by the numbers of its parts.
        foundation: weights of DINOv2 in timm's layout, for s13; None: its row is left out.
        resnet: weights of ResNet101, or of DeepLabV3 with it, as torchvision publishes them, for table 1; None: its row is left out.
    """

    experiment: str
    world: str = ranged(Choice(WORLD_NAMES, "demo-cars", "Take the model of this world, whose exact truth is known."))
    scale: str = ranged(Choice(tuple(SCALES), "small", "Make it this large: for two cores, a small GPU, or as the paper has it."))
    annotations: tuple[int, ...] | None = None
    seeds: int | None = ranged(Whole(1, MAX_REPETITIONS, None, "Repeat every row with N seeds, and tell mean and spread."))
    only: tuple[str, ...] | None = None
    model_name: str | None = None
    annotated: Path | None = None
    test: Path | None = None
    category: str | None = None
    parts: tuple[tuple[int, str], ...] | None = None
    foundation: Path | None = None
    resnet: Path | None = None
    output: Path = Path("dnerf-report")
    dry_run: bool = ranged(job_ranges.OFF)
    device: str = ranged(job_ranges.DEVICE)
