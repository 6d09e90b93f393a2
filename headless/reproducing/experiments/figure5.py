"""Figure 5: scans labelled by networks that learned from generated clouds alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headless.reproducing.cloud_steps import cloud_test, clouds_of, point_network_on, score_of_clouds
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.experiments.table2 import COLUMNS
from headless.reproducing.findings import against
from headless.reproducing.real_clouds import real_test
from headless.reproducing.steps import Cell, Row, Step
from headless.reproducing.writing.report import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headless.reproducing.averages import Averaged
    from headless.reproducing.cache import Cache
    from headless.reproducing.setting import Setting
    from headless.reproducing.steps import Place

SCANS = {"scans": 0.0, "tilted scans": 10.0}
"""How far the up axes of the scans of each column lean, degrees."""
OTHERS = ("clean clouds", "whole surface")
TITLES = {"aligned": "trained for aligned clouds", "scans": "trained for scans"}


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """A row for each recipe and repetition, on all generated clouds of table 2."""
    found, count, sizes = [], setting.counts[-1], setting.scale.clouds
    for repetition in range(setting.repetitions):
        generated = clouds_of(setting, count, repetition, sizes)
        for recipe in ("aligned", "scans"):
            what = f"{sizes[-1]} clouds of {count} labels" + (" for scans" if recipe == "scans" else "")
            network = point_network_on(setting, what, generated, repetition, recipe=recipe)
            given = {"labels": count, "clouds": sizes[-1]}
            found.append(Row(recipe, TITLES[recipe], given, repetition, _cells(setting, network), seed=repetition))
    return found, []


def _cells(setting: Setting, network: Step) -> dict[str, Cell]:
    clean = score_of_clouds(setting, network)
    if setting.world is None:
        return {column: Cell(clean, entry) for column, entry in COLUMNS.items()}
    part = COLUMNS["part mIoU"]
    cells = {column: Cell(score_of_scans(setting, network, tilt_deg), part) for column, tilt_deg in SCANS.items()}
    of_surface = score_of_clouds(setting, network, real_test(setting, uniform=True))
    return cells | dict(zip(OTHERS, (Cell(clean, part), Cell(of_surface, part)), strict=True))


def score_of_scans(setting: Setting, network: Step, tilt_deg: float) -> Step:
    """A network's scores on simulated scans of the test clouds."""
    from headless.reproducing.scoring_scans import ScoreScansCall

    test, scale = cloud_test(setting), setting.scale

    def call(place: Place) -> Any:
        return ScoreScansCall(network=place(network), test=place(test), tilt_deg=tilt_deg, output=Path())

    title = f"{network.title}, scans" + (f" that lean by {tilt_deg:g} degrees" if tilt_deg else "")
    return Step("score-scans", title, (network, test), call, f"scans labelled by {scale.point_network}", scale.test_clouds)


def pictures(found: Sequence[Averaged], setting: Setting, cache: Cache) -> list[Picture]:
    """A few scans with their truth and what each row predicts of them."""
    if setting.world is None:
        return []
    from dnerf_core.demo.exact_worlds import exact_world
    from headless.pictures.cloud_pictures import clouds_beside
    from headless.reproducing.scoring_scans import shown_scans

    labels = exact_world(setting.world).labels
    result = []
    for column in SCANS:
        of_rows = [shown_scans(cache.place(entry.first.cells[column].step), setting.scale.test_clouds) for entry in found]
        clouds = [
            (f"scan {number + 1}", one[0].points, [one[0].truth, *(scan.predicted for scan in one)])
            for number, one in enumerate(zip(*of_rows, strict=True))
        ]
        title = f"Figure 5: {column}"
        png = clouds_beside(title, ("scan", "truth", *(entry.first.name for entry in found)), clouds, labels)
        caption = f"{title}, what the first seed of each row predicts; points without a true label are gray"
        result.append(Picture(f"figure5-{column.replace(' ', '-')}", caption, png))
    return result


def columns(setting: Setting) -> tuple[str, ...]:
    """Kinds of clouds of a world; of a user's own test its scores."""
    return tuple(COLUMNS) if setting.world is None else (*SCANS, *OTHERS)


FIGURE5 = Experiment(
    "figure5",
    "Figure 5: scans, labelled by networks that learned from generated clouds alone",
    (
        "Part mIoU as in table 2. Scans are simulated of the exact clouds that table 2 tests on: noise of 0.5% of the length, 4 holes that "
        "take 20%, 2% stray points, and a unit, an origin and a heading that nobody knows; tilted ones lean by 10 degrees, too. Clean "
        "clouds are those of table 2, and the whole surface has undersides, which no generated cloud shows.",
        "Both rows learn from the same generated clouds: for clouds that stand and face alike, and by the recipe for scans "
        "(train-pointnet --recipe).",
    ),
    tuple(TITLES),
    rows,
    columns,
    findings=against("scans", ("aligned",)),
    pictures=pictures,
)
