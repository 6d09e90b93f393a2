"""Scores in words, and what is told of poor ones."""

from __future__ import annotations

from typing import Any

import pytest

from headless.searches.likeness import POOR_MIOU, POOR_PSNR_DB, POOR_TAKEN, poor_edit, poor_likeness, score_text


def scores(psnr_db: float | None = None, miou: float | None = None) -> dict[str, Any]:
    return {"psnr_db": psnr_db, "miou": miou, "yaw_deg": -12.345, "pitch_deg": 8.0}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (scores(psnr_db=28.44), "PSNR 28.4 dB"),
        (scores(miou=0.91249), "mIoU 0.912"),
        (scores(psnr_db=3.0, miou=0.5), "mIoU 0.500"),
        (scores(), "the very same picture"),
    ],
)
def test_scores_in_words(given: dict[str, Any], text: str) -> None:
    assert score_text(given) == f"{text}, yaw -12.3, pitch 8.0 degrees"


@pytest.mark.parametrize("good", [scores(psnr_db=POOR_PSNR_DB), scores(miou=POOR_MIOU), scores()])
def test_a_good_likeness_is_no_matter(good: dict[str, Any]) -> None:
    assert poor_likeness("demo-cars", good) is None


@pytest.mark.parametrize(
    ("poor", "found", "expected"),
    [
        (scores(psnr_db=POOR_PSNR_DB - 0.1), f"PSNR {POOR_PSNR_DB - 0.1:.1f} dB", f"{POOR_PSNR_DB:g} dB"),
        (scores(miou=POOR_MIOU - 0.01), f"mIoU {POOR_MIOU - 0.01:.3f}", f"{POOR_MIOU:g}"),
        (scores(miou=0.0), "mIoU 0.000", f"{POOR_MIOU:g}"),
    ],
)
def test_a_poor_likeness_says_what_was_found_and_expected(poor: dict[str, Any], found: str, expected: str) -> None:
    told = poor_likeness("demo-cars", poor)
    assert told is not None and "\n" not in told
    assert told.startswith(
        f"the best likeness is poor, {found}, yaw -12.3, pitch 8.0 degrees, expected {expected} or more; it may be nothing that demo-cars"
    )


def test_an_edit_that_was_not_taken_says_so() -> None:
    assert poor_edit("demo-cars", POOR_TAKEN) is None
    told = poor_edit("demo-cars", 0.021)
    assert told is not None and "\n" not in told
    assert told.startswith("2% of the repainted pixels took their label, expected 50% or more; demo-cars may make nothing of")
