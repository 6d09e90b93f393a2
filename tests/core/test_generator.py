"""The generator's parts beyond parity: variants, conditioning, independence of the batch, gradients, configuration."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dnerf_core.backbone.config_json import config_from_json, config_to_json
from dnerf_core.backbone.formula_weights import load_formula_weights
from dnerf_core.errors import CheckpointError
from dnerf_core.generator.config import (
    ORBITS,
    PRESETS,
    VIDEO_CAMERAS,
    BackboneConfig,
    CameraConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
    TriplaneConfig,
    preset,
)
from dnerf_core.generator.eg3d import Generator
from dnerf_core.rendering.view import render_view
from dnerf_core.stylegan2.networks import Mapping, modulated_conv, normalize_second_moment, upsample_image
from dnerf_core.stylegan2.superresolution import VARIANTS, SuperResolution

TINY = GeneratorConfig(
    name="tiny",
    image_size=128,
    mapping=MappingConfig(z_dim=8, w_dim=16, c_dim=25, layers=2),
    backbone=BackboneConfig(resolution=16, channel_base=128, channel_max=8, plane_channels=8),
    triplane=TriplaneConfig(box_warp=1.0),
    rays=RayConfig(8, 8, 8, 2.25, 3.3),
    superresolution=SuperResolutionConfig(kind="2X", channels=(4, 4)),
)


def front_cameras(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    cam2world = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]]).repeat(count, 1, 1)
    intrinsics = torch.tensor([[4.2647, 0, 0.5], [0, 4.2647, 0.5], [0, 0, 1]]).repeat(count, 1, 1)
    return cam2world, intrinsics


def tiny(**changes: object) -> Generator:
    generator = Generator(dataclasses.replace(TINY, **changes))  # type: ignore[arg-type]
    load_formula_weights(generator)
    return generator


def test_every_release_is_a_preset_that_survives_json() -> None:
    assert set(PRESETS) == {"ffhq512-128", "ffhqrebalanced512-128", "ffhq512-64", "afhqcats512-128", "shapenetcars128-64"}
    for name, config in PRESETS.items():
        assert config.name == name == preset(name).name
        assert config_from_json(GeneratorConfig, json.loads(json.dumps(config_to_json(config)))) == config
        assert VARIANTS[config.superresolution.kind].output_size == config.image_size
        assert config.backbone.num_ws == 14


def test_every_release_tells_its_trained_and_its_videos_cameras() -> None:
    """Faces and cats have one camera for both; the cars' video looks closer than SRN's renders, which they were trained on."""
    cars = "shapenetcars128-64"
    trained = preset(cars).cameras
    assert (trained.radius, trained.focal, trained.pivot, trained.world_up) == (1.3, 1.0254, (0.0, 0.0, 0.0), "z")
    assert (trained.yaw_range_deg, trained.pitch_range_deg, trained.pitch_deg) == ((-180.0, 180.0), (0.0, 90.0), 20.0)
    assert VIDEO_CAMERAS[cars] == CameraConfig(radius=1.7, pivot=(0.0, 0.0, 0.0), focal=1.7074, world_up="z")
    assert all(VIDEO_CAMERAS[name] == config.cameras for name, config in PRESETS.items() if name != cars)
    assert {
        "ffhq512-128": (2.7, (0.0, 0.0, 0.2)),
        "ffhqrebalanced512-128": (2.7, (0.0, 0.0, 0.2)),
        "ffhq512-64": (2.7, (0.0, 0.0, 0.2)),
        "afhqcats512-128": (2.7, (0.0, 0.0, -0.06)),
        cars: (1.7, (0.0, 0.0, 0.0)),
    } == ORBITS


def test_ranges_that_are_not_told_leave_no_trace_in_json() -> None:
    """So that hashes of generators, and all that is keyed by them, stay what they were before there were such fields."""
    plain = config_to_json(TINY)
    assert set(plain["cameras"]) == {"radius", "pivot", "focal", "world_up", "pitch_deg"}
    assert config_from_json(GeneratorConfig, json.loads(json.dumps(plain))) == TINY
    told = dataclasses.replace(TINY, cameras=CameraConfig(yaw_range_deg=(-20.0, 30.0)))
    data = json.loads(json.dumps(config_to_json(told)))
    assert data["cameras"]["yaw_range_deg"] == [-20.0, 30.0]
    assert "pitch_range_deg" not in data["cameras"]
    assert config_from_json(GeneratorConfig, data) == told
    data["cameras"]["yaw_range_deg"] = None
    assert config_from_json(GeneratorConfig, data) == TINY


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda d: d["cameras"].update(yaw_range_deg=[1, 2, 3]), "yaw_range_deg"),
        (lambda d: d["cameras"].update(pitch_range_deg=["a", 2]), "pitch_range_deg"),
        (lambda d: d["cameras"].pop("pitch_deg"), "pitch_deg"),
        (lambda d: d.pop("rays"), "rays"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d["rays"].update(white_back="yes"), "white_back"),
        (lambda d: d["superresolution"].update(kind="32X"), "32X"),
        (lambda d: d["triplane"].update(plane_axes=["xy", "xw"]), "plane_axes"),
        (lambda d: d["mapping"].update(layers=True), "layers"),
    ],
)
def test_bad_config_is_named(change: object, word: str) -> None:
    data = json.loads(json.dumps(config_to_json(TINY)))
    change(data)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=word) as caught:
        config_from_json(GeneratorConfig, data)
    assert "\n" not in str(caught.value)


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(CheckpointError, match="ffhq512-128"):
        preset("ffhq1024")


def test_upsampling_equals_zero_insertion_and_fir() -> None:
    image = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    spread = torch.zeros(2, 3, 10, 10)
    spread[:, :, ::2, ::2] = image
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = (torch.outer(taps, taps) * 4).expand(3, 1, 4, 4)
    expected = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=3)
    torch.testing.assert_close(upsample_image(image), expected)


def test_modulated_convolution_equals_scaled_weights() -> None:
    rng = torch.Generator().manual_seed(0)
    x, weight, styles = (torch.randn(*s, generator=rng) for s in ((2, 4, 6, 6), (5, 4, 3, 3), (2, 4)))
    expected = torch.cat([F.conv2d(x[i : i + 1], weight * styles[i, None, :, None, None], padding=1) for i in range(2)])
    torch.testing.assert_close(modulated_conv(x, weight, styles), expected, atol=1e-5, rtol=1e-4)


def test_mapping_conditioning_scale_zero_and_partial_truncation() -> None:
    rng = torch.Generator().manual_seed(0)
    z, c = torch.randn(3, 8, generator=rng), torch.randn(3, 25, generator=rng)
    for layers in (2, 8):
        config = MappingConfig(z_dim=8, w_dim=16, layers=layers)
        plain, zeroed, scaled = (
            Mapping(changed, 6)
            for changed in (config, dataclasses.replace(config, c_zero=True), dataclasses.replace(config, c_scale=0.0))
        )
        for mapping in (zeroed, scaled, plain):
            load_formula_weights(nn.ModuleDict({"backbone": nn.ModuleDict({"mapping": mapping})}))
        assert not torch.allclose(plain(z, c), plain(z, c + 1))
        torch.testing.assert_close(zeroed(z, c), zeroed(z, c + 1))
        torch.testing.assert_close(zeroed(z, c), scaled(z, c))
        truncated, full = plain(z, c, 0.6, 2), plain(z, c)
        torch.testing.assert_close(truncated[:, :2], plain.w_avg + 0.6 * (full[:, :2] - plain.w_avg))
        assert torch.equal(truncated[:, 2:], full[:, 2:])
    torch.testing.assert_close(normalize_second_moment(z * 7), normalize_second_moment(z), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", list(VARIANTS))
@pytest.mark.parametrize("size", [32, 64, 128, 160])
def test_super_resolution_sizes(kind: str, size: int) -> None:
    variant = VARIANTS[kind]  # type: ignore[index]
    module = SuperResolution(SuperResolutionConfig(kind=kind, channels=(4, 4)), 8, 16)  # type: ignore[arg-type]
    load_formula_weights(module)
    with torch.no_grad():
        image = module(torch.randn(1, 8, size, size), torch.randn(1, 6, 16))
    grows = kind == "4X" and size > 128
    assert image.shape[-1] == (2 * size if grows else variant.output_size)


def test_inputs_that_shrink_are_antialiased() -> None:
    config = SuperResolutionConfig(kind="2X", channels=(4, 4))
    module, rough = SuperResolution(config, 8, 16), SuperResolution(dataclasses.replace(config, antialias=False), 8, 16)
    for each in (module, rough):
        load_formula_weights(each)
    x, ws = torch.randn(1, 8, 128, 128, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 6, 16)
    small = F.interpolate(x, size=(64, 64), mode="bilinear", align_corners=False, antialias=True)
    with torch.no_grad():
        torch.testing.assert_close(module(x, ws), module.refine(small, ws))
        assert not torch.allclose(module(x, ws), rough(x, ws), atol=1e-2)


def test_a_view_does_not_depend_on_its_batch() -> None:
    generator = tiny()
    rng = torch.Generator().manual_seed(0)
    ws = torch.randn(3, 6, 16, generator=rng)
    cam2world, intrinsics = front_cameras(3)
    cam2world[1, 0, 3], cam2world[2, 1, 3] = 0.2, -0.3
    with torch.no_grad():
        planes = generator.planes(ws)
        together = render_view(generator, planes, cam2world, intrinsics)
        for i in range(3):
            one = slice(i, i + 1)
            alone = render_view(
                generator, dataclasses.replace(planes, triplane=planes.triplane[one]), cam2world[one], intrinsics[one]
            )
            torch.testing.assert_close(together.raw.features[one], alone.raw.features, atol=1e-5, rtol=0)
            torch.testing.assert_close(together.distance[one], alone.distance, atol=1e-5, rtol=0)


@pytest.mark.parametrize("white_back", [False, True])
def test_rays_that_miss_the_box_are_empty_background(white_back: bool) -> None:
    generator = tiny(rays=RayConfig(8, 8, 8, "auto", "auto", white_back=white_back))
    cam2world, intrinsics = front_cameras(2)
    cam2world[1, 0, 3] = 50.0  # the second camera looks past the box
    with torch.no_grad():
        rendering = render_view(generator, generator.planes(torch.randn(2, 6, 16)), cam2world, intrinsics)
    assert bool((rendering.opacity[1] == 0).all()) and bool(rendering.distance[1].isinf().all())
    assert bool((rendering.raw.features[1] == (1.0 if white_back else -1.0)).all())
    assert bool(rendering.distance[0].isfinite().any()) and bool(rendering.raw.features.isfinite().all())


def test_auto_limits_can_stay_inside_the_box() -> None:
    origins, directions = torch.tensor([[0.0, 0.0, 2.0], [0.49, 0.0, 2.0]]), torch.tensor([0.0, 0.0, -1.0]).expand(2, 3)
    full, inset = (
        tiny(rays=RayConfig(8, 8, 8, "auto", "auto", auto_inset=x)).limit_rays(origins, directions) for x in (0.0, 0.02)
    )
    assert full.hit.tolist() == [True, True] and inset.hit.tolist() == [True, False]
    assert full.start[0].item() == pytest.approx(1.5) and inset.start[0].item() == pytest.approx(1.52)
    assert inset.end[0].item() == pytest.approx(2.48)


def test_memory_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = tiny()
    with torch.no_grad():
        planes = generator.planes(torch.randn(1, 6, 16))
        whole = render_view(generator, planes, *front_cameras(1))
        monkeypatch.setattr("dnerf_core.rendering.view.RAYS_PER_CHUNK", 7)
        pieces = render_view(generator, planes, *front_cameras(1))
    torch.testing.assert_close(whole.raw.features, pieces.raw.features, atol=1e-5, rtol=0)


def test_gradients_reach_z_w_and_the_camera_and_are_right() -> None:
    generator = tiny().double()
    rng = torch.Generator().manual_seed(4)
    z = torch.randn(1, 8, generator=rng, dtype=torch.float64, requires_grad=True)
    cam2world, intrinsics = (t.double() for t in front_cameras(1))
    conditioning = torch.cat([cam2world.reshape(1, 16), intrinsics.reshape(1, 9)], dim=1)
    shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def loss(z: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        moved = cam2world.clone()
        moved[0, :3, 3] = moved[0, :3, 3] + shift
        # one pass: importance sampling places its samples without gradients, which differences would see
        ws = generator.mapping(z, conditioning)
        image = generator.superresolve(render_view(generator, generator.planes(ws), moved, intrinsics).raw, ws)
        return image.square().mean()

    generator.config = dataclasses.replace(TINY, rays=RayConfig(8, 12, 0, 2.25, 3.3))
    grad_z, grad_shift = torch.autograd.grad(loss(z, shift), [z, shift])
    step = 1e-6
    for variable, grad in ((z, grad_z), (shift, grad_shift)):
        direction = torch.randn(variable.shape, generator=rng, dtype=torch.float64)
        ahead, behind = variable.detach() + step * direction, variable.detach() - step * direction
        pair = [loss(a, shift) if variable is z else loss(z, a) for a in (ahead, behind)]
        numeric = (pair[0] - pair[1]).item() / (2 * step)
        assert (grad * direction).sum().item() == pytest.approx(numeric, rel=1e-3, abs=1e-9)
        assert abs(numeric) > 1e-8


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda s: s.pop("decoder.net.0.bias"), "decoder.net.0.bias"),
        (lambda s: s.update(surplus=torch.zeros(1)), "surplus"),
        (lambda s: s.update({"decoder.net.0.bias": torch.zeros(3)}), "decoder.net.0.bias"),
    ],
)
def test_wrong_states_are_named(change: object, word: str) -> None:
    generator = tiny()
    state = {**generator.state_dict(), "superresolution.resample_filter": torch.zeros(4, 4)}
    generator.load_published(state)
    change(state)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=word):
        generator.load_published(state)
