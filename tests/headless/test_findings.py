"""What a report says of differences: leads as leads, ties as ties, and of one seed neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from headless.reproducing.averages import Averaged
from headless.reproducing.experiments import table3
from headless.reproducing.findings import against, both, differences, growth
from headless.reproducing.steps import Row

TITLES = {"datasetnerf": "DatasetNeRF", "painted": "painted pictures alone", "exact": "exact truth"}
TITLES |= {"real": "real clouds alone", "real+generated": "real and generated clouds", "generated": "generated clouds alone"}


def averaged(name: str, given: dict[str, int], **columns: dict[int, float]) -> Averaged:
    """A row whose values are known, by columns and repetitions."""
    rows = tuple(Row(name, TITLES[name], given, repetition, {}, repetition) for repetition in range(3))
    return Averaged(rows, columns)


def values(*found: float) -> dict[int, float]:
    return dict(enumerate(found))


def test_leads_and_ties_are_told_seed_by_seed() -> None:
    ours = averaged("datasetnerf", {"labels": 90}, a=values(0.9, 0.8, 0.7), b=values(0.5, 0.6, 0.7), c=values(0.1, 0.1, 0.2))
    # a: each seed is 0.02 to 0.04 above although seeds themselves lie 0.2 apart
    theirs = averaged("painted", {"labels": 90}, a=values(0.88, 0.77, 0.66), b=values(0.4, 0.7, 0.7), c=values(0.3, 0.3, 0.5))
    (sentence,) = against("datasetnerf", ("painted",))([ours, theirs])
    assert sentence == (
        "DatasetNeRF of 90 labels against painted pictures alone: higher: a +0.030 ± 0.010; lower: c -0.233 ± 0.058; "
        "tied: b +0.000 ± 0.100"
    )


def test_a_mean_as_large_as_the_deviation_is_a_tie() -> None:
    ours, theirs = averaged("datasetnerf", {}, a=values(1.0, 3.0)), averaged("painted", {}, a=values(0.0, 0.0))
    (found,) = differences(ours, theirs)
    assert found.score.mean == 2.0 and found.score.spread == pytest.approx(2**0.5) and found.kind == "higher"
    ours = averaged("datasetnerf", {}, a=values(0.0, 2.0))
    (found,) = differences(ours, theirs)
    assert found.score.mean < found.score.spread and found.kind == "tied"


def test_one_seed_is_neither() -> None:
    ours, theirs = averaged("datasetnerf", {"labels": 9}, a=values(0.9)), averaged("painted", {"labels": 9}, a=values(0.8))
    assert against("datasetnerf", ("painted",))([ours, theirs]) == [
        "DatasetNeRF of 9 labels against painted pictures alone: a +0.100"
    ]


def test_only_what_both_have_is_compared() -> None:
    ours = averaged("datasetnerf", {"labels": 9}, a={0: 0.9, 1: 0.9, 2: 0.9}, b=values(1.0))
    theirs = averaged("painted", {"labels": 9}, a={1: 0.8, 2: 0.8}, c=values(1.0))
    (found,) = differences(ours, theirs)
    assert found.column == "a" and len(found.score.values) == 2
    assert against("datasetnerf", ("painted",))([averaged("datasetnerf", {"labels": 9}), theirs]) == []


def test_rows_of_as_many_labels_are_compared_and_those_without_with_all() -> None:
    found = [
        averaged(name, given, a=values(0.5, 0.6))
        for name, given in [
            ("datasetnerf", {"labels": 9}),
            ("datasetnerf", {"labels": 90}),
            ("painted", {"labels": 90}),
            ("exact", {}),
        ]
    ]
    sentences = against("datasetnerf", ("painted", "exact"))(found)
    assert [sentence.split(":")[0] for sentence in sentences] == [
        "DatasetNeRF of 9 labels against exact truth",
        "DatasetNeRF of 90 labels against painted pictures alone",
        "DatasetNeRF of 90 labels against exact truth",
    ]


def test_growth_is_from_each_size_to_the_next() -> None:
    found = [
        averaged("datasetnerf", {"labels": 90, "clouds": size}, a=values(0.1 * size, 0.1 * size + 0.01)) for size in (1, 2, 4)
    ]
    assert growth("clouds")(found) == [
        "DatasetNeRF of 90 labels and 2 clouds against 1 cloud: higher: a +0.100 ± 0.000",
        "DatasetNeRF of 90 labels and 4 clouds against 2 clouds: higher: a +0.200 ± 0.000",
    ]


def test_growth_on_several_axes_is_told_of_each() -> None:
    found = [
        *(averaged("datasetnerf", {"labels": 90, "pairs": size}, a=values(0.1 * size)) for size in (1, 2)),
        *(averaged("exact", {"clouds": size}, b=values(0.2 * size)) for size in (1, 3)),
    ]
    assert both(growth("pairs", "clouds"), growth("labels"))(found) == [
        "DatasetNeRF of 90 labels and 2 pairs against 1 pair: a +0.100",
        "exact truth of 3 clouds against 1 cloud: b +0.400",
        "DatasetNeRF of 90 labels and 2 pairs against 1 pair: a +0.100",
    ]


def test_what_generated_clouds_add_is_told_for_each_number_of_real_ones() -> None:
    found = [
        averaged("generated", {"real": 0, "generated": 100}, a=values(0.9, 0.9)),
        averaged("real", {"real": 4, "generated": 0}, a=values(0.8, 0.81)),
        averaged("real+generated", {"real": 4, "generated": 100}, a=values(0.85, 0.86)),
        averaged("real", {"real": 30, "generated": 0}, a=values(0.95, 0.95)),
        averaged("real+generated", {"real": 30, "generated": 100}, a=values(0.94, 0.95)),
    ]
    assert table3.findings(found) == [
        "100 generated clouds beside 4 real ones: higher: a +0.050 ± 0.000",
        "100 generated clouds beside 30 real ones: tied: a -0.005 ± 0.007",
    ]


def test_no_module_of_findings_has_figures_of_its_own() -> None:
    """Sentences come from rows; a goal or a figure in the code would be told whatever was measured."""
    import headless.reproducing.findings as module

    text = Path(module.__file__).read_text("utf-8")
    assert "0.0" not in text.replace("+0.031 ± 0.004", "")
