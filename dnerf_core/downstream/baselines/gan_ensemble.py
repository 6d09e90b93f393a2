"""DatasetGAN's classifiers (Zhang et al. 2021, arXiv 2104.06490, section 3.1): an ensemble of small networks on single pixels' features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.downstream.images.stream import drawn_number
from dnerf_core.semantic.choosing.ensemble import disagreement

HIDDEN = (128, 32)
"""Channels between a classifier's three layers."""
PIXELS_A_PIECE = 1024
"""Labelled at once: what lies between layers stays in a core's cache, which takes a third less time."""


@dataclass(frozen=True)
class PixelTraining:
    """How the classifiers are trained.

    Attributes:
        members: how many there are.
        steps, batch: of each; a batch is of pixels.
        pixels_a_view: drawn of each painted view.
        learning_rate: at its highest, of Adam; it falls along a cosine.
        seed: of pixels, first weights and the order.
    """

    members: int = 10
    steps: int = 1500
    batch: int = 1024
    pixels_a_view: int = 4096
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PixelEnsemble:
    """K trained classifiers, batch normalisation folded into their layers.

    Attributes:
        weights: of the three layers, [K, D, 128], [K, 128, 32] and [K, 32, C].
        biases: [K, 1, 128], [K, 1, 32] and [K, 1, C].
    """

    weights: tuple[Tensor, Tensor, Tensor]
    biases: tuple[Tensor, Tensor, Tensor]

    @torch.inference_mode()
    def probabilities(self, features: Tensor) -> Tensor:
        """Class probabilities [K, M, C] of pixels' features [M, D]."""
        x = features.expand(len(self.weights[0]), -1, -1)
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            x = x.relu_() if index < 2 else x
        return x.softmax(dim=2)

    def labelled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the members vote for, uint8 [...], and how far they disagree, float32 [...] in [0, 1], of features [..., D].

        Of classes with as many votes the one that is the more probable in the mean wins. Disagreement is the Jensen-Shannon divergence, see
        `semantic.choosing.ensemble.disagreement`.
        """
        flat = features.reshape(-1, features.shape[-1])
        labels, divergence = [], []
        for piece in flat.split(PIXELS_A_PIECE):
            found = self.probabilities(piece)
            votes = F.one_hot(found.argmax(dim=2), found.shape[2]).sum(dim=0) + 0.5 * found.mean(dim=0)
            labels.append(votes.argmax(dim=1).to(torch.uint8))
            divergence.append(disagreement(found))
        shape = features.shape[:-1]
        return torch.cat(labels).reshape(shape), torch.cat(divergence).reshape(shape)


def train_pixels(
    features: Tensor, labels: Tensor, num_classes: int, training: PixelTraining, advance: Callable[[], None] = lambda: None
) -> PixelEnsemble:
    """Train the classifiers on pixels, each from first weights and in an order of its own; on one thread equal arguments give equal ones.

    Args:
        features: [M, D]; labels: int64 [M].
        advance: called after each member.
    """
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0).clamp_min(1e-6)
    x = (features - mean) / std
    folded = []
    for member in range(training.members):
        folded.append(_folded(_trained(x, labels, num_classes, training, member), mean, std))
        advance()
    weights = tuple(torch.stack([layers[index][0] for layers in folded]) for index in range(3))
    biases = tuple(torch.stack([layers[index][1] for layers in folded])[:, None] for index in range(3))
    return PixelEnsemble((weights[0], weights[1], weights[2]), (biases[0], biases[1], biases[2]))


def _trained(x: Tensor, labels: Tensor, num_classes: int, training: PixelTraining, member: int) -> nn.Sequential:
    wide, narrow = HIDDEN
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(drawn_number(training.seed, "member", member))
        network = nn.Sequential(
            *(nn.Linear(x.shape[1], wide), nn.ReLU(), nn.BatchNorm1d(wide)),
            *(nn.Linear(wide, narrow), nn.ReLU(), nn.BatchNorm1d(narrow)),
            nn.Linear(narrow, num_classes),
        )
    network.to(x.device).train()
    rng = torch.Generator().manual_seed(drawn_number(training.seed, "order", member))
    # small networks on a CPU spend more time on calls than on numbers unless all of a step is one call
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate, fused=x.device.type == "cpu")
    for step in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * 0.5 * (1 + math.cos(math.pi * step / training.steps))
        chosen = torch.randint(len(x), (training.batch,), generator=rng).to(x.device)
        loss = F.cross_entropy(network(x.index_select(0, chosen)), labels[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def _folded(network: nn.Sequential, mean: Tensor, std: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(weight [in, out], bias [out]) of three layers that take features as they are: what normalises a layer's input goes into it."""
    shift, scale = -mean / std, 1 / std
    layers = []
    for index in (0, 3, 6):
        linear = network[index]
        assert isinstance(linear, nn.Linear)
        layers.append(((linear.weight * scale).t().contiguous(), linear.bias + linear.weight @ shift))
        norm = network[index + 2] if index < 6 else None
        if isinstance(norm, nn.BatchNorm1d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * scale
    return layers
