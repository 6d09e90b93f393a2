"""Simulated scans: exact labels stay with their points, and noise, holes, strays and frame are what the options say."""

from __future__ import annotations

import numpy as np
import pytest

from dnerf_core.demo.scans import ScanOptions, about_level_axis, about_up, in_holes, simulated_scan
from dnerf_core.errors import UsageError
from tests.core.downstream.cloud_cases import block

PLAIN = ScanOptions(noise=0, missing=0, outliers=0, units=(1, 1), centre=0, any_heading=False)


def test_a_scan_without_faults_is_the_cloud_of_size_1_in_another_order() -> None:
    points, labels = block(0, 500)
    scan = simulated_scan(points, labels, np.random.default_rng(0), PLAIN)
    low, high = points.min(axis=0), points.max(axis=0)
    expected = (points - (low + high) / 2) / (high - low).max()
    np.testing.assert_allclose(scan.points, expected[scan.source], atol=1e-6)
    assert sorted(scan.source.tolist()) == list(range(500)) and (scan.labels == labels[scan.source]).all()


def test_labels_stay_with_their_points_and_strays_have_none() -> None:
    points, labels = block(0, 4000)
    scan = simulated_scan(points, labels, np.random.default_rng(1))
    known = scan.source >= 0
    assert known.sum() == 3200 and (~known).sum() == 64  # a fifth is missing, 2% of the rest besides
    assert (scan.labels[known] == labels[scan.source[known]]).all() and (scan.labels[~known] == 255).all()
    assert len(set(scan.source[known].tolist())) == 3200


def test_the_frame_is_unknown_and_a_similarity() -> None:
    points, labels = block(0, 300)
    options = ScanOptions(noise=0, missing=0, outliers=0, tilt_deg=10)
    sizes = []
    for seed in range(6):
        scan = simulated_scan(points, labels, np.random.default_rng(seed), options)
        own, theirs = points[scan.source], scan.points.astype(np.float64)
        ratio = np.linalg.norm(theirs[1:] - theirs[0], axis=1) / np.linalg.norm(own[1:] - own[0], axis=1)
        np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-2)
        sizes.append(ratio.mean())
        solved = np.linalg.lstsq(own - own.mean(axis=0), (theirs - theirs.mean(axis=0)) / ratio.mean(), rcond=None)[0].T
        assert np.degrees(np.arccos(solved[1, 1])) == pytest.approx(10, abs=0.2) and np.linalg.det(solved) > 0.9
    assert max(sizes) / min(sizes) > 10


def test_holes_are_as_many_and_as_large_as_they_should_be() -> None:
    points, _ = block(0, 1000)
    gone = in_holes(points, ScanOptions(missing=0.3, patches=1), np.random.default_rng(0))
    assert gone.sum() == 300
    inside = points[gone]
    middle = inside[np.linalg.norm(inside[:, None] - inside[None], axis=-1).max(axis=1).argmin()]
    assert np.linalg.norm(points[~gone] - middle, axis=1).min() > 0.1


def test_rotations_are_what_they_say() -> None:
    np.testing.assert_allclose(about_up(np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    leaned = about_level_axis(0.7, np.radians(10)) @ [0, 1, 0]
    assert np.degrees(np.arccos(leaned[1])) == pytest.approx(10)


@pytest.mark.parametrize(
    "more", [{"noise": -1}, {"missing": 0.95}, {"outliers": 2}, {"patches": 0}, {"units": (0, 1)}, {"tilt_deg": 91}]
)
def test_options_out_of_range_are_refused(more: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        ScanOptions(**more)
