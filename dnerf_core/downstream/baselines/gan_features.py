"""What DatasetGAN's classifiers read of a 3D GAN's view: the rendered features, and the activations of the super-resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.seeing.raw_view import exact_raw, guided_raw
from dnerf_core.subject import Subject


def view_features(subject: Subject, camera: Camera, size_px: int) -> Tensor:
    """Features float32 [size_px, size_px, D] of the pixels of a view, each map brought to that size (bilinear, antialiased).

    D is the width of the rendered features (32 of EG3D and its kin) and of the super-resolution's blocks together, 32 + 32 + 16 of the
    demo; of a family without such blocks that of the rendered features.
    """
    model = subject.model
    with model.inference():
        cam2world, intrinsics = camera_tensors(camera, model.device)
        see = exact_raw if model.exact else guided_raw
        picture = see(subject, cam2world, intrinsics, None, True).picture
        assert picture is not None
        maps = [picture.features, *model.generator.superresolution_activations(picture, subject.ws)]
        return torch.cat([_brought(one.float(), size_px) for one in maps], dim=1)[0].permute(1, 2, 0).contiguous()


def _brought(x: Tensor, size_px: int) -> Tensor:
    if x.shape[-1] == size_px:
        return x
    return F.interpolate(x, size=(size_px, size_px), mode="bilinear", align_corners=False, antialias=x.shape[-1] > size_px)
