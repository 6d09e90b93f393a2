"""From a release to a model file: the settings read, the weights exact, and every bad network named in one line."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.checkpoints.expected_shapes import UNUSED_KEYS, expected_shapes, is_filter
from dnerf_core.checkpoints.model_file import file_sha256, load_model_file, read_header
from dnerf_core.checkpoints.release import import_release, read_release
from dnerf_core.errors import CheckpointError, DNeRFError, OutputError, UsageError
from dnerf_core.generator.config import (
    PRESETS,
    BackboneConfig,
    CameraConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
)
from tests.core import hostile as h

PARITY_NAMES = ["ffhq-narrow", "shapenet-narrow", "narrow-batch-skew-auto"]


def write(folder: Path, network: h.Module, name: str = "narrow.pkl") -> Path:
    path = folder / name
    path.write_bytes(h.release(network))
    return path


# Shapes


@pytest.mark.parametrize("name", PARITY_NAMES)
def test_expected_shapes_are_the_published_ones(parity_dir: Path, name: str) -> None:
    facts = json.loads((parity_dir / f"{name}.json").read_text())
    settings = facts["config"]
    kind = settings["rk"]["superresolution_module"].removeprefix("training.superresolution.SuperresolutionHybrid")
    config = GeneratorConfig(
        image_size=settings["img"],
        mapping=MappingConfig(layers=settings["map"]),
        backbone=BackboneConfig(channel_base=settings["cb"], channel_max=settings["cm"]),
        superresolution=SuperResolutionConfig(kind=kind),
    )
    published = {key: tuple(shape) for key, shape in facts["keys"].items() if key not in UNUSED_KEYS}
    assert expected_shapes(config) == published


def test_expected_shapes_by_hand() -> None:
    shapes = expected_shapes(PRESETS["ffhq512-128"])
    assert shapes["backbone.synthesis.b64.conv0.weight"] == (512, 512, 3, 3)
    assert shapes["backbone.synthesis.b128.conv0.weight"] == (256, 512, 3, 3)  # 32768 / 128
    assert shapes["backbone.synthesis.b256.torgb.weight"] == (96, 128, 1, 1)
    assert shapes["superresolution.block0.conv0.noise_const"] == (256, 256)
    assert shapes["superresolution.block1.conv0.weight"] == (128, 256, 3, 3)
    assert "backbone.mapping.fc2.weight" not in shapes
    wide = dataclasses.replace(PRESETS["ffhq512-128"], superresolution=SuperResolutionConfig(channels=(32, 16)))
    assert expected_shapes(wide)["superresolution.block1.conv0.weight"] == (16, 32, 3, 3)


# A good release


def test_the_trap_imports_without_being_sprung(parity_dir: Path, tmp_path: Path) -> None:
    from dnerf_core.backbone.formula_weights import formula_tensor

    source, output = parity_dir / "shapenet-narrow-trap.pkl", tmp_path / "trap.safetensors"
    header = import_release(source, output)
    config = header.generator_config
    assert config.name == "shapenet-narrow-trap"
    expected = dataclasses.replace(
        PRESETS["shapenetcars128-64"],
        name="shapenet-narrow-trap",
        backbone=BackboneConfig(channel_base=2048, channel_max=32),
        rays=RayConfig(32, 64, 64, 0.1, 2.6, white_back=True),
    )
    assert config == expected
    assert header.source is not None
    assert header.source["file"] == "shapenet-narrow-trap.pkl" and header.source["sha256"] == file_sha256(source)
    assert "non-commercial" in header.source["licence"] and header.source["remarks"] == []
    loaded = load_model_file(output)
    facts = json.loads((parity_dir / "shapenet-narrow.json").read_text())
    assert set(loaded.generator_state) == {key for key in facts["keys"] if not is_filter(key)}
    for key, value in loaded.generator_state.items():
        formula = formula_tensor(key, tuple(facts["keys"][key])).numpy()
        assert value.shape == formula.shape
        # Products in float32: one rounding apart at most, whichever side made them.
        np.testing.assert_allclose(value.numpy(), formula, rtol=2e-7, atol=1e-12)


@pytest.mark.parametrize(("kind", "size"), [("8XDC", 512), ("8X", 512), ("4X", 256), ("2X", 128)])
def test_every_setting_is_read_back(tmp_path: Path, kind: Any, size: int) -> None:
    config = GeneratorConfig(
        name="custom",
        image_size=size,
        mapping=MappingConfig(z_dim=6, w_dim=4, layers=3, c_scale=0.5, c_zero=True),
        backbone=BackboneConfig(channel_base=256, channel_max=2, conv_clamp=128.0),
        triplane=dataclasses.replace(h.NARROW.triplane, plane_axes=("xy", "xz", "yz"), decoder_lr_mul=0.5),
        rays=RayConfig(24, 5, 7, "auto", "auto", white_back=False),
        superresolution=SuperResolutionConfig(kind=kind, conv_clamp=None, noise_mode="const", antialias=False),
        cameras=CameraConfig(pivot=(0.0, 0.0, -0.06)),
    )
    arrays = h.weights(config)
    release = read_release(write(tmp_path, h.network(config, arrays), "custom.pkl"))
    assert release.config == config
    assert release.remarks == ()
    assert set(release.arrays) == {key for key in arrays if not is_filter(key)}
    for key, array in release.arrays.items():
        np.testing.assert_array_equal(array, arrays[key])


def test_a_preset_is_recognised_by_its_settings(tmp_path: Path) -> None:
    from dnerf_core.generator.release import EG3D_RELEASES

    named_config = EG3D_RELEASES.named

    for name, known in PRESETS.items():
        assert named_config(known).name == name
    assert named_config(dataclasses.replace(PRESETS["afhqcats512-128"], name="cats")).name == "afhqcats512-128"
    assert named_config(dataclasses.replace(PRESETS["ffhq512-128"], name="faces")).name == "ffhq512-128"
    assert named_config(dataclasses.replace(h.NARROW, name="mine")).name == "mine"


def test_what_the_file_leaves_open_is_remarked(tmp_path: Path) -> None:
    network = h.network(h.NARROW)
    options = network.attributes["rendering_kwargs"]
    del options["c_scale"]
    options["avg_camera_radius"] = 2.0
    options["sharpness"] = 3
    release = read_release(write(tmp_path, network))
    assert release.config.mapping.c_scale == 0.0
    assert release.config.cameras == CameraConfig(radius=2.0, pivot=(0.0, 0.0, 0.0))
    assert [remark[:40] for remark in release.remarks] == [
        "rendering option 'sharpness' is unknown ",
        "no c_scale: the conditioning counts as m",
        "no published release orbits at radius 2 ",
    ]


def test_the_cameras_come_from_the_name_when_the_file_has_none(tmp_path: Path) -> None:
    network = h.network(h.NARROW)
    for option in ("avg_camera_radius", "avg_camera_pivot"):
        del network.attributes["rendering_kwargs"][option]
    release = read_release(write(tmp_path, network, "shapenetcars128-64.pkl"))
    assert release.config.cameras == PRESETS["shapenetcars128-64"].cameras
    with pytest.raises(CheckpointError, match="avg_camera_radius: expected a number"):
        read_release(write(tmp_path, network, "mine.pkl"))


def test_buffers_that_are_not_persistent_and_unused_filters_stay_out(tmp_path: Path) -> None:
    network = h.network(h.NARROW)
    network.at("backbone").buffers["scratch"] = np.ones(3)
    network.at("backbone").attributes["_non_persistent_buffers_set"] = {"scratch"}
    network.at("superresolution").buffers["resample_filter"] = network.at("superresolution.block0").buffers["resample_filter"]
    assert not {"backbone.scratch", "superresolution.resample_filter"} & set(read_release(write(tmp_path, network)).arrays)


def test_other_classes_of_the_release_may_stand_beside_g_ema(tmp_path: Path) -> None:
    plain = read_release(write(tmp_path, h.network(h.NARROW)))
    weight = np.ones((3, 2), np.float32)
    discriminator = h.Module("DualDiscriminator", {"resample": h.Raw(h.name("training.dual_discriminator", "filtered_resizing"))})
    discriminator.modules = {
        "b4": h.instance("training.networks_stylegan2", "DiscriminatorBlock", {"_parameters": {"weight": weight}}, 4, 8),
        "out": h.instance("torch.nn.modules.linear", "Linear", {"in_features": 2}, 2, out_features=3),
        "norm": h.Raw(h.call(h.name("torch_utils.ops.normalisation", "make"), h.Module("A"), [weight])),
        "util": h.Raw(h.call(h.instance("dnnlib.util", "Logger").opcodes, "twice")),
    }
    pipe = h.Raw(h.call(h.name("training.augment", "AugmentPipe"), {"xflip": 1.0}))
    path = tmp_path / "beside" / "narrow.pkl"
    path.parent.mkdir()
    path.write_bytes(h.release(h.network(h.NARROW), D=discriminator, augment_pipe=pipe, G=pipe))
    beside = read_release(path)
    assert beside.config == plain.config and beside.remarks == plain.remarks
    assert list(beside.arrays) == list(plain.arrays)
    for key, array in beside.arrays.items():
        np.testing.assert_array_equal(array, plain.arrays[key])


# A bad release


def _options(**changes: Any) -> Callable[[h.Module], None]:
    return lambda network: network.attributes["rendering_kwargs"].update(changes)


def _attributes(**changes: Any) -> Callable[[h.Module], None]:
    return lambda network: network.attributes.update(changes)


def _at(path: str, **changes: Any) -> Callable[[h.Module], None]:
    return lambda network: network.at(path).attributes.update(changes)


def _nan(network: h.Module) -> None:
    network.at("decoder.net.2").parameters["bias"][3] = np.nan


def _other_filter(network: h.Module) -> None:
    network.at("superresolution.block1.conv0").buffers["resample_filter"] = np.full((4, 4), 1 / 16)


def _swapped_class(network: h.Module) -> None:
    network.at("superresolution").class_name = "SuperresolutionHybrid8X"


def _module_in_itself(network: h.Module) -> None:
    # The module dictionary is stored in the memo and put into itself, below a module.
    inner = h.dump(h.Module("A"))
    head, _, tail = inner.partition(h.text("_modules") + h.ORDERED.opcodes)
    loop = (
        h.ORDERED.opcodes + b"r\x00\x20\x00\x00" + h.text("x") + h.name("training.volumetric_rendering.ray_sampler", "RaySampler")
    )
    state = b"}(" + h.dump({"_parameters": {}, "_buffers": {}})[2:-1] + h.text("_modules") + b"j\x00\x20\x00\x00" + b"u"
    network.modules["renderer_loop"] = h.Raw(head + h.text("_modules") + loop + b")\x81" + state + b"bs" + tail)


def _permuted(index: int, rows: str) -> Callable[[h.Module], None]:
    def change(network: h.Module) -> None:
        bases = network.at("renderer").attributes["plane_axes"]
        bases[index] = np.eye(3)[["xyz".index(axis) for axis in rows]]

    return change


BAD: list[tuple[Callable[[h.Module], object], str]] = [
    (lambda n: n.at("decoder.net.0").parameters.pop("bias"), "missing 'decoder.net.0.bias'"),
    (lambda n: n.at("backbone.synthesis.b64").modules.pop("conv1"), "missing 'backbone.synthesis.b64.conv1.affine.bias'"),
    (lambda n: n.at("superresolution.block0").buffers.pop("resample_filter"), "missing 'superresolution.block0.resample_filter'"),
    (lambda n: n.modules.pop("superresolution"), "missing 'superresolution.block0.conv0.affine.bias'"),
    (lambda n: n.modules.pop("decoder"), "missing 'decoder.net.0.bias'"),
    (lambda n: n.add("decoder.net.0.bias", np.zeros(63)), "decoder.net.0.bias: expected shape [64], found [63]"),
    (
        lambda n: n.add("decoder.net.0.weight", np.zeros((32, 64))),
        "decoder.net.0.weight: expected shape [64, 32], found [32, 64]",
    ),
    (lambda n: n.add("decoder.net.0.bias", h.Raw(b"K\x01")), "holds a parameter that is not (tensor"),
    (lambda n: n.at("decoder.net.0").buffers.update(x=5), "decoder.net.0.x: expected a float32 tensor, found 5"),
    (lambda n: n.modules.update(x="text"), "module 'x': expected a module, found 'text'"),
    (lambda n: n.modules.update({"a\nb": None}), "'_modules' to be a dictionary of names"),
    (lambda n: n.at("backbone.mapping").modules.pop("fc0"), "missing 'backbone.mapping.fc0.bias'"),
    (_nan, "decoder.net.2.bias: expected finite values"),
    (_other_filter, "superresolution.block1.conv0.resample_filter: expected outer([1, 3, 3, 1]) / 64"),
    (_module_in_itself, "expected some 150 modules"),
    (_swapped_class, "superresolution: expected a SuperresolutionHybrid2X"),
    (
        _options(superresolution_module="training.superresolution.SuperresolutionHybridDeepfp32"),
        "super-resolution: expected one of",
    ),
    (_options(superresolution_module=None), "super-resolution: expected one of"),
    (_options(superresolution_module="training.superresolution.SuperresolutionHybrid4X"), "superresolution: expected a Super"),
    (_options(superresolution_noise_mode="odd"), "superresolution_noise_mode: expected 'none', 'const' or 'random', found 'odd'"),
    (_options(clamp_mode="relu"), "clamp_mode: expected 'softplus'"),
    (_options(disparity_space_sampling=True), "disparity_space_sampling: expected False"),
    (_options(ray_start="auto"), "ray_start: expected less than ray_end, or both 'auto'"),
    (_options(ray_start=3.0), "ray_start: expected less than ray_end"),
    (_options(ray_end="never"), "ray_end: expected a number"),
    (_options(box_warp=0), "box_warp: expected a number from 0.001"),
    (_options(box_warp=float("nan")), "box_warp: expected a number"),
    (_options(white_back=1), "white_back: expected True or False, found 1"),
    (_options(depth_resolution=True), "depth_resolution: expected an integer"),
    (_options(depth_resolution=3), "depth_resolution: expected an integer from 4 to 4096, found 3"),
    (_options(depth_resolution_importance=4097), "depth_resolution_importance: expected an integer from 0 to 4096, found 4097"),
    (_options(depth_resolution_importance=None), "depth_resolution_importance: expected an integer"),
    (_options(c_scale="1"), "c_scale: expected a number"),
    (_options(avg_camera_pivot=[0, 0]), "avg_camera_pivot: expected three numbers"),
    (_options(avg_camera_pivot=[0, 0, "x\ny"]), "avg_camera_pivot: expected a number from -inf to inf, found 'x\\ny'"),
    (_attributes(rendering_kwargs=3), "rendering_kwargs: expected a dictionary of options, found 3"),
    (
        _attributes(neural_rendering_resolution=[64]),
        "neural_rendering_resolution: expected an integer from 1 to 2048, found a list",
    ),
    (_attributes(img_resolution=256), "img_resolution: expected 128, which SuperresolutionHybrid2X makes, found 256"),
    (_attributes(c_dim=7), "c_dim: expected 0 or 25, found 7"),
    (_at("backbone", img_resolution=200), "backbone.img_resolution: expected a power of two, found 200"),
    (_at("backbone", img_channels=97), "backbone.img_channels: expected a multiple of 3"),
    (_at("backbone.mapping.fc1", bias_gain=1.0), "backbone.mapping.fc1.bias_gain: expected 0.01, found 1.0"),
    (_at("superresolution.block0.conv1", conv_clamp=8), "superresolution.conv_clamp: expected one value for all layers"),
    (_at("superresolution.block0.conv1", activation="relu"), "activation: expected 'lrelu'"),
    (_at("backbone.synthesis.b8", architecture="resnet"), "architecture: expected 'skip'"),
    (_at("decoder.net.1", beta=2), "beta: expected 1"),
    (_at("renderer", plane_axes=None), "plane_axes: expected a tensor of 3 x 3 matrices"),
    (_permuted(2, "zyx"), "plane_axes[2]: expected one of the planes xy, xz, yz, zx, found 'zy'"),
    (_permuted(1, "xxy"), "plane_axes[1]: expected one of the planes xy, xz, yz, zx, found 'other directions'"),
    (lambda n: n.__setattr__("class_name", "Generator"), "G_ema: expected a TriPlaneGenerator, found 'Generator'"),
]


def assert_refused(folder: Path, path: Path, expected: str) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(DNeRFError) as caught:
        import_release(path, folder / "out.safetensors")
    message = str(caught.value)
    assert expected in message
    assert str(path) in message and message.isprintable() and len(message) < 500 + len(str(path))
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(("change", "expected"), BAD, ids=[expected[:60] for _, expected in BAD])
def test_a_bad_network_is_named_and_nothing_is_written(
    tmp_path: Path, change: Callable[[h.Module], object], expected: str
) -> None:
    network = h.network(h.NARROW)
    change(network)
    assert_refused(tmp_path, write(tmp_path, network), expected)


def test_a_release_without_g_ema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    for value in ({"G": None}, [1], None, {"G_ema": 3}):
        path.write_bytes(h.pickled(value))
        assert_refused(tmp_path, path, "the network 'G_ema'")


# The call


def test_the_output_may_not_be_the_input(tmp_path: Path) -> None:
    path = write(tmp_path, h.network(h.NARROW))
    before = path.read_bytes()
    os.link(path, tmp_path / "linked.safetensors")
    for output in (path, tmp_path / "linked.safetensors", tmp_path / "." / "narrow.pkl"):
        with pytest.raises(UsageError, match="an output other than the input"):
            import_release(path, output)
    assert path.read_bytes() == before


def test_an_output_without_a_place_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, h.network(h.NARROW))
    with pytest.raises(UsageError, match="existing folder to write to"):
        import_release(path, tmp_path / "nowhere" / "out.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="found a folder"):
        import_release(path, tmp_path / "folder")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "narrow.pkl"]


def test_an_existing_output_stays_when_the_import_fails(tmp_path: Path) -> None:
    path, output = write(tmp_path, h.network(h.NARROW)), tmp_path / "out.safetensors"
    import_release(path, output)
    before = output.read_bytes()
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CheckpointError):
        import_release(path, output)
    assert output.read_bytes() == before
    assert read_header(output).generator_config == h.NARROW
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["narrow.pkl", "out.safetensors"]


def test_two_imports_are_equal_byte_for_byte(tmp_path: Path) -> None:
    path = write(tmp_path, h.network(h.NARROW))
    import_release(path, tmp_path / "a.safetensors")
    import_release(path, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
