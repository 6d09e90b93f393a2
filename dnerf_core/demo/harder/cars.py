"""A batch of the harder world's cars, traced as the demo's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnerf_core.demo.car_paint import part_labels, shaded, surface_albedo
from dnerf_core.demo.car_parameters import CarParameters
from dnerf_core.demo.car_shape import ShapeFields, car_shape, shape_fields
from dnerf_core.demo.harder.equipment import LABELS, Equipment, draw_equipment
from dnerf_core.demo.harder.paint import Paint, draw_paint, sheet_metal
from dnerf_core.demo.harder.styles import draw_parameters, draw_style
from dnerf_core.demo.world import Cars

_KEY = 18061
"""Keeps this world's chance apart from that of every other use of a seed."""


@dataclass(frozen=True, eq=False)
class HarderCars(Cars):
    """B cars of seeds; see `Cars`.

    Attributes:
        equipment, paints: of each car.
        styles: names of their body styles.
    """

    equipment: tuple[Equipment, ...] = ()
    paints: tuple[Paint, ...] = ()
    styles: tuple[str, ...] = ()

    @classmethod
    def from_seeds(cls, seeds: Sequence[int]) -> HarderCars:
        """The cars of some seeds; a car is a function of its seed alone."""
        parameters, equipment, paints, styles = [], [], [], []
        for seed in seeds:
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((_KEY, seed))))
            style = draw_style(rng)
            one = draw_parameters(style, rng)
            parameters.append(one)
            equipment.append(draw_equipment(style, one, car_shape(one), rng))
            paints.append(draw_paint(one, rng))
            styles.append(style.name)
        names = list(vars(parameters[0]))
        columns = CarParameters(**{name: torch.cat([getattr(one, name) for one in parameters]) for name in names})
        return cls(columns, car_shape(columns), tuple(equipment), tuple(paints), tuple(styles))

    def __getitem__(self, index: slice) -> HarderCars:
        cars = super().__getitem__(index)
        return HarderCars(cars.parameters, cars.shape, self.equipment[index], self.paints[index], self.styles[index])

    @property
    def half_extents(self) -> Tensor:
        """Half sizes of a box round the origin that holds the cars, `[B, 3]`; what stands on a roof makes it higher below, too."""
        reach = torch.tensor([one.reach for one in self.equipment])
        return torch.maximum(super().half_extents, reach)

    def _total(self, points: Tensor) -> Tensor:
        return torch.minimum(shape_fields(self.shape, points).total, self._nearest(points)[0])

    def _nearest(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and kind of, the nearest piece of equipment, both `[B, N]`."""
        nearest = [one.nearest(points[index]) for index, one in enumerate(self.equipment)]
        return torch.stack([distance for distance, _ in nearest]), torch.stack([kind for _, kind in nearest])

    def _labels(self, fields: ShapeFields, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Parts with equipment, parts of the car alone, and the kind of the piece at a point, -1 where there is none."""
        parts = part_labels(self.shape, fields, points)
        distance, kind = self._nearest(points)
        on_piece = distance < fields.total
        of_piece = torch.tensor([LABELS[number] for number in sorted(LABELS)], dtype=torch.uint8, device=points.device)[kind]
        return torch.where(on_piece, of_piece, parts), parts, torch.where(on_piece, kind, -1)

    def _labelled(self, on_surface: Tensor) -> Tensor:
        return self._labels(shape_fields(self.shape, on_surface), on_surface)[0]

    def _painted(self, on_surface: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        fields = shape_fields(self.shape, on_surface)
        labels, parts, kind = self._labels(fields, on_surface)
        body, pieces = [], []
        for index, paint in enumerate(self.paints):
            one = self.shape if len(self) == 1 else self[index : index + 1].shape
            body.append(sheet_metal(paint, one, on_surface[index : index + 1], parts[index : index + 1]))
            pieces.append(paint.pieces[kind[index].clamp(min=0)])
        tints = torch.stack([paint.glass_tint for paint in self.paints])[:, None]
        albedo = surface_albedo(self.parameters, self.shape, fields, on_surface, torch.cat(body), tints)
        albedo = torch.where((kind >= 0)[..., None], torch.stack(pieces), albedo)
        light = torch.stack([paint.light for paint in self.paints])[..., None]
        return shaded(albedo, self.shape, on_surface, normals, light), labels
