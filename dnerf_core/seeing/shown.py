"""What a view shows, where it was made, and its one way to the host."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.work.transfers import downloaded


@dataclass(frozen=True, eq=False)
class Shown:
    """Channels of a view, see `rendering.labeled_view.PartialView`; None for what was not asked for.

    Attributes:
        short: see `RawView`; any number of them.
    """

    rgb: Tensor | None = None
    mask: Tensor | None = None
    depth_planar: Tensor | None = None
    uncertainty: Tensor | None = None
    coverage: Tensor | None = None
    short: tuple[Tensor, ...] = ()

    def on_host(self) -> tuple[dict[str, NDArray[Any] | None], bool]:
        """The channels by their names, and whether the view has to be made once more; a device is waited for once."""
        channels = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "short"}
        shown = [name for name, tensor in channels.items() if tensor is not None]
        arrays = downloaded([*(channels[name] for name in shown), *self.short])
        flags = arrays[len(shown) :]
        found: dict[str, NDArray[Any] | None] = dict.fromkeys(channels)
        found.update(zip(shown, arrays, strict=False))
        return found, any(bool(flag) for flag in flags)
