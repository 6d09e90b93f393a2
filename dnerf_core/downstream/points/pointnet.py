"""PointNet (Qi et al., CVPR 2017, arXiv 1612.00593) for parts: its figure 9 by the paper's widths, and a small one of 90k parameters.

Deviations: rows of a matrix stand for convolutions of width 1; a cloud's category is not told to the network, which is trained on one;
the small one has no transforms, since what a cloud's frame may be is met by augmentation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.downstream.points.rows import Rows, stacked_rows


@dataclass(frozen=True)
class PointNetConfig:
    """Widths of a PointNet.

    Attributes:
        local: of the layers before the feature transform.
        deep: of those after it; the last one's largest values over all points are the cloud's own feature.
        head: of the layers that read every point's features beside the cloud's.
        transforms: whether points and features go through transforms that small networks predict (paper, section 4.2).
        transform_widths: of such a network: its layers of points, then those of the cloud.
        dropout: of the head's last layer in training.
    """

    local: tuple[int, ...]
    deep: tuple[int, ...]
    head: tuple[int, ...]
    transforms: bool = False
    transform_widths: tuple[tuple[int, ...], tuple[int, ...]] = ((64, 128, 1024), (512, 256))
    dropout: float = 0.0


SMALL = PointNetConfig(local=(64, 64), deep=(128, 256), head=(96, 64))
PAPER = PointNetConfig(local=(64, 128, 128), deep=(512, 2048), head=(256, 256, 128), transforms=True, dropout=0.2)


class Transform(nn.Module):
    """A k x k matrix for each cloud, predicted from its points; the identity at first."""

    def __init__(self, size: int, widths: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        super().__init__()
        self.size = size
        self.points = stacked_rows(size, widths[0])
        self.cloud = stacked_rows(widths[0][-1], widths[1])
        self.matrix = nn.Linear(widths[1][-1], size * size)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(size).flatten())

    def forward(self, x: Tensor) -> Tensor:
        """`[B, N, k]` to `[B, k, k]`."""
        matrix: Tensor = self.matrix(self.cloud(self.points(x).max(dim=1).values))
        return matrix.reshape(-1, self.size, self.size)


class PointNet(nn.Module):
    """Logits of parts for every point of B clouds, whatever the points' order."""

    def __init__(self, parts: int, config: PointNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.local[-1]
        self.local = nn.ModuleList(Rows(a, b) for a, b in zip((3, *config.local[:-1]), config.local, strict=True))
        self.deep = nn.ModuleList(Rows(a, b) for a, b in zip((width, *config.deep[:-1]), config.deep, strict=True))
        if config.transforms:
            self.input_transform = Transform(3, config.transform_widths)
            self.feature_transform = Transform(width, config.transform_widths)
        of_points = sum(config.local) + (width + sum(config.deep) if config.transforms else 0)
        # one linear layer of every point's features beside the cloud's is the sum of two, of which the cloud's is had once a cloud
        self.of_cloud = nn.Linear(config.deep[-1], config.head[0], bias=False)
        self.of_points = Rows(of_points, config.head[0])
        self.head = stacked_rows(config.head[0], config.head[1:])
        self.logits = nn.Linear(config.head[-1], parts)

    def forward(self, points: Tensor) -> Tensor:
        """Logits.

        Args:
            points: `[B, N, 3]` as `recipes.Recipe` normalises them.

        Returns:
            `[B, N, P]`.
        """
        return self.with_penalty(points)[0]

    def with_penalty(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and what training adds to the loss: 0.001 |I - A A^T|^2 of the feature transforms A (equation 2), 0 without."""
        kept, deep, penalty = self._encoded(points)
        cloud = self.of_cloud(deep)
        x = self.of_points.normalised(self.of_points.linear(torch.cat(kept, dim=-1)) + cloud[:, None])
        x = F.dropout(self.head(x), self.config.dropout, self.training)
        return self.logits(x), penalty

    def cloud_features(self, points: Tensor) -> Tensor:
        """The features of whole clouds, `[B, F]` of points `[B, N, 3]`."""
        return self._encoded(points)[1]

    def _encoded(self, points: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Features of the points, those of the clouds `[B, F]`, and the penalty."""
        penalty = points.new_zeros(())
        x = points @ self.input_transform(points) if self.config.transforms else points
        kept = []
        for layer in self.local:
            x = layer(x)
            kept.append(x)
        if self.config.transforms:
            matrix = self.feature_transform(x)
            x = x @ matrix
            kept.append(x)
            penalty = _from_orthogonal(matrix)
        for layer in self.deep:
            x = layer(x)
            if self.config.transforms:  # 3008 features of every point; the small one does without the deep ones
                kept.append(x)
        return kept, x.max(dim=1).values, penalty


def _from_orthogonal(matrix: Tensor) -> Tensor:
    """0.001 |I - A A^T|^2 (Frobenius), the mean over `[B, k, k]`."""
    identity = torch.eye(matrix.shape[-1], device=matrix.device, dtype=matrix.dtype)
    return 0.001 * (identity - matrix @ matrix.transpose(1, 2)).square().sum(dim=(1, 2)).mean()
