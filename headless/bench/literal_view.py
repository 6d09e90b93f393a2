"""A labelled view by the literal method, from planes to pixels: the baseline of every claim."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dnerf_core.backbone.family import named
from dnerf_core.backbone.registry import family_of
from dnerf_core.camera import Camera
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.depth import planar_depth
from dnerf_core.rendering.final_picture import resized, to_uint8
from dnerf_core.seeing.edge_rays import EdgeRays, SeenPixels, rays_along_edges
from dnerf_core.semantic.branch import label_mask
from dnerf_core.subject import Channel, PartialView, Subject


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
    edges = _edges(literal, subject, (pose, intrinsics), view, size_px, colors="rgb" in channels, semantics=masked)
    if "rgb" in channels:
        image = resized(model.generator.superresolve(view.picture, subject.ws), size_px)
        rgb = to_uint8(image if edges is None else edges.in_rgb(image), size_px)[0]
    if masked:
        assert model.branch is not None
        assert view.semantic_map is not None
        classes = model.branch.config.num_classes
        raw = view.semantic_map[:, :classes]
        scores = resized(model.branch.refiner(raw, view.semantic_map[:, classes:]), size_px)
        mask = label_mask(scores if edges is None else edges.in_scores(scores, raw, model.config.image_size))[0].cpu().numpy()
    if "depth" in channels:
        planar = planar_depth(view.distance[None], view.opacity[None], intrinsics[None], size_px, model.config.box_side)
        depth = (planar if edges is None else edges.in_depth(planar))[0].cpu().numpy()
    return PartialView(rgb, mask, depth)


def _edges(
    literal: Any, subject: Subject, camera: tuple[Tensor, Tensor], view: Any, size_px: int, *, colors: bool, semantics: bool
) -> EdgeRays | None:
    """The rays of their own that a model gives edges, by the literal method too, so that both pictures are of one kind."""
    pose, intrinsics = camera
    branch = subject.model.branch

    def see(pixel: Tensor) -> SeenPixels:
        fine = literal.view(pose, intrinsics, size_px, pixel, colors=colors, semantics=semantics)
        scores = fine.semantic_map[:, : branch.config.num_classes] if semantics and branch is not None else None
        return SeenPixels.of_picture(pixel, fine.distance, fine.opacity, scores, fine.picture.image if colors else None)

    return rays_along_edges(subject.model.config, view.distance[None], view.opacity[None], intrinsics[None], size_px, see)
