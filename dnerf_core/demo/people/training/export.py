"""From a training's state to a plain generator, and to the embedded model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.demo.people.body import LICENCE, people_config, people_generator
from dnerf_core.demo.people.parameters import Z_DIM
from dnerf_core.demo.people.training.losses import OFFSET, SHARPNESS
from dnerf_core.gnarf.generator import Gnarf


def plain_generator(weights: dict[str, Tensor], seed: int) -> Gnarf:
    """The generator of trained weights (without the body), frozen: density scale folded in, mean w measured on latents of a seed."""
    generator = people_generator()
    state = generator.state_dict()
    for name, value in weights.items():
        # trained without noise: a strength of 0 makes the published default, constant noise, the same function
        state[name] = torch.zeros_like(value) if name.endswith("noise_strength") else value
    weight, bias = state["decoder.net.2.weight"].clone(), state["decoder.net.2.bias"].clone()
    weight[0] *= SHARPNESS
    bias[0] = SHARPNESS * bias[0] + OFFSET
    generator.load_state_dict({**state, "decoder.net.2.weight": weight, "decoder.net.2.bias": bias})
    with torch.no_grad():
        latents = torch.randn(16384, Z_DIM, generator=torch.Generator().manual_seed(seed))
        generator.backbone.mapping.w_avg.copy_(generator.mapping(latents)[:, 0].mean(dim=0))
    return generator.eval().requires_grad_(False)


def export_people(generator: Gnarf, record: dict[str, Any], path: Path) -> None:
    """Save a plain generator (no semantic branch yet), float16 on disk; `record` is what the header says of the training."""
    source = {
        "file": "dnerf_core.demo.people.training.train",
        "sha256": "",
        "licence": f"GPL-3.0-or-later, made from the procedural world of dnerf_core.demo.people; its body: {LICENCE}",
    }
    save_model(path, people_config(), generator.state_dict(), source=source, training={"generator": record}, stored="float16")
