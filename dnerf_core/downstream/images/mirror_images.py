"""Mirror images at test time: what a network makes of a picture and of its mirror image, together."""

from __future__ import annotations

import torch
from torch import Tensor

from dnerf_core.downstream.images.sides import mirrored_ids
from dnerf_core.labels import LabelSet


def with_mirror_image(own: Tensor, of_mirror_image: Tensor, labels: LabelSet) -> Tensor:
    """The mean of a picture's class probabilities and of those of its mirror image, turned back.

    Args:
        own, of_mirror_image: float [B, C, H, W], of pictures and of the same ones with their columns in reverse.
        labels: of the C classes; those of left and right parts change places in a mirror image.

    Raises:
        UsageError: a label is of one side, and there is none of the other.

    Example:
        >>> labels = LabelSet.from_names(["background", "left eye", "right eye"])
        >>> with_mirror_image(network(images), network(images.flip(3)), labels)  # doctest: +SKIP
    """
    ids = mirrored_ids(labels, "mirrored", "look at pictures alone")[: labels.num_classes]
    turned = of_mirror_image.flip(3)[:, torch.from_numpy(ids).long().to(of_mirror_image.device)]
    return (own + turned) / 2
