"""Where commands meet the engine: which file a model argument means, what is inside it, and the model on its device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dnerf_core.embedded import model_path
from dnerf_core.errors import UsageError

if TYPE_CHECKING:
    from dnerf_core.model import Model


def pick_device(requested: str) -> str:
    """The torch device for `--device`: "cpu" or "cuda".

    Raises:
        UsageError: "cuda" is asked for and torch sees none.
    """
    import torch

    available = torch.cuda.is_available()
    if requested == "cuda" and not available:
        raise UsageError(
            "--device cuda: expected a CUDA device, torch sees none; use --device cpu, or see `dnerf-headless doctor`"
        )
    return "cuda" if available and requested != "cpu" else "cpu"


def load_model(name_or_path: str, device: str, *, exact: bool = False) -> Model:
    """The model on `device` ("auto", "cpu" or "cuda"); `exact` as `Model.load`.

    Raises:
        UsageError: the device is not there.
        CheckpointError: no such model, or its file cannot be used.
    """
    chosen = pick_device(device)
    from dnerf_core.model import Model

    return Model.load(model_path(name_or_path), device=chosen, exact=exact)


@contextmanager
def one_thread_a_view() -> Iterator[None]:
    """Meanwhile torch computes each call in the thread that makes it, and several views side by side take the cores instead.

    Sums that are split among threads round differently with each number of them; like this a view's bytes depend on none.
    """
    with threads_a_view(1):
        yield


@contextmanager
def threads_a_view(count: int) -> Iterator[None]:
    """Meanwhile torch splits each call among so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
