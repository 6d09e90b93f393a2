"""The device that is not there: what it notes, and that it notes nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dnerf_core.work.transfers import downloaded, uploaded
from tests.device.audit import DEVICE, no_device


def made() -> torch.Tensor:
    return torch.arange(4.0, device=DEVICE)


WAITS: dict[str, Callable[[], object]] = {
    "a number": lambda: float(made().sum()),
    "a truth": lambda: bool(made().any()),
    "a list": lambda: made().tolist(),
    "places": lambda: torch.nonzero(made() > 1),
    "a mask": lambda: made()[made() > 1],
    "written by a mask": lambda: made().index_put_((made() > 1,), made()[:1]),
    "a copy to the host": lambda: made().cpu(),
    "numbers from a list": lambda: torch.tensor([1.0, 2.0], device=DEVICE),
    "numbers like another's": lambda: made().new_tensor([1.0, 2.0]),
    "an index of the host": lambda: made()[torch.tensor([0, 1])],
    "copies by counts": lambda: made().repeat_interleave(made().long()),
    "counts": lambda: torch.bincount(made().long()),
    "a comparison": lambda: torch.equal(made(), made()),
    "pageable memory that is not waited for": lambda: torch.ones(2).to(DEVICE, non_blocking=True),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_host_waits(name: str) -> None:
    with no_device() as log:
        WAITS[name]()
    assert len(log.of("wait")) == 1, log.table()
    assert log.of("mixed", "numpy") == []


QUIET: dict[str, Callable[[], object]] = {
    "arithmetic": lambda: (made() * 2 + made()[1]).cumsum(0),
    "a number of the host": lambda: made() + torch.tensor(2.0),
    "an index of its own": lambda: made()[made().long()],
    "a choice": lambda: torch.where(made() > 1, made(), 0.0),
    "copies of a known number": lambda: made().repeat_interleave(made().long(), output_size=6),
    "pinned memory": lambda: torch.ones(2).pin_memory().to(DEVICE, non_blocking=True),
}


@pytest.mark.parametrize("name", QUIET)
def test_the_host_does_not_wait(name: str) -> None:
    with no_device() as log:
        QUIET[name]()
    assert log.of("wait", "mixed", "numpy") == []


def test_mixed_devices_are_noted_where_they_happen() -> None:
    with no_device() as log:
        made() + torch.ones(4)
    [event] = log.events
    assert event.kind == "mixed" and "add" in event.what


def test_arrays_of_device_tensors_are_refused_and_noted() -> None:
    with no_device() as log:
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            made().numpy()
        assert [event.kind for event in log.events] == ["numpy"]


def test_gradients_go_through_and_numbers_are_the_cpus() -> None:
    layer = torch.nn.Linear(4, 3)
    expected = layer(torch.arange(4.0)).square().sum()
    expected.backward()
    gradient = layer.weight.grad
    with no_device() as log:
        there = torch.nn.Linear(4, 3)
        there.load_state_dict(layer.state_dict())
        there = there.to(DEVICE)
        loss = there(made()).square().sum()
        loss.backward()
        assert there.weight.grad is not None and there.weight.grad.is_cuda
        assert gradient is not None and torch.equal(there.weight.grad.held, gradient)  # type: ignore[attr-defined]
    assert log.of("mixed", "numpy") == []


def test_one_copy_each_way() -> None:
    """Of three tensors of three types, with their shapes and values."""
    with no_device() as log:
        tensors = [made().view(2, 2), (made() > 1), made().byte()]
        log.events.clear()
        arrays = downloaded(tensors)
        assert [event.kind for event in log.events] == ["download", "wait"]
        log.events.clear()
        back = uploaded(arrays[0], DEVICE)
        assert [event.kind for event in log.events] == ["upload"]
        assert back.is_cuda
    assert arrays[0].tolist() == [[0.0, 1.0], [2.0, 3.0]] and arrays[0].dtype.name == "float32"
    assert arrays[1].tolist() == [False, False, True, True] and arrays[2].dtype.name == "uint8"
    assert all(array.flags.writeable and array.flags.aligned for array in arrays)


def test_nothing_is_left_behind() -> None:
    tensor, wrapped = torch.tensor, torch.cuda.current_stream
    with no_device():
        assert torch.tensor is not tensor
    assert torch.tensor is tensor and torch.cuda.current_stream is wrapped
    assert not torch.__future__.get_overwrite_module_params_on_conversion()
