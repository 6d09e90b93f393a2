"""A segmenter that is ready to label: any picture in, labels and confidence of its pixels out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dnerf_core.downstream.images.augment import MEAN, STD, normalized
from dnerf_core.downstream.images.calibration import Calibration, Look
from dnerf_core.downstream.images.mirror_images import with_mirror_image
from dnerf_core.downstream.images.registry import build_network, logits
from dnerf_core.downstream.network_file import NetworkFile, load_network_file, read_network_header
from dnerf_core.errors import CheckpointError, UsageError, brief
from dnerf_core.labels import LabelSet
from dnerf_core.shapes import check_shapes

LARGEST_SIZE_PX = 4096


def settings_of(size_px: int, calibration: Calibration | None = None) -> dict[str, Any]:
    """What a network file says of a segmenter's input, and of what its numbers mean."""
    measured = {} if calibration is None else {"calibration": calibration.to_json()}
    return {"size_px": size_px, "mean": list(MEAN), "std": list(STD), **measured}


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained network.

    Attributes:
        network: in evaluation mode, on its device.
        labels: what its classes mean.
        size_px: the longer side of the pictures that it was trained on.
        calibration: what was measured on it; None: nothing was.
        mirrored: whether pictures' mirror images are looked at, too, and probabilities are the mean of both; labels of left and right
            parts change places for it, see `mirror_images`.
    """

    network: nn.Module
    labels: LabelSet
    size_px: int
    calibration: Calibration | None = None
    mirrored: bool = False

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Segmenter:
        """Out of a network file.

        Raises:
            CheckpointError: it cannot be used, or is no segmenter of images.
        """
        return cls.from_file(load_network_file(path, "image"), device)

    @classmethod
    def from_file(cls, file: NetworkFile, device: str = "cpu") -> Segmenter:
        """Out of a network file in memory.

        Raises:
            CheckpointError: it is no segmenter of images.
        """
        header = file.header
        size_px = checked_size(header.settings, f"{header.path}: settings")
        calibration = calibration_in(header.settings, f"{header.path}: settings")
        with torch.random.fork_rng(devices=[]):  # first weights, all of which are replaced
            network = build_network(header.network, header.labels.num_classes)
        file.fill(network)
        return cls(network.eval().to(device), header.labels, size_px, calibration)

    @torch.inference_mode()
    def class_scores(self, images: Tensor, size_px: int | None = None) -> Tensor:
        """Class scores before softmax, float32 [B, C, h, w] at the size that the network sees, of pictures uint8 [B, 3, H, W], RGB.

        Args:
            size_px: the longer side that the network sees them at; None: what it was trained on.
        """
        device = next(self.network.parameters()).device
        height, width = images.shape[-2:]
        factor = (self.size_px if size_px is None else size_px) / max(height, width)
        inputs = normalized(images.to(device))
        if factor != 1:
            size = [max(1, round(side * factor)) for side in (height, width)]
            inputs = F.interpolate(inputs, size=size, mode="bilinear", align_corners=False, antialias=True)
        return logits(self.network, inputs.contiguous(memory_format=torch.channels_last))

    def scores(self, images: Tensor, size_px: int | None = None) -> Tensor:
        """Class probabilities float32 [B, C, H, W] of pictures uint8 [B, 3, H, W], RGB; see `class_scores`."""
        return self._probabilities(images, self.class_scores(images, size_px), size_px)

    @torch.inference_mode()
    def _probabilities(self, images: Tensor, found: Tensor, size_px: int | None) -> Tensor:
        """Probabilities of pictures of which class scores have been found."""
        probabilities = self._softmax(found, images.shape[-2:])
        if self.mirrored:
            turned = self._softmax(self.class_scores(images.flip(3), size_px), images.shape[-2:])
            probabilities = with_mirror_image(probabilities, turned, self.labels)
        return probabilities

    def _softmax(self, found: Tensor, size: torch.Size) -> Tensor:
        if found.shape[-2:] != size:
            found = F.interpolate(found, size=tuple(size), mode="bilinear", align_corners=False)
        return (found if self.calibration is None else found / self.calibration.temperature).softmax(dim=1)

    def predict(self, image: NDArray[np.uint8], size_px: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The labels uint8 [H, W] of a picture and how sure they are, float32 [H, W] from 1/C to 1: the label's probability.

        Args:
            image: uint8 [H, W, 3], RGB, of any size.
            size_px: see `scores`.

        Raises:
            UsageError: an image of another shape or type.
        """
        labels, confidence, _ = self.predict_and_look(image, size_px)
        return labels, confidence

    def predict_and_look(
        self, image: NDArray[np.uint8], size_px: int | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], Look]:
        """What `predict` gives, and what tells whether the picture is like those that the network learned from."""
        check_shapes(UsageError, image=(image, "uint8 H W 3"))
        if image.size == 0:
            raise UsageError("image: expected at least one pixel, found none; give another picture")
        pixels = torch.tensor(image).permute(2, 0, 1)[None]
        found = self.class_scores(pixels, size_px)
        confidence, labels = self._probabilities(pixels, found, size_px)[0].max(dim=0)
        return labels.to(torch.uint8).cpu().numpy(), confidence.cpu().numpy(), Look.at(found[0])


def checked_size(settings: Mapping[str, Any], where: str) -> int:
    """The size that a segmenter's pictures are brought to.

    Raises:
        CheckpointError: the settings are no segmenter's.
    """
    size = settings.get("size_px")
    if type(size) is not int or not 1 <= size <= LARGEST_SIZE_PX:
        raise CheckpointError(
            f"{where}: size_px: expected a number from 1 to {LARGEST_SIZE_PX}, found {brief(size)}; train it again"
        )
    for key, own in (("mean", MEAN), ("std", STD)):
        if settings.get(key) != list(own):
            raise CheckpointError(
                f"{where}: {key}: expected {list(own)}, found {brief(settings.get(key))}; use the datasetnerf that wrote it"
            )
    return size


def calibration_in(settings: Mapping[str, Any], where: str) -> Calibration | None:
    """What a network file says that was measured on it; None: nothing was, as by programs before that.

    Raises:
        CheckpointError: it is something else.
    """
    measured = settings.get("calibration")
    return None if measured is None else Calibration.from_json(measured, f"{where}: calibration")


def predict(network_file: str | Path, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """`Segmenter.predict` of a network file, which stays in memory for the next picture.

    Raises:
        CheckpointError: the file cannot be used.
        UsageError: an image of another shape or type.
    """
    path = Path(network_file)
    read_network_header(path, "image")
    status = path.stat()
    return _kept(path.resolve(), status.st_mtime_ns, status.st_size).predict(image)


@functools.lru_cache(maxsize=2)
def _kept(path: Path, changed_ns: int, size: int) -> Segmenter:
    """The segmenter of a file; another one by the time of its last change and its size."""
    return Segmenter.load(path)
