"""Write a model of a person who moves to a folder, quick to render: `python -m tests.blender.small_person FOLDER`.

It runs on the Python that has torch. The body is octahedra along a skeleton with CMU's names, 1.5 world units a unit of it; weights are
random ones by which the body shows, and its lower and upper half have labels. The file is `person.safetensors`.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.gnarf.body.coarse import coarse_meshes
from dnerf_core.labels import LabelSet
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from tests.core.gnarf.cases import tiny_config, tiny_generator
from tests.core.gnarf.rigs import cmu_skeleton, template_of

SCALE = 1.5


def main(folder: Path) -> None:
    rig = coarse_meshes(template_of(cmu_skeleton()), share=1.0, clip_offset=0.06)
    config = tiny_config(rig, SCALE, "closest", posed_side=2.4 * SCALE)
    config = dataclasses.replace(config, cameras=dataclasses.replace(config.cameras, radius=4.0 * SCALE))
    config = dataclasses.replace(config, rays=dataclasses.replace(config.rays, ray_start=2.5 * SCALE, ray_end=5.5 * SCALE))
    config = dataclasses.replace(config, triplane=dataclasses.replace(config.triplane, box_warp=1.9 * SCALE))
    generator = tiny_generator(rig, config)
    with torch.no_grad():
        generator.decoder.net[2].bias[0] += 50  # solid wherever the body is
    semantic = SemanticConfig(num_classes=3)
    branch = SemanticBranch(semantic, config, seed=3)
    with torch.no_grad():
        branch.hidden_bias.normal_(generator=torch.Generator().manual_seed(4))
        branch.out_weight.mul_(20)
    save_model(
        folder / "person.safetensors",
        config,
        generator.state_dict(),
        semantic_config=config_to_json(semantic),
        semantic_state=branch.state_dict(),
        labels=LabelSet.from_names(["lower", "upper"]),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
