"""A CUDA device that is not there: tensors that say `cuda:0` and hold their numbers on the CPU, and what they write down.

Everything runs as it would on a device, branches on `is_cuda` included, and each of these is noted with its place in the code:

- *mixed*: an operation on tensors of both kinds, which a device refuses;
- *numpy*: a device tensor's numbers asked for as an array, which torch refuses;
- *wait*: the host waits for all that the device has still to do: a number, a copy out of or into pageable memory, an operation
  whose result's size depends on the numbers, a stream that is synchronised;
- *upload* and *download*: copies, whether they wait or not.

The operations that wait are those of torch's CUDA sources; that of a kernel of a library is not seen. Kernels are the CPU's, so the numbers
are as well, but for the branches that are taken.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("cuda:0")
"""Whose index is named, because a torch without CUDA cannot look up the current one."""

CAPABILITY = (9, 0)
"""Compute capability of the device that is not there."""

INSIDE = ("cuda", "meta")
"""What such tensors say they are on: `cuda` to Python, `meta` within torch, since one without CUDA knows no guard for it."""

ROOT = Path(__file__).resolve().parents[2]

Kind = Literal["mixed", "numpy", "wait", "upload", "download"]

SIZED_BY_NUMBERS = {"nonzero", "masked_select", "bincount", "_unique2", "unique_dim", "unique_consecutive"}
"""Operations whose result's size the host has to know."""

READ_BY_HOST = {"_local_scalar_dense", "equal", "is_nonzero"}

CHECKED_BY_HOST = {
    "_linalg_eigh",
    "_linalg_svd",
    "_linalg_solve_ex",
    "linalg_inv_ex",
    "linalg_cholesky_ex",
    "linalg_lu_factor_ex",
}
"""Decompositions, of which cuSOLVER's verdict is looked at."""

INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_"}


class Event(NamedTuple):
    """What happened, where (file:line of the innermost two frames of the project), and by which operation."""

    kind: Kind
    place: str
    what: str


@dataclass
class Log:
    """What was noted."""

    events: list[Event] = field(default_factory=list)

    def note(self, kind: Kind, what: str) -> None:
        """Write an event down."""
        self.events.append(Event(kind, _place(), what))

    def of(self, *kinds: Kind) -> list[Event]:
        """The events of some kinds."""
        return [event for event in self.events if event.kind in kinds]

    def table(self, *kinds: Kind) -> str:
        """Events, a line each with how often."""
        counted = Counter(self.of(*kinds) if kinds else self.events)
        return "\n".join(f"{times:4d} x {kind:8} {place}  {what}" for (kind, place, what), times in sorted(counted.items()))


class OnDevice(Tensor):
    """A tensor that says it is on the device; `held` has its numbers."""

    held: Tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        with torch._C._DisableTorchDispatch():
            shell = torch.empty_strided(held.shape, held.stride(), dtype=held.dtype, device="meta")
        made: OnDevice = Tensor._make_subclass(cls, shell)
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _current().run(func, args, kwargs or {})

    device = property(lambda self: DEVICE)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"OnDevice({self.held})"

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def new_tensor(self, data: Any, **options: Any) -> Tensor:
        return torch.tensor(data, **{"dtype": self.dtype, "device": DEVICE, **options})

    def tolist(self) -> Any:
        _current().log.note("wait", "tolist")
        return self.held.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        _current().log.note("numpy", "numpy")
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, dtype: Any = None) -> Any:
        _current().log.note("numpy", "__array__")
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class _Mode(TorchDispatchMode):
    """Sees what is made or moved, and what runs on plain tensors."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log, self.pinned = log, set[int]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """An operation, on the CPU."""
        name = func._overloadpacket.__name__
        if name == "device":
            return DEVICE
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        held = [x for x in tensors if isinstance(x, OnDevice)]
        asked = kwargs.get("device")
        to_device = None if asked is None else torch.device(asked).type in INSIDE
        if name in ("_pin_memory", "pin_memory"):
            return self._pin(args[0].clone())
        if name == "is_pinned":
            return self._is_pinned(args[0])
        if name == "_to_copy":
            on_device = self._copied(args[0], to_device, bool(kwargs.get("non_blocking")))
        elif name == "copy_":
            self._copied_into(args[0], args[1], bool(args[2] if len(args) > 2 else kwargs.get("non_blocking")))
            on_device = isinstance(args[0], OnDevice)
        else:
            on_device = bool(held) if to_device is None else to_device
            self._watch(name, args, kwargs, tensors, held)
        pinned = kwargs.get("pin_memory")
        plain = {key: value for key, value in kwargs.items() if key != "pin_memory"}
        if asked is not None:
            plain["device"] = torch.device("cpu")
        plain.pop("non_blocking", None) if name == "_to_copy" else None
        result = func(*tree_map(_held, args), **tree_map(_held, plain))
        if on_device:
            own = {id(x.held): x for x in held}
            return tree_map(lambda x: _wrapped(x, own), result)
        return self._pin(result) if pinned else result

    def _pin(self, made: Tensor) -> Tensor:
        self.pinned.add(made.untyped_storage().data_ptr())
        return made

    def _is_pinned(self, tensor: Tensor) -> bool:
        return not isinstance(tensor, OnDevice) and tensor.untyped_storage().data_ptr() in self.pinned

    def _copied(self, source: Tensor, to_device: bool | None, non_blocking: bool) -> bool:
        """Note a copy that makes a tensor; whether it is on the device."""
        was = isinstance(source, OnDevice)
        now = was if to_device is None else to_device
        if was and not now:
            self.log.note("download", f"{source.dtype} {list(source.shape)}")
            if not non_blocking:
                self.log.note("wait", "copy to the host")
        if now and not was:
            self._upload(source, non_blocking)
        return now

    def _copied_into(self, target: Tensor, source: Tensor, non_blocking: bool) -> None:
        if isinstance(target, OnDevice) and not isinstance(source, OnDevice):
            self._upload(source, non_blocking)
        elif isinstance(source, OnDevice) and not isinstance(target, OnDevice):
            self.log.note("download", f"{source.dtype} {list(source.shape)}")
            if not (non_blocking and self._is_pinned(target)):
                self.log.note("wait", "copy to the host")

    def _upload(self, source: Tensor, non_blocking: bool) -> None:
        self.log.note("upload", f"{source.dtype} {list(source.shape)}")
        if not (non_blocking and self._is_pinned(source)):
            self.log.note("wait", "copy from pageable memory")

    def _watch(self, name: str, args: Any, kwargs: dict[str, Any], tensors: list[Tensor], held: list[OnDevice]) -> None:
        """Note what an operation that is no copy makes the host wait for, and mixed devices."""
        if not held:
            return
        apart = [x for x in tensors if not isinstance(x, OnDevice) and x.dim() > 0]
        if name in INDEXED:
            indices = [x for x in args[1] if isinstance(x, Tensor)]
            if any(x.dtype in (torch.bool, torch.uint8) for x in indices):
                self.log.note("wait", f"{name} by a mask")
            for index in indices:
                if not isinstance(index, OnDevice) and isinstance(args[0], OnDevice):
                    self._upload(index, False)  # torch itself brings an index over
            apart = [x for x in apart if all(x is not index for index in indices)]
        if apart:
            self.log.note("mixed", f"{name} with a CPU tensor {[list(x.shape) for x in apart]}")
        if name in READ_BY_HOST | SIZED_BY_NUMBERS | CHECKED_BY_HOST or _sizes_itself(name, args, kwargs):
            self.log.note("wait", name)


def _sizes_itself(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether this is `repeat_interleave` of counts that is not told the size of its result."""
    return name == "repeat_interleave" and len(args) == 1 and kwargs.get("output_size") is None


def _held(x: Any) -> Any:
    return x.held if isinstance(x, OnDevice) else x


def _wrapped(x: Any, own: dict[int, OnDevice]) -> Any:
    """What an operation gave, on the device; what it wrote into is the tensor that it was given."""
    if not isinstance(x, Tensor):
        return x
    return own[id(x)] if id(x) in own else OnDevice(x)


_MODES: list[_Mode] = []
_LOCK = threading.Lock()


def _current() -> _Mode:
    assert _MODES, "a tensor of the device that is not there was used after the audit"
    return _MODES[-1]


def _place() -> str:
    frame, found = sys._getframe(2), list[str]()
    while frame is not None and len(found) < 2:
        path = frame.f_code.co_filename
        if path.startswith((f"{ROOT}/dnerf_core/", f"{ROOT}/headless/")):
            found.append(f"{path[len(str(ROOT)) + 1 :]}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found) or "the test"


@contextmanager
def no_device() -> Iterator[Log]:
    """The device that is not there, and what is noted meanwhile; of one thread."""
    log = Log()
    mode = _Mode(log)
    made: Callable[..., Tensor] = torch.tensor

    def tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
        plain = made(data, **options)
        return plain if device is None else plain.to(device)

    stream = SimpleNamespace(synchronize=lambda: log.note("wait", "stream"), cuda_stream=0)
    cuda: dict[str, Any] = {
        "_lazy_init": lambda: None,
        "current_device": lambda: 0,
        "get_device_capability": lambda device=None: CAPABILITY,
        "current_stream": lambda device=None: stream,
        "synchronize": lambda device=None: log.note("wait", "device"),
    }
    lifted, overwrites = torch._C._only_lift_cpu_tensors(), torch.__future__.get_overwrite_module_params_on_conversion()
    with _LOCK, ExitStack() as stack:
        for name, replacement in cuda.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, replacement))
        stack.enter_context(mock.patch.object(torch, "tensor", tensor))
        stack.enter_context(_warp_on_the_cpu())
        torch._C._set_only_lift_cpu_tensors(True)
        # a module's parameter would else keep its type, and only its inside would be of the device
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        _MODES.append(mode)
        try:
            with mode:
                yield log
        finally:
            _MODES.pop()
            torch._C._set_only_lift_cpu_tensors(lifted)
            torch.__future__.set_overwrite_module_params_on_conversion(overwrites)


@contextmanager
def _warp_on_the_cpu() -> Iterator[None]:
    """Warp takes the numbers that tensors of the device hold; it launches on torch's stream and waits for nothing."""
    from dnerf_core.gnarf.warp import mesh_queries

    real = mesh_queries.wp
    stand_in = SimpleNamespace(
        **{name: getattr(real, name) for name in ("Mesh", "int32", "vec3", "quat")},
        from_torch=lambda tensor, dtype=None: real.from_torch(_held(tensor), dtype=dtype),
        device_from_torch=lambda device: real.device_from_torch(torch.device("cpu")),
        stream_from_torch=lambda stream: None,
        launch=lambda kernel, *, dim, inputs, device, stream=None: real.launch(kernel, dim=dim, inputs=inputs, device=device),
    )
    with mock.patch.object(mesh_queries, "wp", stand_in):
        yield
