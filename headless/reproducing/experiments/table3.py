"""Table 3: a benchmark of clouds, augmented with generated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core.errors import counted
from headless.reproducing.cloud_steps import clouds_of, point_network_on, score_of_clouds
from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.experiments.table2 import COLUMNS
from headless.reproducing.findings import difference_sentences, differences
from headless.reproducing.real_clouds import real_clouds, real_counts, real_test
from headless.reproducing.steps import Cell, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headless.reproducing.averages import Averaged
    from headless.reproducing.setting import Setting
    from headless.reproducing.steps import Given, Step

_UNIFORM = "whole surface, "
TITLES = {"generated": "generated clouds alone", "real": "real clouds alone", "real+generated": "real and generated clouds"}


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """Rows of generated clouds alone, and for each number of real ones of these with and without them."""
    found, count, most = [], setting.counts[-1], setting.scale.clouds[-1]
    for repetition in range(setting.repetitions):
        generated = clouds_of(setting, count, repetition, setting.scale.clouds)
        alone = point_network_on(setting, f"{counted(most, 'cloud')} of {count} labels", generated, repetition)
        found.append(_row(setting, "generated", {"real": 0, "generated": most}, repetition, alone, alone))
        sizes = real_counts(setting)
        for size in sizes:
            kinds = (False, True) if setting.world is not None and size in (sizes[0], sizes[-1]) else (False,)
            networks = {
                name: [_network(setting, size, more, repetition, uniform=uniform) for uniform in kinds]
                for name, more in (("real", []), ("real+generated", generated))
            }
            for name, (network, *of_surface) in networks.items():
                given = {"real": size, "generated": most if name == "real+generated" else 0}
                found.append(_row(setting, name, given, repetition, network, *of_surface))
    return found, []


def _network(setting: Setting, size: int, generated: Sequence[Step | Given], repetition: int, *, uniform: bool) -> Step:
    """A network that learns from so many real clouds, which come as often as the generated ones beside them."""
    real = real_clouds(setting, size, repetition, uniform=uniform)
    what = f"{size} real{' uniform' if uniform else ''} {'clouds' if size > 1 else 'cloud'}"
    if not generated:
        return point_network_on(setting, what, real, repetition)
    most = setting.scale.clouds[-1]
    repeat = (max(1, round(most / size)),) * len(real) + (1,) * len(generated)
    return point_network_on(setting, f"{what} and {most} generated", [*real, *generated], repetition, repeat=repeat)


def _row(
    setting: Setting, name: str, given: dict[str, int], repetition: int, network: Step, of_surface: Step | None = None
) -> Row:
    cells = {column: Cell(score_of_clouds(setting, network, real_test(setting)), entry) for column, entry in COLUMNS.items()}
    if setting.world is not None and of_surface is not None:
        step = score_of_clouds(setting, of_surface, real_test(setting, uniform=True))
        cells |= {_UNIFORM + column: Cell(step, entry) for column, entry in COLUMNS.items()}
    return Row(name, TITLES[name], given, repetition, cells, seed=repetition)


def columns(setting: Setting) -> tuple[str, ...]:
    """Scores on clouds that are scanned, and of a world those of its whole surface."""
    return (*COLUMNS, *((_UNIFORM + column for column in COLUMNS) if setting.world is not None else ()))


def findings(found: Sequence[Averaged]) -> list[str]:
    """What generated clouds add to each number of real ones."""
    alone, augmented = (
        {entry.first.given["real"]: entry for entry in found if entry.first.name == name} for name in ("real", "real+generated")
    )
    return [
        sentence
        for real, entry in augmented.items()
        if real in alone
        for sentence in difference_sentences(
            f"{counted(entry.first.given['generated'], 'generated cloud')} beside {counted(real, 'real one')}",
            differences(entry, alone[real]),
        )
    ]


TABLE3 = Experiment(
    "table3",
    "Table 3: a benchmark of point clouds, augmented with generated ones",
    (
        "Scores on clouds as in table 2, of networks that learned as many steps from a few real clouds, from generated ones by the branch "
        "of the most labels, or from both, where the real ones are repeated so that they are half of what the network sees.",
        "Of a world, the real clouds are exact ones of subjects of their own, scanned from views all around as generated ones are. The "
        "columns of the whole surface are another benchmark, whose clouds to learn from and to be tested on are spread over all of the "
        "surface, undersides and wheel wells too, which generated clouds never show; of the fewest and of the most real "
        "ones.",
    ),
    tuple(TITLES),
    rows,
    columns,
    axes=("real",),
    findings=findings,
)
