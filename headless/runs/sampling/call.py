"""What a call of `sample` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnerf_core import job_ranges
from dnerf_core.ranges import ranged
from headless.datasets.spacing import DISTRIBUTION, Spacing
from headless.runs.poses import PosedCall
from headless.runs.shared_calls import SubjectViewsCall, WeighedCall


@dataclass(frozen=True, kw_only=True)
class SampleCall(SubjectViewsCall, PosedCall, WeighedCall):
    """What one call of `sample` asks for; None: what `docs/cli.md` says of an option that is not given.

    Attributes:
        labels: what is painted: names of parts, or a labels.json.
    """

    subjects: int | None = ranged(job_ranges.SAMPLED_SUBJECTS)
    view_distribution: Spacing | None = ranged(DISTRIBUTION)
    labels: tuple[str, ...] | Path | None = None
    truth: bool = ranged(job_ranges.OFF)
    output: Path = Path("dnerf-annotate")
