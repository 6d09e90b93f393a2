"""The perceptual loss and its gradient: seconds in float32 and bfloat16, and how far the gradients point the same way.

    python benchmarks/perceptual.py [--weights vgg16-397923af.pth] [--sizes 128,256,512] [--apart 10,1] [--rounds 5]

Without a file the weights are random, of the size that keeps the signal's from layer to layer; time does not depend on them. Target and
image are two views of a demo car, enlarged where the size asks for it.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.camera import arc_cameras
from dnerf_core.checkpoints.vgg16 import read_vgg16, vgg16_shapes
from dnerf_core.inversion.perceptual import PerceptualLoss
from dnerf_core.model import Model
from headless.bench.measuring import timed


def random_weights() -> dict[str, np.ndarray]:
    """By He et al. 2015, biases 0."""
    rng = np.random.default_rng(0)
    spread = {name: (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.0 for name, shape in vgg16_shapes().items()}
    return {name: (rng.standard_normal(shape) * spread[name]).astype("f4") for name, shape in vgg16_shapes().items()}


def two_views(apart_deg: float) -> tuple[Tensor, Tensor]:
    """[1, 3, 128, 128] in [-1, 1]."""
    model = Model.load("demo-cars")
    subject = model.subject(0)
    views = [
        subject.render(camera).rgb
        for camera in arc_cameras(model.config.cameras, (20.0, 20.0 + apart_deg), (15.0, 15.0), count=2)
    ]
    first, second = (torch.from_numpy(rgb).permute(2, 0, 1)[None] / 127.5 - 1 for rgb in views)
    return first, second


def measured(loss: PerceptualLoss, image: Tensor, target: Tensor, rounds: int) -> tuple[float, float, Tensor]:
    """Median seconds of a step (loss and gradient), the loss, the gradient."""
    goal, seconds = loss.features(target), []

    def step() -> tuple[Tensor, Tensor]:
        free = image.clone().requires_grad_()
        value = loss(free, goal)
        return value.detach(), torch.autograd.grad(value.sum(), free)[0]

    step()
    for _ in range(rounds):
        (value, gradient), took = timed(step, loss.device)
        seconds.append(took)
    return statistics.median(seconds), value.item(), gradient.flatten()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--sizes", default="128,256,512")
    parser.add_argument("--apart", default="10,1", help="degrees between the two views")
    parser.add_argument("--rounds", type=int, default=5)
    call = parser.parse_args()
    weights = random_weights() if call.weights is None else read_vgg16(call.weights)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    losses = [PerceptualLoss(weights, device, dtype) for dtype in (torch.float32, torch.bfloat16)]
    columns = (
        "side",
        "views apart",
        "float32, ms",
        "bfloat16, ms",
        "times",
        "loss, float32",
        "loss, bfloat16",
        "cosine of the gradients",
    )
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for side, apart in itertools.product(call.sizes.split(","), call.apart.split(",")):
        views = two_views(float(apart))
        image, target = (F.interpolate(v.to(device), (int(side),) * 2, mode="bicubic").clamp(-1, 1) for v in views)
        (slow, exact, exact_gradient), (fast, near, fast_gradient) = (
            measured(loss, image, target, call.rounds) for loss in losses
        )
        cosine = torch.cosine_similarity(exact_gradient, fast_gradient, dim=0).item()
        times = f"{1e3 * slow:.1f} | {1e3 * fast:.1f} | {slow / fast:.1f}"
        print(f"| {side} | {apart} degrees | {times} | {exact:.4f} | {near:.4f} | {cosine:.4f} |", flush=True)


if __name__ == "__main__":
    main()
