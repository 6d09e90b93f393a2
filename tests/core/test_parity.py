"""The generator against numbers printed by the published one, for formula weights (float32, midpoint samples)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.backbone.formula_weights import load_formula_weights
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
from dnerf_core.rendering.view import Rendering, render_view


def config_of(spec: dict[str, Any], variants: dict[str, Any]) -> GeneratorConfig:
    """Our configuration of a parity file's settings."""
    rk = {**spec["rk"], **variants.get("rk", {})}
    return GeneratorConfig(
        name="parity",
        image_size=spec["img"],
        mapping=MappingConfig(layers=spec["map"], c_scale=rk.get("c_scale", 0.0), c_zero=rk["c_gen_conditioning_zero"]),
        backbone=BackboneConfig(channel_base=spec["cb"], channel_max=spec["cm"]),
        triplane=TriplaneConfig(box_warp=rk["box_warp"]),
        rays=RayConfig(
            spec["nrr"],
            rk["depth_resolution"],
            rk["depth_resolution_importance"],
            rk["ray_start"],
            rk["ray_end"],
            rk.get("white_back", False),
        ),
        superresolution=SuperResolutionConfig(
            kind=rk["superresolution_module"].rsplit("Hybrid", 1)[1], conv_clamp=256.0 if spec["fp16"] > 0 else None
        ),
        cameras=CameraConfig(),
    )


def load_case(parity_dir: Path, name: str) -> tuple[Generator, dict[str, np.ndarray]]:
    data = json.loads((parity_dir / f"{name}.json").read_text())
    generator = Generator(config_of(data["config"], data.get("variants", {})))
    published = {key: tuple(shape) for key, shape in data["keys"].items() if not key.endswith("resample_filter")}
    assert {key: tuple(value.shape) for key, value in generator.state_dict().items()} == published
    load_formula_weights(generator)
    return generator, dict(np.load(parity_dir / f"{name}.npz"))


def check(found: torch.Tensor, expected: np.ndarray, what: str, most: float = 1e-4, all_of: float = 1e-3) -> None:
    error = np.abs(found.detach().numpy() - expected)
    assert np.isfinite(error).all(), what
    assert np.quantile(error, 0.999) < most, f"{what}: 99.9% of values within {most}, found {np.quantile(error, 0.999):.2e}"
    assert error.max() < all_of, f"{what}: all values within {all_of}, found {error.max():.2e}"


def check_planes(found: torch.Tensor, expected: np.ndarray) -> None:
    """To 2e-6 of their largest: rounding grows with it, and planes of a full-size generator reach 13."""
    expected = expected.reshape(found.shape)
    bound = 2e-6 * float(np.abs(expected).max())
    check(found, expected, "planes", bound, bound)


def check_depth(rendering: Rendering, expected: np.ndarray) -> None:
    """Where a ray has opacity: elsewhere depth is the quotient of two rounding errors, in the published code too."""
    seen = rendering.opacity.numpy() >= 0.01
    assert seen.mean() > 0.5
    check(rendering.distance[torch.from_numpy(seen)], expected.reshape(seen.shape)[seen], "depth", 1e-4, 1e-4)


def cameras(data: dict[str, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    cam = torch.from_numpy(data["cam"]).float().reshape(-1, 25)
    return cam[:, :16].reshape(-1, 4, 4), cam[:, 16:].reshape(-1, 3, 3)


@pytest.mark.parametrize("name", ["ffhq-narrow", "shapenet-narrow"])
def test_release_shapes(parity_dir: Path, name: str) -> None:
    generator, data = load_case(parity_dir, name)
    with torch.no_grad():
        z, cond = torch.from_numpy(data["z"]).float(), torch.from_numpy(data["cond"]).float()
        cutoff = int(data["cutoff"]) if data["cutoff"] is not None else None
        ws = generator.mapping(z, cond.reshape(z.shape[0], 25), float(data["psi"]), cutoff)
        check(ws[0, [0, -1]], data["ws"], "ws", 5e-6, 5e-6)
        planes = generator.planes(ws)
        triplane = planes.triplane
        flat = triplane.reshape(triplane.shape[0], 96, 256, 256)
        check_planes(flat[0, ::7, ::16, ::16], data["planes"])
        assert abs(float(triplane.abs().mean()) - float(data["planes_absmean"])) < 1e-5
        rendering = render_view(generator, planes, *cameras(data))
        image = generator.superresolve(rendering.raw, ws)
    check(rendering.raw.image, data["image_raw"].reshape(rendering.raw.image.shape), "image_raw")
    check_depth(rendering, data["depth"])
    check(image[0, :, ::4, ::4], data["image"].reshape(image[0, :, ::4, ::4].shape), "image")
    assert abs(float(image.mean()) - float(data["image_mean"])) < 1e-4
    assert abs(float(image.std()) - float(data["image_std"])) < 1e-4


def test_batch_skew_auto(parity_dir: Path) -> None:
    generator, data = load_case(parity_dir, "narrow-batch-skew-auto")
    with torch.no_grad():
        z, cond = torch.from_numpy(data["z"]).float(), torch.from_numpy(data["cond"]).float()
        truncated = generator.mapping(z, cond, 0.6, 7)
        check(truncated[:, [0, 6, 7, 13]], data["ws_cutoff7_psi06"], "ws_cutoff7_psi06", 5e-6, 5e-6)
        check(generator.mapping(z, cond)[:, [0, 13]], data["ws_psi1"], "ws_psi1", 5e-6, 5e-6)
        ws = torch.from_numpy(np.random.RandomState(2).randn(2, 14, 512).astype(np.float32) * 0.5)
        plain = generator.planes(ws, noise_mode="none").triplane.reshape(2, 96, 256, 256)
        check_planes(plain[:, ::7, ::16, ::16], data["planes_wplus_nonoise"])
        rendering = render_view(generator, generator.planes(ws), *cameras(data))
        image = generator.superresolve(rendering.raw, ws)
    check(rendering.raw.image, data["image_raw"].reshape(rendering.raw.image.shape), "image_raw")
    check_depth(rendering, data["depth"])
    check(image[:, :, ::4, ::4], data["image"].reshape(image[:, :, ::4, ::4].shape), "image")
