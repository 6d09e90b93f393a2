"""Between the host and a device: one copy each way, through memory that a CUDA device reads and writes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def uploaded(array: NDArray[Any], device: torch.device | str, dtype: torch.dtype = torch.float32) -> Tensor:
    """A copy of an array on a device; the host does not wait for a CUDA device to have it."""
    tensor = torch.tensor(np.asarray(array), dtype=dtype, device="cpu")
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    # pinned memory is not used for anything else before the copy is done: torch's allocator sees to that
    return tensor.pin_memory().to(device, non_blocking=True)


def downloaded(tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Tensors of one device as arrays of the same shapes and types; a CUDA device is waited for once, for all of them."""
    if not tensors or not tensors[0].is_cuda:
        return [tensor.cpu().numpy() for tensor in tensors]
    packed = torch.cat([tensor.detach().contiguous().flatten().view(torch.uint8) for tensor in tensors])
    host = torch.empty(packed.shape, dtype=torch.uint8, device="cpu", pin_memory=True)
    host.copy_(packed, non_blocking=True)
    torch.cuda.current_stream(packed.device).synchronize()
    data, start, arrays = host.numpy(), 0, []
    for tensor in tensors:
        end = start + tensor.numel() * tensor.element_size()
        # copied out, so that a view that is kept holds no pinned memory
        arrays.append(data[start:end].copy().view(_numpy_type(tensor.dtype)).reshape(tensor.shape))
        start = end
    return arrays


def _numpy_type(dtype: torch.dtype) -> np.dtype[Any]:
    return torch.empty(0, dtype=dtype, device="cpu").numpy().dtype
