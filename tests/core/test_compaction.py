"""Picking out some of many: places, the room for them, and views whose samples had to fit into one."""

from __future__ import annotations

import pytest
import torch

from dnerf_core.inversion.descent import numbers_in_room
from dnerf_core.rendering.visible import render_visible
from dnerf_core.rendering.volume import RayBundle
from dnerf_core.work.compaction import Room, true_places


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_places_are_those_of_nonzero(share: float) -> None:
    mask = torch.rand(1000, generator=torch.Generator().manual_seed(1)) < share
    expected = mask.nonzero()[:, 0]
    assert torch.equal(true_places(mask, len(expected)), expected)
    assert torch.equal(true_places(mask, 1200)[: len(expected)], expected)
    assert (true_places(mask, 1200)[len(expected) :] == 1000).all()


def test_a_room_grows_with_what_is_found() -> None:
    room = Room()
    mask = torch.arange(100_000) < 3000
    assert len(room.places(mask)) == 4096 and not room.was_short(3000)
    assert len(room.places(torch.arange(100_000) < 10_000)) == 4096
    assert int(room.found) == 10_000 and room.was_short(10_000)
    assert len(room.places(mask)) == 16384 and not room.was_short(3000)
    # of another number there is another room, which is never more than all
    assert len(room.places(torch.ones(5000, dtype=torch.bool))) == 5000


def test_a_step_that_was_short_is_made_once_more() -> None:
    room, found = Room(), iter([3000, 3000, 9000, 9000])
    made = []

    def look() -> tuple[torch.Tensor, int]:
        made.append(len(room.places(torch.arange(100_000) < next(found))))
        return torch.tensor([float(len(made))]), len(made)

    assert numbers_in_room(room, look)[1:] == (1, [1.0])
    assert numbers_in_room(room, look)[1:] == (2, [2.0])
    assert numbers_in_room(room, look)[1:] == (4, [4.0])  # the third had room for 4096 of 9000
    assert made == [4096, 4096, 4096, 12288]


def test_a_view_in_a_room_is_the_view_and_has_its_gradients() -> None:
    rng = torch.Generator().manual_seed(2)
    count = 40
    origins = torch.randn(count, 3, generator=rng, dtype=torch.float64) * 0.1
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=rng, dtype=torch.float64), dim=1)
    start, end = origins.new_full((count,), 0.1), origins.new_full((count,), 2.0)
    weight = torch.randn(3, 4, generator=rng, dtype=torch.float64).requires_grad_()

    def density(points: torch.Tensor, subject: torch.Tensor | None) -> torch.Tensor:
        return 6 * torch.sin(4 * points @ weight)[:, 0]

    def both(points: torch.Tensor, subject: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        return density(points, subject), torch.cos(points @ weight)

    hit = torch.arange(count) % 5 != 0
    seen = []
    for room in (None, Room()):
        rays = RayBundle(origins, directions, start, end)
        if room is None:
            met = hit.nonzero()[:, 0]
            part = render_visible(density, both, rays.select(met), 16, 16)
            values, opacity, total = part.values, part.opacity, part.weight.sum()
        else:
            whole = render_visible(density, both, rays, 16, 16, room=room, hit=hit)
            assert len(whole.ray) == min(4096, count * 32) and (whole.ray.diff() >= 0).all()
            values, opacity, total = whole.values[hit], whole.opacity[hit], whole.weight.sum()
            assert (whole.values[~hit] == 0).all()
        (values.square().sum() + opacity.sum() + total).backward()
        seen.append((values.detach(), opacity.detach(), total.detach(), weight.grad))
        weight.grad = None
    for one, other in zip(*seen, strict=True):
        assert one is not None and other is not None
        torch.testing.assert_close(one, other)
