"""What a view is changed to before a network learns from it: scale, crop, mirror and colour, by `torchvision.transforms.v2`,
and a photograph made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.downstream.images.photographed import Photograph, Photographs
from dnerf_core.downstream.vision import torchvision
from dnerf_core.labels import IGNORE_ID

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures in [0, 1], RGB, which the published weights were trained with."""


@dataclass(frozen=True)
class Augmentation:
    """How views are changed.

    Attributes:
        size_px: side of the square that comes out; a picture is brought to fit into it, then scaled.
        scale: pictures are scaled by 1/scale to scale, evenly in the logarithm; 1: not at all.
        flip: whether every second one is mirrored.
        color: strength of changes in brightness, contrast, saturation (each up to 0.3 of it) and hue (0.03); 0: none.
    """

    size_px: int
    scale: float = 1.5
    flip: bool = True
    color: float = 1.0


class Augmenter:
    """Turns a view into an input and its truth; the same number gives the same.

    Args:
        augmentation: how.
        mirrored_ids: uint8 [256], see `sides.mirrored_ids`.
        photographs: what makes photographs of views; None: nothing does.
    """

    def __init__(
        self, augmentation: Augmentation, mirrored_ids: NDArray[np.uint8], photographs: Photographs | None = None
    ) -> None:
        transforms = torchvision().transforms.v2
        own, color = augmentation, augmentation.color
        self._augmentation, self._mirrored_ids = augmentation, torch.from_numpy(mirrored_ids)
        self._mirror: Callable[..., Tensor] = transforms.functional.horizontal_flip
        self._resize: Callable[..., Tensor] = transforms.functional.resize
        side = [own.size_px, own.size_px]
        fill = {torchvision().tv_tensors.Image: 0, torchvision().tv_tensors.Mask: IGNORE_ID}
        self._crop = transforms.RandomCrop(side, pad_if_needed=True, fill=fill)
        self._crop_subject = transforms.RandomCrop(side, pad_if_needed=True, fill=0)
        self.photographs = photographs
        self._color = (
            transforms.ColorJitter(
                brightness=0.3 * color, contrast=0.3 * color, saturation=0.3 * color, hue=min(0.03 * color, 0.5)
            )
            if color
            else None
        )
        self._functional = transforms.functional
        self._wrap_image, self._wrap_mask = torchvision().tv_tensors.Image, torchvision().tv_tensors.Mask

    def __call__(
        self,
        image: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        number: int,
        photograph: Photograph | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The input uint8 [3, S, S] and the truth uint8 [S, S], 255 where it is ignored or beyond the picture; a photograph goes on there
        as background.

        Args:
            image: uint8 [H, W, 3], or of a photograph the subject [H, W, 4], see `Photographs.subject`; mask: uint8 [H, W].
            number: draws the changes.
            photograph: how one is made of the view; None: none is.
        """
        # transforms draw from torch's own generator and take no other: it is put back after them
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(number)
            return self._changed(image, mask, photograph)

    def _changed(self, image: NDArray[np.uint8], mask: NDArray[np.uint8], photograph: Photograph | None) -> tuple[Tensor, Tensor]:
        own = self._augmentation
        pixels, ids = torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)[None]
        pixels, ids = self._scaled(pixels, ids, own.scale ** float(2 * torch.rand(()) - 1))
        if own.flip and bool(torch.rand(()) < 0.5):
            pixels, ids = self._mirror(pixels), self._mirrored_ids[self._mirror(ids).long()]
        crop = self._crop if photograph is None else self._crop_subject
        pixels, ids = crop(self._wrap_image(pixels), self._wrap_mask(ids))
        if photograph is not None and self.photographs is not None:
            subject = pixels.as_subclass(Tensor).permute(1, 2, 0).contiguous().numpy()
            if photograph.empty:
                subject, ids = np.zeros_like(subject), torch.zeros_like(ids)
            taken = torch.from_numpy(self.photographs.taken(subject, photograph).copy())
            pixels = self._wrap_image(taken.permute(2, 0, 1).contiguous())
        if self._color is not None:
            pixels = self._colored(pixels.as_subclass(Tensor), self._color.make_params([]))
        return pixels.as_subclass(Tensor).contiguous(), ids.as_subclass(Tensor)[0].contiguous()

    def fitted(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A view as each change of it begins, where pictures are not scaled: brought to fit into the square. It can be kept.

        Args:
            image: uint8 [H, W, 3]; mask: uint8 [H, W].
        """
        if self._augmentation.scale != 1.0:
            return image, mask
        pixels, ids = self._scaled(torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)[None], 1.0)
        return pixels.permute(1, 2, 0).contiguous().numpy(), ids[0].contiguous().numpy()

    def _scaled(self, pixels: Tensor, ids: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """A view brought to fit into the square, then scaled."""
        factor = self._augmentation.size_px / max(ids.shape[-2:]) * scale
        size = [max(1, round(side * factor)) for side in ids.shape[-2:]]
        if size == list(ids.shape[-2:]):
            return pixels, ids
        modes = torchvision().transforms.v2.InterpolationMode
        return self._resize(pixels, size, interpolation=modes.BILINEAR, antialias=True), resized_ids(ids, size)

    def _colored(self, pixels: Tensor, drawn: Mapping[str, Any]) -> Tensor:
        """What `ColorJitter.transform` makes of a picture uint8 [3, H, W], to the bit, in half the time where much of it is gray."""
        changes: tuple[tuple[str, Callable[[Tensor, float], Tensor]], ...] = (
            ("brightness_factor", self._functional.adjust_brightness),
            ("contrast_factor", self._functional.adjust_contrast),
            ("saturation_factor", self._functional.adjust_saturation),
            ("hue_factor", self._hue_adjusted),
        )
        for index in drawn["fn_idx"].tolist():
            name, change = changes[index]
            if drawn[name] is not None:
                pixels = change(pixels, drawn[name])
        return pixels

    def _hue_adjusted(self, pixels: Tensor, hue_factor: float) -> Tensor:
        """Another hue of the pixels that have one: a white or gray background, most of many pictures, stays as it is."""
        colored = ((pixels[0] != pixels[1]) | (pixels[1] != pixels[2])).flatten().nonzero()[:, 0]
        if len(colored) > 0.6 * pixels[0].numel():  # to pick them costs more than it spares
            whole: Tensor = self._functional.adjust_hue(pixels, hue_factor)
            return whole
        if not len(colored):
            return pixels
        flat = pixels.flatten(1)
        picked = self._functional.adjust_hue(flat[:, colored][..., None], hue_factor)[..., 0]
        return flat.index_copy(1, colored, picked).view_as(pixels)


def resized_ids(ids: Tensor, size: list[int]) -> Tensor:
    """Labels uint8 [1, H, W] at another size: where it is smaller, of each pixel the label that has most of it, as pixels are averaged."""
    if size[0] >= ids.shape[-2]:
        return F.interpolate(ids[None], size, mode="nearest-exact")[0]
    present = ids.unique()
    shares = F.interpolate((ids == present[:, None, None]).float()[None], size, mode="bilinear", antialias=True)[0]
    return present[shares.argmax(dim=0)][None]


def normalized(images: Tensor) -> Tensor:
    """uint8 [B, 3, H, W] as float32 with mean 0 and deviation 1 over ImageNet, on the same device."""
    mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD))
    return (images.float() / 255 - mean) / std
