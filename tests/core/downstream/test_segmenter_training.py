"""Training a segmenter: it learns, goes on bit for bit after an interruption, and does on two processes what it does on one."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dnerf_core.downstream.images.augment import Augmentation, Augmenter
from dnerf_core.downstream.images.registry import build_network, logits
from dnerf_core.downstream.images.segmenter import Segmenter
from dnerf_core.downstream.images.sets.joined import JoinedSets, divide
from dnerf_core.downstream.images.sets.opening import open_set
from dnerf_core.downstream.images.stream import BatchNumbers, ChangedViews, batches
from dnerf_core.downstream.images.training import (
    SegmenterTraining,
    Step,
    Watch,
    learning_rate_at,
    train_segmenter,
    training_loss,
)
from dnerf_core.downstream.precision import Precision, measured_precision
from dnerf_core.downstream.processes import ALONE, Process, process_of_environment
from dnerf_core.downstream.sharing import joined, loss_of_all
from dnerf_core.errors import AnnotationError, OutputError, UsageError
from dnerf_core.metrics import confusion_matrix, pooled_scores
from tests.core.downstream.small_sets import LABELS, small_view, write_folder

FLOAT32 = Precision("float32")
SHORT = SegmenterTraining(steps=6, batch=4, learning_rate=3e-3, seed=5)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Of which the bits are the same each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("sets") / "cars", 6)


def views_of(folder: Path, seed: int = 5) -> ChangedViews:
    sets = JoinedSets([open_set(folder)])
    augmenter = Augmenter(Augmentation(32, scale=1.2), np.arange(256, dtype=np.uint8))
    return ChangedViews(sets, divide(sets, 0).trained, augmenter, seed)


def mini(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network("mini", LABELS.num_classes)


def test_it_learns(folder: Path) -> None:
    network = mini()
    training = SegmenterTraining(steps=40, batch=8, learning_rate=5e-3)
    trained = train_segmenter(network, views_of(folder), training, precision=FLOAT32)
    assert len(trained.losses) == 40 and not network.training
    segmenter = Segmenter(network, LABELS, 32)
    unseen = [small_view(9000 + number) for number in range(6)]
    scores = pooled_scores([confusion_matrix(mask, segmenter.predict(image)[0], 3) for image, mask in unseen])
    assert scores.miou > 0.6, scores


def same(first: nn.Module, second: nn.Module) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in first.state_dict().items())


def test_an_interrupted_training_goes_on_bit_for_bit(folder: Path) -> None:
    whole, states = mini(), []

    def keep(state: dict[str, Any]) -> None:
        states.append(copy.deepcopy(state))

    watch = Watch(save=keep, score=lambda network: 0.5, save_seconds=0)
    training = SegmenterTraining(steps=6, batch=4, learning_rate=3e-3, seed=5, score_every=2)
    trained = train_segmenter(whole, views_of(folder), training, precision=FLOAT32, watch=watch)
    assert trained.scores == [(2, 0.5), (4, 0.5), (6, 0.5)]
    state = next(state for state in states if 2 <= len(state["losses"]) < 6)
    resumed = mini(1)
    again = train_segmenter(
        resumed, views_of(folder), training, precision=FLOAT32, resume=state, watch=Watch(score=lambda network: 0.5)
    )
    assert again.losses == trained.losses and again.scores == trained.scores and same(whole, resumed)


@pytest.mark.parametrize("change", ["network", "optimizer", "losses", "steps"])
def test_another_training_s_state_is_refused(folder: Path, change: str) -> None:
    states: list[dict[str, Any]] = []
    train_segmenter(
        mini(),
        views_of(folder),
        SegmenterTraining(1, 2, 1e-3),
        precision=FLOAT32,
        watch=Watch(save=states.append, save_seconds=0),
    )
    state = states[0]
    if change == "steps":
        state["losses"] = [1.0] * 9
    else:
        state[change] = {"network": {"x": torch.zeros(1)}, "optimizer": {}, "losses": ["a"]}[change]
    with pytest.raises(OutputError, match="state of an interrupted training: expected"):
        train_segmenter(mini(), views_of(folder), SHORT, precision=FLOAT32, resume=state)


def test_every_step_is_heard_and_a_class_may_weigh_more(folder: Path) -> None:
    heard: list[Step] = []
    weighted = SegmenterTraining(2, 4, 1e-3, class_weights=(0.1, 2.0, 2.0))
    train_segmenter(mini(), views_of(folder), weighted, precision=FLOAT32, watch=Watch(step=heard.append))
    assert [(step.step, step.steps) for step in heard] == [(1, 2), (2, 2)]
    plain = train_segmenter(mini(), views_of(folder), SegmenterTraining(2, 4, 1e-3), precision=FLOAT32)
    assert heard[0].loss != plain.losses[0]


def test_the_loss_is_the_weighted_mean_over_pixels_that_count() -> None:
    scores, truth = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    truth[0, :2] = 255
    weights = torch.tensor([1.0, 2.0, 0.5])
    share, loss = loss_of_all(scores, truth, weights, 255, ALONE)
    expected = nn.functional.cross_entropy(scores, truth, weights, ignore_index=255)
    assert torch.allclose(loss, expected) and torch.allclose(share, expected)
    share, loss = loss_of_all(scores, torch.full((2, 4, 4), 255), None, 255, ALONE)
    assert float(loss) == 0 and float(share) == 0


def test_the_rate_rises_and_falls() -> None:
    for schedule, half in (("cosine", 0.5), ("poly", 0.5**0.9)):
        training = SegmenterTraining(1000, 4, 2.0, schedule)  # type: ignore[arg-type]
        rates = [learning_rate_at(training, step) for step in range(1000)]
        assert rates[0] == pytest.approx(2 / 30) and max(rates) == rates[29] == 2
        assert rates[515] == pytest.approx(2 * half) and rates[-1] < 0.01
    assert learning_rate_at(SegmenterTraining(1, 4, 2.0), 0) == 2


def test_processes_and_loaders_share_the_same_inputs(folder: Path) -> None:
    views = views_of(folder)
    assert sorted(views.view_of(number) for number in range(12)) == list(range(12))
    assert [views.view_of(n) for n in range(12)] != [views.view_of(n) for n in range(12, 24)]
    whole = list(BatchNumbers(range(2, 4), 4))
    assert whole == [[8, 9, 10, 11], [12, 13, 14, 15]]
    parts = [list(BatchNumbers(range(2, 4), 4, rank, 2)) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == whole
    here = list(batches(views, BatchNumbers(range(2), 4), 0, pinned=False))
    elsewhere = list(batches(views, BatchNumbers(range(2), 4), 2, pinned=False))
    for first, second in zip(here, elsewhere, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_view_that_goes_away_meanwhile_is_told_in_one_line(tmp_path: Path, workers: int) -> None:
    folder = write_folder(tmp_path / "cars", 3)
    views, path = views_of(folder), folder / "images" / "s0001_v00.png"
    path.unlink()
    with pytest.raises(AnnotationError) as caught:
        list(batches(views, BatchNumbers(range(2), 6), workers, pinned=False))
    assert str(caught.value).startswith(f"{path}: expected a file of the data set") and "\n" not in str(caught.value)


def test_the_faster_format_is_measured_and_nothing_changes() -> None:
    network = mini()
    before, generator = copy.deepcopy(network), torch.random.get_rng_state()
    found = measured_precision(network, training_loss, torch.zeros(2, 3, 32, 32))
    assert [name for name, _ in found.seconds] == ["float32", "bfloat16"]
    assert found.name == min(found.seconds, key=lambda row: row[1])[0]
    assert same(network, before) and torch.equal(torch.random.get_rng_state(), generator)


def test_bfloat16_learns_too(folder: Path) -> None:
    network = mini()
    trained = train_segmenter(network, views_of(folder), SegmenterTraining(12, 4, 5e-3), precision=Precision("bfloat16"))
    assert trained.losses[-1] < 0.8 * trained.losses[0]
    assert all(value.dtype == torch.float32 for value in network.parameters())


@pytest.mark.parametrize(
    ("environment", "process"),
    [
        ({}, ALONE),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Process(3, 8, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, ALONE),
    ],
)
def test_torchrun_s_environment_is_read(environment: dict[str, str], process: Process) -> None:
    assert process_of_environment(environment) == process


@pytest.mark.parametrize("texts", [("8", "8"), ("a", "2"), ("-1", "2")])
def test_a_strange_environment_is_refused(texts: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="RANK, WORLD_SIZE, LOCAL_RANK: expected numbers as torchrun sets them"):
        process_of_environment({"RANK": texts[0], "WORLD_SIZE": texts[1]})


def train_one_of_two(rank: int, folder: Path, results: Path) -> None:
    """At the module's top, which a process of its own finds."""
    torch.set_num_threads(1)
    process, network = Process(rank, 2, rank, results / "store"), mini()
    with joined(process, torch.device("cpu")):
        trained = train_segmenter(network, views_of(folder), SHORT, precision=FLOAT32, process=process)
    torch.save({"losses": trained.losses, "network": network.state_dict()}, results / f"{rank}.pt")


def test_two_processes_do_what_one_does(folder: Path, tmp_path: Path) -> None:
    """To rounding: the first losses agree to float32's digits, and the weights are the same in both processes bit for bit."""
    torch.multiprocessing.spawn(train_one_of_two, (folder, tmp_path), nprocs=2)
    network = mini()
    alone = train_segmenter(network, views_of(folder), SHORT, precision=FLOAT32)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first["losses"] == second["losses"]
    np.testing.assert_allclose(first["losses"], alone.losses, rtol=2e-3)
    np.testing.assert_allclose(first["losses"][:2], alone.losses[:2], rtol=2e-5)
    for name, value in network.state_dict().items():
        assert torch.equal(first["network"][name], second["network"][name]), name
        # Adam divides by the gradient's own size, so a rounded small gradient is a whole step of the rate: six of them at most
        assert torch.allclose(first["network"][name], value, rtol=2e-2, atol=6 * SHORT.learning_rate) or "running" in name, name


def listen_as_one_of_two(rank: int, results: Path) -> None:
    """At the module's top, which a process of its own finds."""
    own = Process(rank, 2, rank, results / "store")
    with joined(own, torch.device("cpu")):
        sockets = {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if os.path.lexists(entry)}
        listening = []
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                    listening.append(fields[1].split(":")[0])
        torch.distributed.barrier()
    (results / f"{rank}.txt").write_text(" ".join(listening))
    assert os.environ["GLOO_SOCKET_IFNAME"].startswith("lo")  # where a machine's own name may mean another interface


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="looks for ports in /proc")
def test_processes_of_this_machine_listen_for_nobody_else(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(listen_as_one_of_two, (tmp_path,), nprocs=2)
    heard = {address for rank in range(2) for address in (tmp_path / f"{rank}.txt").read_text().split()}
    assert heard == {"0100007F"}, "of the loopback interface alone"


def test_logits_are_of_every_size() -> None:
    network = mini().eval()
    with torch.inference_mode():
        for size in ((1, 1), (7, 33), (64, 48)):
            assert logits(network, torch.zeros(1, 3, *size)).shape == (1, 3, *size)
    assert sum(value.numel() for value in network.parameters()) < 1_000_000
    assert math.isfinite(training_loss(network, torch.zeros(1, 3, 8, 8)).item())
