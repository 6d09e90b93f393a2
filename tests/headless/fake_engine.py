"""A stand-in for the engine: subjects are discs on a flat plane, made at once, counted, and able to fail on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.camera import Camera
from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_facts import ModelFacts
from dnerf_core.convolutions.forms import FLOAT32, ConvolutionForm
from dnerf_core.generator.config import CameraConfig, GeneratorConfig
from dnerf_core.labels import SHAPENET_CAR_LABELS, LabelSet
from dnerf_core.rendering.labeled_view import LabeledView, PartialView, sample_side_px
from headless import models
from headless.datasets.channels import CHANNELS, POSED_CHANNELS
from headless.datasets.formats.registry import FORMATS, needed
from headless.work import workers

SIZE_PX = 24
STILL_CHANNELS = tuple(name for name in CHANNELS if name not in POSED_CHANNELS)
"""Those of a model whose subjects do not move."""
STILL_FORMATS = tuple(name for name in FORMATS if not set(needed(name)) & set(POSED_CHANNELS))
PITCH_DEG = 12.0


@dataclass
class FakeModel:
    """Counts what is asked of it; `before_view` runs before every view and may raise; `point` (world frame) is one white pixel."""

    masks: bool = True
    empty: bool = False
    point: tuple[float, float, float] | None = None
    subjects_made: list[int] = field(default_factory=list)
    views_made: list[tuple[int, Camera]] = field(default_factory=list)
    before_view: Callable[[], None] = lambda: None
    convolutions: ConvolutionForm = FLOAT32

    @property
    def config(self) -> GeneratorConfig:
        return fake_facts("demo-cars", self.masks).config

    def with_convolutions(self, form: ConvolutionForm) -> FakeModel:
        """Itself, which draws the same in every form."""
        self.convolutions = form
        return self

    @property
    def labels(self) -> LabelSet | None:
        return SHAPENET_CAR_LABELS if self.masks else None

    def subject(self, seed: int, truncation: float = 1.0) -> FakeSubject:
        self.subjects_made.append(seed)
        return FakeSubject(self, seed, truncation)

    def between(self, first_seed: int, second_seed: int, share: float, truncation: float = 1.0) -> FakeSubject:
        """Its seed is what lies between."""
        return self.subject(round(first_seed + share * (second_seed - first_seed)), truncation)


@dataclass
class FakeSubject:
    model: FakeModel
    seed: int
    truncation: float

    def prepare(self) -> None:
        """There is nothing to make."""

    def channels(self, camera: Camera, size_px: int, channels: tuple[str, ...]) -> PartialView:
        """Only what is asked for. Uncertainty grows with the seed, and is higher on the disc."""
        view = self.render(camera, size_px)
        doubt = np.where(np.isfinite(view.depth_planar), 0.5, 0.01).astype(np.float32) * (0.1 + 0.1 * (self.seed % 7))
        return PartialView(
            view.rgb if "rgb" in channels else None,
            view.mask if "mask" in channels else None,
            view.depth_planar if "depth" in channels else None,
            doubt.astype(np.float32) if "uncertainty" in channels and self.model.masks else None,
        )

    def render(self, camera: Camera, size_px: int | None = None) -> LabeledView:
        self.model.before_view()
        self.model.views_made.append((self.seed, camera))
        size = size_px or SIZE_PX
        rows, columns = np.mgrid[:size, :size] / size - 0.5
        x, y, _ = camera.position
        disc = np.hypot(columns - 0.05 * x, rows - 0.05 * y) < 0.38
        mask = np.where(disc, 1 + (4 * np.arange(size) // size), 0).astype(np.uint8)
        mask[0, 0] = 255
        if self.model.empty:
            mask[:] = 0
        depth = np.where(disc, 1.0 + columns**2 + 0.01 * self.seed, np.inf).astype(np.float32)
        rgb = np.zeros((size, size, 3), np.uint8)
        rgb[disc] = (self.seed * 37 % 256, int(100 * self.truncation), 128)
        if self.model.point is not None:
            (u, v), _ = camera.project(self.model.point)
            rgb[int(v * size), int(u * size)] = 255
        sample_px = sample_side_px(size, self.model.config.rays.neural_resolution)
        return LabeledView(camera, rgb, mask if self.model.masks else None, depth, sample_px)


def fake_facts(name: str, masks: bool) -> ModelFacts:
    """What the model file of that name would say."""
    return ModelFacts(
        path=Path("fake.safetensors"),
        sha256=f"{name}-hash",
        config=GeneratorConfig(name=name, image_size=SIZE_PX, cameras=CameraConfig(pitch_deg=PITCH_DEG)),
        semantic_config={} if masks else None,
        labels=SHAPENET_CAR_LABELS if masks else None,
        source={},
        training={},
        parameters={"generator": 10},
    )


@pytest.fixture
def fake_model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """The engine's two doors, `describe_model` and `load_model`, lead to this model, whatever the device; one worker by default."""
    model = FakeModel()

    monkeypatch.setattr(model_facts, "describe_model", lambda name: fake_facts(name, masks=model.masks))
    monkeypatch.setattr(models, "load_model", lambda name, device, exact=False: model)
    monkeypatch.setattr(workers, "default_workers", lambda cores=None: 1)  # so that what it counts comes in order
    return model
