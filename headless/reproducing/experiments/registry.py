"""The experiments by name."""

from __future__ import annotations

from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.experiments.foundation import FOUNDATION
from headless.reproducing.experiments.line_textures import LINE_TEXTURES
from headless.reproducing.experiments.saturation import SATURATION
from headless.reproducing.experiments.table1 import TABLE1
from headless.reproducing.experiments.table2 import TABLE2

EXPERIMENTS: dict[str, Experiment] = {entry.name: entry for entry in (TABLE1, TABLE2, LINE_TEXTURES, SATURATION, FOUNDATION)}
