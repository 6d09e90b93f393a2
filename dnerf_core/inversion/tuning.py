"""Pivotal tuning (Roich et al., ACM TOG 2022): the generator's weights are fine-tuned about a found latent, which stays.

What a latent cannot say of one picture, the weights then say. The tuned weights are for that subject alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dnerf_core.backbone.registry import family_of
from dnerf_core.camera import Camera
from dnerf_core.inversion.descent import Viewpoint, numbers_in_room, room_on
from dnerf_core.inversion.objectives import PictureObjective
from dnerf_core.inversion.view import SeenView
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.work.interruption import checkpoint

RATE = 1e-3
"""Adam's learning rate; it falls along a cosine."""


def tune(
    model: LoadedModel,
    ws: Tensor,
    camera: Camera,
    objective: PictureObjective,
    steps: int,
    report: Callable[[int, float, Tensor], bool],
    pose: Tensor | None = None,
) -> tuple[dict[str, Tensor], list[float]]:
    """Tune the generator to a picture from a camera; the model is left as it is.

    Args:
        ws: [1, num_ws, w_dim], the pivot.
        report: called with (steps done, lowest loss so far, this step's image [3, R, R]); False ends it.
        pose: [1, *pose_shape], the subject's; None: the family's usual one, or it has none.

    Returns:
        The tuned tensors at the lowest loss, by their names in the generator's state, and the losses.
    """
    own, frozen = dict(model.generator.named_parameters()), family_of(model.config).unseen_by_views
    tuned = model.with_generator_tensors({name: p.detach().clone() for name, p in own.items() if not name.startswith(frozen)})
    moved = {name: p for name, p in tuned.generator.named_parameters() if not name.startswith(frozen)}
    for parameter in moved.values():
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(moved.values(), lr=RATE, betas=(0.9, 0.99))
    viewpoint = Viewpoint(tuned, camera, pose)
    angles = ws.new_zeros(1, 2)
    side_px, room = model.config.rays.neural_resolution, room_on(model.device)

    def look() -> tuple[Tensor, SeenView]:
        seen = viewpoint.see(ws, angles, side_px, room=room)
        return objective.loss(seen, full=True), seen

    lowest, kept, losses = math.inf, {name: p.detach().clone() for name, p in moved.items()}, list[float]()
    for step in range(steps):
        checkpoint()
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        loss, seen, [value] = numbers_in_room(room, look)
        losses.append(value)
        if losses[-1] < lowest:
            lowest, kept = losses[-1], {name: p.detach().clone() for name, p in moved.items()}
        if not report(step + 1, lowest, seen.raw_image[0].detach()):
            break
        optimizer.zero_grad(set_to_none=True)
        loss[0].backward()
        optimizer.step()
    return kept, losses
