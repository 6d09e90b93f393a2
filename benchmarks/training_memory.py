"""Peak memory and time of training a semantic branch on full-size features of 90 labelled views.

    python benchmarks/training_memory.py [--subjects 90] [--views 90] [--steps 4]

`ffhq512-128` with weights from a formula: its field is fog, so every sample is visible, which is more than any trained model asks for.
Masks are noise: what is measured does not depend on them. Prints what is kept, the peak resident memory of the process, and seconds.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

from dnerf_core.camera import arc_cameras
from dnerf_core.semantic.config import BranchTrainingConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from headless.bench.models import full_size_model


def main() -> None:
    """Train a few steps and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=90)
    parser.add_argument("--views", type=int, default=90)
    parser.add_argument("--steps", type=int, default=4)
    arguments = parser.parse_args()
    model = full_size_model(torch.device("cpu"))
    with torch.no_grad():
        z = torch.randn(arguments.subjects, model.config.mapping.z_dim, generator=torch.Generator().manual_seed(0))
        ws = model.ws(z)
    rng, size = np.random.default_rng(0), model.config.image_size
    cameras = arc_cameras(model.config.cameras, (-30.0, 30.0), count=3)
    views = []
    for index in range(arguments.views):
        camera = cameras[index % len(cameras)]
        mask = rng.integers(0, 8, (size, size), dtype=np.uint8)
        views.append(AnnotatedView(index % arguments.subjects, camera.cam2world, camera.intrinsics, mask))
    began = time.perf_counter()
    prepared = 0.0

    def note(done: int, total: int) -> None:
        nonlocal prepared
        prepared = time.perf_counter() - began
        if done % 10 == 0:
            print(f"prepared {done}/{total} in {prepared:.0f} s", flush=True)

    trained = train_branch(
        model.generator,
        ws,
        views,
        SemanticConfig(num_classes=8, feature_kind="features"),
        BranchTrainingConfig(steps=arguments.steps),
        preparing=note,
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"kept {trained.kept_bytes / 1e9:.2f} GB; peak resident {peak * 2**30 / 1e9:.2f} GB")
    print(f"prepared in {prepared:.0f} s; {(seconds - prepared) / arguments.steps:.2f} s a step")


if __name__ == "__main__":
    main()
