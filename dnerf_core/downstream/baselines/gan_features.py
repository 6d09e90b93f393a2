"""What DatasetGAN's classifiers read of a 3D GAN's view: the rendered features, and the activations of the super-resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.seeing.raw_view import RawView, exact_raw, guided_raw
from dnerf_core.subject import Subject


def generator_view(subject: Subject, camera: Camera) -> RawView:
    """A view at neural resolution, with colours and without labels, of which a picture and features can be made."""
    with subject.model.inference():
        where = camera_tensors(camera, subject.model.device)
        if subject.model.exact:
            return exact_raw(subject, *where, None, True)
        raw = guided_raw(subject, *where, None, True)
        if raw.short is not None and bool(raw.short):
            return guided_raw(subject, *where, None, True, whole=True)
        return raw


def view_features(subject: Subject, raw: RawView, size_px: int) -> Tensor:
    """Features float32 [size_px, size_px, D] of the pixels of a view, each map brought to that size (bilinear, antialiased).

    D is the width of the rendered features (32 of EG3D and its kin) and of the super-resolution's blocks together, 32 + 32 + 16 of the
    demo; of a family without such blocks that of the rendered features.

    Args:
        raw: of `generator_view`.
    """
    with subject.model.inference():
        picture = raw.picture
        assert picture is not None
        maps = [picture.features, *subject.model.generator.superresolution_activations(picture, subject.ws)]
        return torch.cat([_brought(one.float(), size_px) for one in maps], dim=1)[0].permute(1, 2, 0).contiguous()


def _brought(x: Tensor, size_px: int) -> Tensor:
    if x.shape[-1] == size_px:
        return x
    return F.interpolate(x, size=(size_px, size_px), mode="bilinear", align_corners=False, antialias=x.shape[-1] > size_px)
