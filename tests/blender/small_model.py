"""Write a model that is quick to search in, and a subject of it, to a folder: `python -m tests.blender.small_model FOLDER`.

It runs on the Python that has torch. Random weights, chosen so that a view of seed 3 has background and both parts, their borders
wherever they fall. That subject is `three.safetensors`, the model `small.safetensors`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.checkpoints.subject_file import record_of, write_subject_file
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import SemanticConfig
from tests.core.semantic_cases import tiny_generator


def main(folder: Path) -> None:
    path = folder / "small.safetensors"
    generator = tiny_generator()
    config = SemanticConfig(num_classes=3)
    branch = SemanticBranch(config, generator.config, seed=8)
    with torch.no_grad():
        generator.decoder.net[2].bias[0] = -200
        branch.out_weight.mul_(20)
    save_model(
        path,
        generator.config,
        generator.state_dict(),
        semantic_config=config_to_json(config),
        semantic_state=branch.state_dict(),
        labels=LabelSet.from_names(["lower", "upper"]),
    )
    model = Model.load(path)
    write_subject_file(folder / "three.safetensors", record_of(model, model.subject(3).ws, None, {}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
