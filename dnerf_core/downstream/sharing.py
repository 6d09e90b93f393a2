"""Several processes that train one network, each on its part of every batch.

Results are those of one process up to rounding: gradients are of the whole batch's loss, and batch normalisation is over the whole batch.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.downstream.processes import Process
from dnerf_core.errors import UsageError

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: the first one scores meanwhile."""


@contextmanager
def joined(process: Process, device: torch.device) -> Iterator[None]:
    """Meanwhile this process works with the others.

    Raises:
        UsageError: they do not find each other.
    """
    if process.count == 1:
        yield
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    where = "env://" if process.store is None else f"file://{process.store}"
    if process.store is not None:
        _stay_on_this_machine()
    try:
        dist.init_process_group(backend, where, timeout=PATIENCE, rank=process.rank, world_size=process.count)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"processes: expected {process.count} that find each other, found none ({reason}); start them again"
        ) from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def _stay_on_this_machine() -> None:
    """Processes that one program started talk over the loopback interface: nobody else reaches the ports that they listen on."""
    for _, name in socket.if_nameindex():
        if name.startswith("lo"):
            for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
                os.environ.setdefault(variable, name)
            return


def shared(network: nn.Module, process: Process, device: torch.device) -> nn.Module:
    """The network as one that all processes train: call it, and keep the given one for its weights, which are the same tensors.

    `with_synced_norms` comes before.
    """
    if process.count == 1:
        return network
    places: dict[str, Any] = {"device_ids": [device.index]} if device.type == "cuda" else {}
    return nn.parallel.DistributedDataParallel(network, **places)


def with_synced_norms(network: nn.Module, process: Process, device: torch.device) -> nn.Module:
    """The network with batch normalisation over the whole batch of all processes, its weights and their names as they are."""
    if process.count == 1:
        return network
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return converted
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SyncedBatchNorm2d  # its parameters and buffers stay the same objects
    return network


def sum_of_all(value: Tensor, process: Process) -> Tensor:
    """The sum over all processes, without a gradient."""
    if process.count == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total


class _SumOfAll(torch.autograd.Function):
    """The sum over all processes; the gradient of what all of them make of it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class _SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose mean and variance are over the batches of all processes: torch's own is for GPUs alone."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.float()
        count = sum_count(x)
        mean = _sum_of_all(x.sum(dim=(0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = _sum_of_all(centred.square().sum(dim=(0, 2, 3))) / count
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        scaled = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        return (scaled * self.weight[:, None, None] + self.bias[:, None, None]).to(input.dtype)


def _sum_of_all(value: Tensor) -> Tensor:
    total: Tensor = _SumOfAll.apply(value)
    return total


def sum_count(x: Tensor) -> int:
    """How many values a channel of [B, C, H, W] has in all processes together."""
    count = torch.tensor(float(x.numel() // x.shape[1]))
    dist.all_reduce(count)
    return int(count)


def loss_of_all(scores: Tensor, truth: Tensor, weights: Tensor | None, ignored: int, process: Process) -> tuple[Tensor, Tensor]:
    """Cross-entropy weighted over the pixels of all processes.

    Args:
        scores: [B, C, H, W] before softmax.
        truth: int64 [B, H, W].
        weights: float32 [C]; None: every class weighs 1.
        ignored: an id of `truth` that does not count.

    Returns:
        What to call `backward` on, whose gradient, averaged over processes, is that of the whole batch's loss; and that loss.
    """
    share = F.cross_entropy(scores, truth, weights, ignore_index=ignored, reduction="sum")
    counted = truth[truth != ignored]
    weight = weights[counted].sum() if weights is not None else counted.new_tensor(counted.numel(), dtype=torch.float32)
    totals = sum_of_all(torch.stack([share.detach().float(), weight.float()]), process)
    whole = totals[1].clamp(min=torch.finfo(torch.float32).tiny)
    return share * (process.count / whole), totals[0] / whole
