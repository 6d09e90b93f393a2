"""The experiments by name."""

from __future__ import annotations

from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.experiments.figure5 import FIGURE5
from headless.reproducing.experiments.foundation import FOUNDATION
from headless.reproducing.experiments.line_textures import LINE_TEXTURES
from headless.reproducing.experiments.saturation import SATURATION
from headless.reproducing.experiments.table1 import TABLE1
from headless.reproducing.experiments.table2 import TABLE2
from headless.reproducing.experiments.table3 import TABLE3
from headless.reproducing.experiments.table4 import TABLE4
from headless.reproducing.experiments.table5 import TABLE5

EXPERIMENTS: dict[str, Experiment] = {
    entry.name: entry for entry in (TABLE1, TABLE2, TABLE3, TABLE4, TABLE5, FIGURE5, LINE_TEXTURES, SATURATION, FOUNDATION)
}
