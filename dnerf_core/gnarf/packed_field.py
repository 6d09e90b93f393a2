"""The radiance field of one posed subject, packed for inference, and its density grid round the posed body."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from dnerf_core.generator.eg3d import Decoder
from dnerf_core.generator.packed_field import FoldedDecoder, PackedField
from dnerf_core.gnarf.field import voided
from dnerf_core.gnarf.planes import BodyPlanes, Warp
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.packed.planes import PackedPlanes, Taps
from dnerf_core.rendering.volume import VOID
from dnerf_core.work.transfers import uploaded

if TYPE_CHECKING:
    from dnerf_core.rendering.sample_reading import Samples

NODES_AT_ONCE = 2**16
"""Nodes of a density grid that are carried and read at once: bounds memory."""
BLOCK = 4
"""Nodes a side of the blocks of a density grid that are looked at by their middles first."""


@dataclass(frozen=True, eq=False)
class BodyTaps(Taps):
    """What N points read of packed planes, and which of them are void, bool [N]."""

    void: Tensor

    def select(self, keep: Tensor) -> BodyTaps:
        """The points that `keep` (index or mask) names."""
        return BodyTaps(self.rows[keep], self.weights[keep], self.void[keep])


@dataclass(frozen=True, eq=False)
class PackedBodyField:
    """The field: canonical planes, packed as EG3D's are, and the warp of one pose."""

    canonical: PackedField
    warp: Warp

    @classmethod
    def pack(cls, planes: BodyPlanes, decoder: Decoder) -> PackedBodyField:
        """Of one subject."""
        if "packed" not in planes.prepared:
            field = planes.config.triplane
            folded = FoldedDecoder.fold(decoder.net[0], decoder.net[2], len(field.plane_axes))
            planes.prepared["packed"] = PackedField.pack(planes.canonical.triplane, folded, field)
        return cls(planes.prepared["packed"], planes.warp)

    @property
    def planes(self) -> PackedPlanes:
        """The canonical planes, as fused kernels ask for them; see `kernels.fields.PlaneField`, as the next four."""
        return self.canonical.planes

    @property
    def decoder(self) -> FoldedDecoder:
        """The canonical one."""
        return self.canonical.decoder

    @property
    def color_activation(self) -> Literal["sigmoid"]:
        """The canonical one."""
        return self.canonical.color_activation

    def placed(self, samples: Samples) -> tuple[Samples, Tensor]:
        """Samples carried to the canonical pose, each by itself, and which of them are void."""
        place, void = self.warp(samples.points().t(), None)
        still, start = torch.zeros_like(place).t().contiguous(), place.new_zeros(len(place), 1)
        return dataclasses.replace(samples, origins=place.t().contiguous(), directions=still, distances=start, place=None), void

    def without_void(self, raw_density: Tensor, void: Tensor) -> Tensor:
        """Raw densities without what is void."""
        return voided(raw_density, void)

    @property
    def color_channels(self) -> int:
        """Those of a plane."""
        return self.canonical.color_channels

    def taps(self, points: Tensor) -> BodyTaps:
        """Taps of points [3, N], world frame."""
        place, void = self.warp(points.t(), None)
        taps = self.canonical.taps(place.t())
        return BodyTaps(taps.rows, taps.weights, void)

    def hidden(self, taps: BodyTaps) -> Tensor:
        """Hidden activations [N, 64] of points' taps."""
        return self.canonical.decoder.hidden(self.canonical.planes.read(taps))

    def raw_density(self, hidden: Tensor, taps: BodyTaps) -> Tensor:
        """Raw density [N]."""
        return voided(self.canonical.decoder.raw_density(hidden), taps.void)

    def colors(self, hidden: Tensor) -> Tensor:
        """Colour features [N, C]."""
        return self.canonical.colors(hidden)

    def table(self, pictures: Tensor) -> PackedPlanes:
        """Pictures [P, R, R, C] of the side of the planes, to be read with their taps."""
        return self.canonical.table(pictures)

    def density_grid(self, nodes: int, longest_ray: float, inset: float | None) -> DensityGrid:
        """The density grid with `nodes` nodes an axis of a cube round what rays can meet of the posed body; see `DensityGrid.build`.

        Where rays are cut by the clip mesh they meet nothing outside of its bounding box. Nodes there are void, but for those next to it;
        nor is a node void that lies less than a cell past the body's reach, so that cells which the reach cuts are interpolated whole.
        """
        bounds = torch.stack(self._bounds())
        low, high = bounds.cpu()  # the only numbers of a pose that the host has to know
        raw = bounds.new_full((nodes + 2,) * 3, -VOID)
        if not bool((low.isfinite() & high.isfinite()).all()):  # a pose beyond all numbers: nothing of it can be seen
            return DensityGrid.build(raw, self.warp.config.box_side, longest_ray, inset)
        middle, side = (low + high) / 2, float((high - low).max())
        cell = side / nodes
        axis = (torch.arange(-1, nodes + 1, dtype=low.dtype, device=low.device) + 0.5) * cell - side / 2
        inside = [((axis + middle[k] > low[k] - cell) & (axis + middle[k] < high[k] + cell)).nonzero()[:, 0] for k in range(3)]
        places = [axis[index] + middle[k] for k, index in enumerate(inside)]
        *places, middle = _brought([*places, middle], bounds.device)
        points, spare = torch.cat(list(_node_points(places))), math.sqrt(3) * cell
        if points.is_cuda:  # a search of each node takes less than to wait until the host knows which are near
            within = torch.cat([self._density(some, spare) for some in points.split(NODES_AT_ONCE)])
        else:
            within = points.new_full((len(points),), -VOID)
            for some in self._near_body(places, cell, spare).split(NODES_AT_ONCE):
                within[some] = self._density(points[some], spare)
        first, last = ([int(index[end]) for index in inside] for end in (0, -1))
        raw[first[2] : last[2] + 1, first[1] : last[1] + 1, first[0] : last[0] + 1] = within.view(*(len(x) for x in places[::-1]))
        return DensityGrid.build(raw, side, longest_ray, inset, middle)

    def _bounds(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest corner [3] of the box that holds all that rays can meet."""
        config, body = self.warp.config, self.warp.bodies[0]
        if config.warp.mask == "mesh":
            return body.clip.amin(dim=0), body.clip.amax(dim=0)
        half = body.clip.new_full((3,), (config.triplane.box_warp if config.warp.mask == "cube" else config.box_side) / 2)
        return -half, half

    def _near_body(self, places: list[Tensor], cell: float, spare: float) -> Tensor:
        """Which of the nodes of the places along x, y and z may not be void, index int64, as `_node_points` has them.

        Of a block of nodes none is within reach where its middle is farther off than the reach and half the block's diagonal.
        """
        x, y, z = (len(axis) for axis in places)
        every = torch.arange(x * y * z, device=places[0].device)
        settings = self.warp.config.warp
        if settings.projector != "closest" or settings.reach is None:
            return every
        middles = [torch.stack([axis[k : k + BLOCK].mean() for k in range(0, len(axis), BLOCK)]) for axis in places]
        half = math.sqrt(3) / 2 * (BLOCK - 1) * cell
        points = torch.cat(list(_node_points(middles)))
        wider = dataclasses.replace(settings, reach=settings.reach + spare + half)
        _, void = Warp(self.warp.bodies, dataclasses.replace(self.warp.config, warp=wider))(points, None)
        kept = ~void.view(*(len(axis) for axis in middles[::-1]))
        for dim, count in enumerate((z, y, x)):
            kept = kept.repeat_interleave(BLOCK, dim).narrow(dim, 0, count)
        return every[kept.flatten()]

    def _density(self, points: Tensor, spare: float) -> Tensor:
        """Raw density [N] at points [N, 3], void where the body is farther than its reach and `spare`."""
        settings = self.warp.config.warp
        wider = settings if settings.reach is None else dataclasses.replace(settings, reach=settings.reach + spare)
        warp = Warp(self.warp.bodies, dataclasses.replace(self.warp.config, warp=wider))
        place, void = warp(points, None)
        if points.is_cuda:
            read = self.canonical.hidden(self.canonical.taps(place.t()))
            return self.canonical.decoder.raw_density(read).masked_fill_(void, -VOID)
        near = (~void).nonzero()[:, 0]
        read = self.canonical.hidden(self.canonical.taps(place[near].t()))
        return place.new_full((len(place),), -VOID).index_copy_(0, near, self.canonical.decoder.raw_density(read))


def _brought(parts: list[Tensor], device: torch.device) -> list[Tensor]:
    """Numbers of the host on a device, as one copy."""
    joined = uploaded(torch.cat(parts).numpy(), device, parts[0].dtype)
    return list(joined.split([len(part) for part in parts]))


def _node_points(places: list[Tensor]) -> Iterator[Tensor]:
    """Points [N, 3] of the grid of places along x, y and z, z slowest and x fastest, some layers at a time."""
    x, y, z = places
    for layers in z.split(max(1, NODES_AT_ONCE // (len(x) * len(y)))):
        deep, down, across = torch.meshgrid(layers, y, x, indexing="ij")
        yield torch.stack([across, down, deep], dim=-1).reshape(-1, 3)
