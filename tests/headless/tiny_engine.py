"""A real but tiny engine for the commands around annotating: a random cloud, saved as a model file, and a painter for its views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dnerf_core.camera import cameras_from_json
from dnerf_core.checkpoints.model_file import StoredFloat, save_model
from dnerf_core.demo.config import DEMO_NAME
from dnerf_core.demo.world import Z_DIM
from dnerf_core.files.names import view_name
from dnerf_core.files.pictures import write_mask
from dnerf_core.generator.config import (
    BackboneConfig,
    CameraConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
    TriplaneConfig,
)
from dnerf_core.generator.eg3d import Generator
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from headless import cli

SIZE_PX = 128
"""What the smallest super-resolution gives."""
STEPS = 40
TINY = GeneratorConfig(
    name="tiny",
    image_size=SIZE_PX,
    mapping=MappingConfig(z_dim=8, w_dim=16),
    backbone=BackboneConfig(resolution=16, channel_base=64, channel_max=16, plane_channels=8),
    triplane=TriplaneConfig(box_warp=1.6, hidden_dim=16),
    rays=RayConfig(16, 12, 12, "auto", "auto", white_back=True),
    superresolution=SuperResolutionConfig(kind="2X", channels=(8, 4)),
    cameras=CameraConfig(radius=2.6, focal=1.0, pitch_deg=12),
)
LABELS = LabelSet.from_names(["left", "right"])


def save_tiny(path: Path, config: GeneratorConfig = TINY, seed: int = 3, stored: StoredFloat = "float32") -> Path:
    """A generator of random weights whose field is a cloud with clear inside and outside, without a semantic branch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(config)
    with torch.no_grad():
        generator.decoder.net[2].weight[0] *= 40
        generator.decoder.net[2].bias[0] = -1
    source = {"file": "tiny", "licence": "none"}
    save_model(path, config, generator.state_dict(), source=source, training={"generator": {"seed": seed}}, stored=stored)
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of random weights, float32."""
    return save_tiny(tmp_path_factory.mktemp("tiny") / "tiny.safetensors")


@pytest.fixture(scope="session")
def tiny_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that says it is the demo's, stored as float16; its cars are clouds."""
    config = replace(TINY, name=DEMO_NAME, mapping=replace(TINY.mapping, z_dim=Z_DIM))
    return save_tiny(tmp_path_factory.mktemp("demo") / "demo.safetensors", config, stored="float16")


@pytest.fixture(scope="session")
def painted_folder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """An annotated folder of the tiny model, all painted; copy it before changing anything."""
    folder = sample_folder(tmp_path_factory.mktemp("painted") / "cloud", tiny_model)
    paint(folder, tiny_model)
    return folder


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory, painted_folder: Path) -> Path:
    """What `train` makes of the painted folder in a few steps, with the last subject held out."""
    output = tmp_path_factory.mktemp("trained") / "trained.safetensors"
    assert cli.run(["train", str(painted_folder), "-o", str(output), "--steps", str(STEPS)]) == 0
    return output


def sample_folder(folder: Path, model: Path, *args: str, seeds: str = "0-3") -> Path:
    """What `sample` writes: 4 subjects, 2 views each, parts left and right."""
    call = ["sample", "--model", str(model), "--seeds", seeds, "--views", "2", "--labels", "left,right", "-o", str(folder)]
    assert cli.run([*call, *args]) == 0
    return folder


def paint(folder: Path, model: Path, seeds: tuple[int, ...] = (0, 1, 2, 3)) -> None:
    """Paint the side of the plane x = 0 on which each visible point lies, as far as `seeds` go."""
    engine = Model.load(model)
    cameras = cameras_from_json((folder / "cameras.json").read_text())
    for seed in seeds:
        subject = engine.subject(seed)
        for view in range(2):
            camera = cameras[view_name(seed, view)]
            depth = subject.render(camera).depth_planar
            rows, columns = (np.mgrid[:SIZE_PX, :SIZE_PX] + 0.5) / SIZE_PX
            directions = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera.intrinsics).T
            hit = np.isfinite(depth)
            points = np.where(hit, depth, 0)[..., None] * directions
            x = points @ camera.cam2world[0, :3] + camera.cam2world[0, 3]
            mask = np.where(hit, np.where(x < 0, 1, 2), 0).astype(np.uint8)
            assert set(np.unique(mask)) == {0, 1, 2}
            write_mask(folder / "masks" / f"{view_name(seed, view)}.png", mask, LABELS.palette())


def read_ids(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).copy()
