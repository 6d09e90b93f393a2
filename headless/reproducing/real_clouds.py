"""Steps of clouds that nobody generated: exact ones of a world's subjects, or those of a user's own benchmark, to train on and to test.

Subjects that stand for real ones are apart from painted, tested and generated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnerf_core.errors import counted
from headless.reproducing.benchmark_clouds import BenchmarkCall, Part, check_benchmark
from headless.reproducing.cloud_steps import cloud_test, clouds_of
from headless.reproducing.painted import TEST_SEED, of_seed
from headless.reproducing.setting import Setting, known_world
from headless.reproducing.steps import Given, Place, Step

REAL_SEED = 50_000
"""The first subject of repetition 0 that stands for a real one."""
REAL_SEEDS = 5_000
"""Each repetition has so many of them."""
SCANNED_PX = 128
"""Side of the views that exact clouds to train on are scanned from: they have fifty times as many pixels as points are kept."""


def real_counts(setting: Setting) -> tuple[int, ...]:
    """How many real clouds the rows of table 3 learn from: the scale's numbers, as far as a user's own benchmark has so many."""
    counts = setting.scale.real_clouds
    if setting.test is None:
        return counts
    from headless.annotating.painted import read_painted

    assert setting.annotated is not None  # given with the test
    labels = read_painted((Path(setting.annotated.value),), skip_unpainted=True).labels
    most = check_benchmark(Path(setting.test.value), labels, setting.call.category, setting.call.parts)
    return tuple(dict.fromkeys(min(count, most) for count in counts))


def real_clouds(setting: Setting, count: int, repetition: int, *, uniform: bool = False) -> list[Step]:
    """So many real clouds in blocks; those of fewer are among those of more.

    Args:
        uniform: spread over the whole surface, instead of scanned from views.
    """
    if setting.test is not None:
        return [_of_benchmark(setting, "train", count, repetition)]
    scale = setting.scale
    sizes = sorted({*scale.real_clouds} if uniform else {*scale.real_clouds, *scale.exact_clouds})
    first = REAL_SEED + REAL_SEEDS * repetition
    begins = [0, *sizes[:-1]]
    return [
        _exact(setting, range(first + begin, first + end), uniform, f" as real ones{of_seed(repetition)}", SCANNED_PX)
        for begin, end in zip(begins, sizes, strict=True)
        if end <= count
    ]


def real_test(setting: Setting, *, uniform: bool = False) -> Step | Given:
    """The clouds that table 3 tests on: a world's as table 2 does, or of the whole surface of the same subjects, or a benchmark's own."""
    if setting.test is not None:
        return _of_benchmark(setting, "test", None, 0)
    if uniform:
        return _exact(setting, range(TEST_SEED, TEST_SEED + setting.scale.test_clouds), uniform, "", None)
    return cloud_test(setting)


def _exact(setting: Setting, seeds: Sequence[int], uniform: bool, words: str, size_px: int | None) -> Step:
    from headless.runs.downstream.world import WorldCall

    world, points, chosen = known_world(setting), 2 * setting.scale.points, tuple(seeds)

    def call(place: Place) -> Any:
        if uniform:
            return WorldCall(world=world, seeds=chosen, uniform_clouds=True, points=points, formats=("npz",))
        return WorldCall(world=world, seeds=chosen, clouds=True, points=points, resolution=size_px, formats=("npz",))

    kind = "uniform" if uniform else "exact"
    unit = "uniform clouds" if uniform else f"exact clouds of views at {size_px} px"
    return Step("world", f"{counted(len(chosen), f'{kind} cloud')}{words}", (), call, unit, len(chosen))


def _of_benchmark(setting: Setting, part: Part, count: int | None, repetition: int) -> Step:
    test, call_of = setting.test, setting.call
    assert test is not None
    generated = clouds_of(setting, setting.counts[-1], repetition, setting.scale.clouds)[0]

    def call(place: Place) -> Any:
        return BenchmarkCall(
            folder=place(test),
            generated=place(generated),
            part=part,
            count=count,
            category=call_of.category,
            parts=call_of.parts,
            seed=repetition,
            output=Path(),
        )

    what = (
        "clouds of the benchmark to test on"
        if count is None
        else f"{counted(count, 'cloud')} of the benchmark{of_seed(repetition)}"
    )
    return Step("benchmark", what, (test, generated), call, "clouds of a benchmark", count or 1)
