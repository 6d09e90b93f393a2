"""A labelled view by the literal method, from planes to pixels: the baseline of every claim."""

from __future__ import annotations

from typing import Any

import torch

from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.camera import Camera
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.depth import planar_depth
from dnerf_core.semantic.branch import label_mask
from dnerf_core.subject import Channel, PartialView, Subject, resized, to_uint8


def literal_subject(subject: Subject, channels: tuple[Channel, ...]) -> Any:
    """The planes that the literal method keeps of a subject; the concatenated semantic ones only where masks are wanted."""
    branch = subject.model.branch if "mask" in channels else None
    literal = family_of(subject.model.config).literal
    assert literal is not None
    return named(literal)(subject.model.generator, branch, subject.planes)


@torch.no_grad()
def literal_channels(literal: Any, subject: Subject, camera: Camera, size_px: int, channels: tuple[Channel, ...]) -> PartialView:
    """What `Subject.channels` gives, by the literal method: float32, every sample read, no super-resolution that nobody asked for."""
    model = subject.model
    pose, intrinsics = (tensor[0] for tensor in camera_tensors(camera, model.device))
    masked = "mask" in channels and model.branch is not None
    view = literal.view(pose, intrinsics, colors="rgb" in channels, semantics=masked)
    rgb = mask = depth = None
    if "rgb" in channels:
        rgb = to_uint8(model.generator.superresolve(view.picture, subject.ws), size_px)[0]
    if masked:
        assert model.branch is not None
        assert view.semantic_map is not None
        classes = model.branch.config.num_classes
        scores = model.branch.refiner(view.semantic_map[:, :classes], view.semantic_map[:, classes:])
        mask = label_mask(resized(scores, size_px))[0].cpu().numpy()
    if "depth" in channels:
        side = model.config.box_side
        depth = planar_depth(view.distance[None], view.opacity[None], intrinsics[None], size_px, side)[0].cpu().numpy()
    return PartialView(rgb, mask, depth)
