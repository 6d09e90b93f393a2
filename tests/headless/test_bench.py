"""`dnerf-headless bench`: what it prints, and that its comparison sees a difference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.model import Model
from dnerf_core.subject import PartialView, Subject
from headless import cli
from headless.bench import claims, measuring
from headless.bench import models as bench_models
from headless.bench.claims import CLAIMS, Claim, Difference, difference, measure
from headless.bench.ran_on import RanOn
from tests.core.gnarf.cases import tiny_config, tiny_generator, worm_rig

UNPOSED = [claim.name for claim in CLAIMS if claim.motion is None]
SMALL = {claim.name: replace(claim, views=min(claim.views, 2), seeds=(0, 1), size_px=None, compared=0) for claim in CLAIMS}


@pytest.fixture
def tiny_bench(monkeypatch: pytest.MonkeyPatch, trained_model: Path) -> Model:
    """The claims on a tiny model that has a branch."""
    model = Model.load(trained_model)
    monkeypatch.setattr(claims, "CLAIMS", tuple(SMALL[name] for name in UNPOSED))
    monkeypatch.setattr(bench_models, "bench_model", lambda name, device: model)
    return model


def view(rgb: int, mask: int, depth: float) -> PartialView:
    """2 x 2 pixels, one of them background."""
    depths = np.full((2, 2), depth, np.float32)
    depths[0, 0] = np.inf
    return PartialView(np.full((2, 2, 3), rgb, np.uint8), np.array([[0, mask], [1, 1]], np.uint8), depths)


def test_difference_by_hand() -> None:
    pairs = [(view(10, 1, 2.0), view(12, 2, 2.5))]
    # one of four labels; 2 grey levels everywhere: 10 log10(255^2 / 4); 0.5 of a box of 5
    assert difference(pairs, 5.0) == Difference(0.75, pytest.approx(42.110, abs=1e-3), pytest.approx(0.1))
    assert difference([(view(9, 1, 1.0), view(9, 1, 1.0))], 5.0) == Difference(1.0, 99.0, 0.0)
    nothing = PartialView(None, None, None)
    assert difference([(nothing, nothing)], 5.0) == Difference(None, None, None)


def test_json_has_a_line_a_claim(tiny_bench: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--quick", "--json"]) == 0
    start, *lines, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (start["event"], start["machine"]) == ("start", RanOn.here("cpu").to_json())
    assert [line["name"] for line in lines] == summary["claims"] == UNPOSED
    assert {"labelled-view", "labels-only", "rgb-view", "demo-view"} <= set(summary["claims"])
    for line in lines:
        assert line["baseline_s"] > 0
        assert line["fast_s"] > 0
        assert line["ratio"] == pytest.approx(line["baseline_s"] / line["fast_s"], rel=0.1)
        assert line["rounds"] == 1
        claim = SMALL[line["name"]]
        assert (line["agreement"] is None) == ("mask" not in claim.channels)
        assert (line["psnr_db"] is None) == ("rgb" not in claim.channels)
        assert line["agreement"] is None or line["agreement"] > 0.99


def test_text_has_a_row_a_claim(tiny_bench: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--claim", "rgb-view", "--claim", "demo-further-view", "--quick"]) == 0
    head, *rows, machine = capsys.readouterr().out.splitlines()
    assert machine == RanOn.here("cpu").line
    assert head.split()[:3] == ["claim", "baseline", "baseline"]
    assert [row.split()[:2] for row in rows] == [["rgb-view", "literal"], ["demo-further-view", "exact"]]
    assert all(len(row) == len(head) for row in rows)


def test_views_of_a_subject_that_moves_take_a_pose_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = worm_rig()
    generator = tiny_generator(rig, tiny_config(rig, projector="closest"))
    save_model(tmp_path / "worm.safetensors", generator.config, generator.state_dict())
    model = Model.load(tmp_path / "worm.safetensors")
    taken: list[tuple[bool, bytes | None]] = []
    channels = Subject.channels

    def seen(self: Subject, *args: object, **words: object) -> PartialView:
        taken.append((self.model is model, None if self.pose is None else self.pose.numpy().tobytes()))
        return channels(self, *args, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(Subject, "channels", seen)
    motion = tmp_path / "bend.json"
    names = rig.template.names
    motion.write_text(json.dumps({"frames": [{"joints": {names[1]: [0.1 * number, 0, 0]}} for number in range(4)]}))
    literal = replace(SMALL["posed-view"], channels=("rgb", "depth"), motion=str(motion), seeds=(0,))
    found = measure(literal, model, 1, lambda: None)
    assert found.difference.psnr_db is not None
    assert found.difference.psnr_db > 40
    poses = [pose for _, pose in taken if pose is not None]
    assert len(poses) == len(set(poses)) == literal.views
    taken.clear()
    found = measure(
        replace(SMALL["posed-rigid"], channels=("rgb", "depth"), motion=str(motion), seeds=(0,)), model, 1, lambda: None
    )
    assert found.difference == Difference(None, None, None)  # it shows another picture
    assert [own for own, _ in taken].count(False) == literal.views
    assert {pose for own, pose in taken if not own} == {None}


def test_a_rigid_subject_is_the_moving_one_in_its_canonical_pose(tmp_path: Path) -> None:
    rig = worm_rig()
    generator = tiny_generator(rig, tiny_config(rig, projector="closest"))
    save_model(tmp_path / "worm.safetensors", generator.config, generator.state_dict())
    model = Model.load(tmp_path / "worm.safetensors")
    camera = arc_cameras(model.config.cameras, (0.3, 0.3), count=1)[0]
    own = model.subject(2).channels(camera, 32, ("rgb", "depth"))
    rigid = bench_models.rigid_model(model).subject(2).channels(camera, 32, ("rgb", "depth"))
    shown = difference([(own, rigid)], model.config.box_side)
    assert shown.psnr_db is not None
    assert shown.psnr_db > 40


def test_an_unknown_claim_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--claim", "warp-speed"]) == 2
    assert "--claim warp-speed: expected one of labelled-view, labels-only" in capsys.readouterr().err


@pytest.mark.parametrize("claim", [SMALL["labelled-view"], SMALL["demo-further-view"]], ids=lambda claim: claim.baseline)
def test_a_wrong_fast_path_shows(tiny_bench: Model, monkeypatch: pytest.MonkeyPatch, claim: Claim) -> None:
    right = measure(claim, tiny_bench, 1, lambda: None).difference
    channels = Subject.channels

    def wrong(self: Subject, *args: object, exact: bool | None = None) -> PartialView:
        found = channels(self, *args, exact=exact)  # type: ignore[arg-type]
        return found if exact else replace(found, mask=np.roll(found.mask, 9, axis=1), rgb=found.rgb // 2)  # type: ignore[arg-type, operator]

    monkeypatch.setattr(Subject, "channels", wrong)
    shown = measure(claim, tiny_bench, 1, lambda: None).difference
    assert shown.agreement is not None
    assert right.agreement is not None
    assert shown.agreement < 0.99 < right.agreement
    assert shown.psnr_db is not None
    assert shown.psnr_db < 30


def test_further_views_leave_the_first_out(tiny_bench: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: float(next(clock)))
    # each timed call takes one tick: 2 views a subject are half a tick each; the second alone is a whole one
    assert measure(replace(SMALL["demo-further-view"], further=False), tiny_bench, 1, lambda: None).fast_s == 0.5
    assert measure(SMALL["demo-further-view"], tiny_bench, 1, lambda: None).fast_s == 1.0


def test_peak_memory_sees_what_was_allocated() -> None:
    device = torch.device("cpu")
    measuring.start_peak(device)
    before = measuring.peak_mb(device)
    if before is None:
        pytest.skip("this system does not tell a process's peak memory")
    held = np.ones(2**25)  # 256 MiB
    after = measuring.peak_mb(device)
    del held
    assert after is not None
    assert 250 < after - before < 300
    measuring.start_peak(device)
    forgotten = measuring.peak_mb(device)
    assert forgotten is not None
    assert forgotten < after - 200
