"""PanoHead's releases: every form of its checkpoint is read to the same configuration and weights, and nothing of it is executed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.checkpoints.release import ImportOptions, Release, read_release
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.generator.config import BackboneConfig
from dnerf_core.panohead.config import PANOHEAD, PanoHeadConfig
from tests.core import hostile as h
from tests.core import panohead_cases as cases


def read(folder: Path, data: bytes, options: ImportOptions | None = None, name: str = "narrow.pkl") -> Release:
    path = folder / name
    path.write_bytes(data)
    return read_release(path, options)


def refused(folder: Path, root: h.Module) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(folder, h.release(root))
    return str(caught.value)


def check_weights(release: Release, config: PanoHeadConfig = cases.NARROW) -> None:
    expected = {key: array for key, array in cases.weights(config).items() if not key.endswith("resample_filter")}
    assert release.arrays.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(release.arrays[key], array)


def test_a_release_is_read_without_its_source(tmp_path: Path) -> None:
    """Decoder, renderer and marcher carry source text, each with a trap that ends the process."""
    release = read(tmp_path, h.release(cases.network(), D=h.Module("MaskDualDiscriminatorV2")))
    assert release.config == cases.NARROW
    assert release.remarks == ()
    assert "PanoHead" in release.licence
    check_weights(release)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_torgb_raw": False},
        {"use_background": False},
        {"use_torgb_raw": False, "use_background": False},
        {"background_clamp": 256.0},
        {"triplane": dataclasses.replace(cases.NARROW.triplane, depth=1, activation="sigmoid")},
        {"triplane": dataclasses.replace(cases.NARROW.triplane, depth=2, activation="lrelu", plane_axes=("xyz", "xzy", "zxy"))},
        {"backbone": BackboneConfig(resolution=32, channel_base=256, channel_max=8, plane_channels=4, conv_clamp=256.0)},
    ],
)
def test_settings(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = dataclasses.replace(cases.NARROW, **changes)
    release = read(tmp_path, h.release(cases.network(config)))
    assert release.config == config
    check_weights(release, config)


def test_what_is_off_is_left_out(tmp_path: Path) -> None:
    """The published modules may be there although an option turns them off."""
    root = cases.network()
    root.attributes["rendering_kwargs"] |= {"use_torgb_raw": False, "use_background": False}
    release = read(tmp_path, h.release(root))
    assert not any(key.startswith(("torgb", "bcg_synthesis")) for key in release.arrays)
    assert any("which PanoHead's generator does not have" in remark for remark in release.remarks)


def test_what_training_left_is_told(tmp_path: Path) -> None:
    root = cases.network()
    root.attributes["rendering_kwargs"] |= {"density_noise": 0.5, "white_back": True, "avg_camera_pivot": [0, 0, 0.2], "odd": 1}
    root.buffers["dataset_label_std"] = np.ones(25, np.float32)
    release = read(tmp_path, h.release(root))
    assert release.config == cases.NARROW
    told = "; ".join(release.remarks)
    for phrase in (
        "density_noise 0.5 acts in training only",
        "white_back was set aside",
        "look at the origin",
        "'odd' is unknown",
    ):
        assert phrase in told


def test_missing_switches_follow_the_tensors(tmp_path: Path) -> None:
    root = cases.network(dataclasses.replace(cases.NARROW, use_background=False))
    for name in ("use_torgb_raw", "use_background"):
        del root.attributes["rendering_kwargs"][name]
    release = read(tmp_path, h.release(root))
    assert release.config.use_torgb_raw and not release.config.use_background
    assert any("no use_background in the file: it is off" in remark for remark in release.remarks)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("triplane_depth", 0, "triplane_depth: expected an integer from 1 to 64, found 0"),
        ("triplane_depth", 2, "expected shape [128, 6, 3, 3], found [128, 4, 3, 3]"),
        ("triplane_depth", 5, "backbone.img_channels: expected a multiple of 15, found 36"),
        ("triplane_size", 64, "triplane_size: expected 32"),
        ("decoder_activation", "relu", "decoder_activation: expected one of none, lrelu, sigmoid, found 'relu'"),
        ("use_background", 1, "use_background: expected True or False"),
        ("box_warp", None, "box_warp: expected a number"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, name: str, value: Any, expected: str) -> None:
    root = cases.network()
    root.attributes["rendering_kwargs"][name] = value
    message = refused(tmp_path, root)
    assert expected in message
    assert "PanoHead" in message


def test_another_basis_is_refused(tmp_path: Path) -> None:
    root = cases.network()
    root.at("renderer").attributes["plane_axes"] = np.full((3, 3, 3), 0.5, np.float32)
    assert "renderer.plane_axes[0]" in refused(tmp_path, root)


def test_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    root = cases.network()
    del root.at("bcg_synthesis.b8").modules["conv1"]
    assert "missing 'bcg_synthesis.b8.conv1" in refused(tmp_path, root)


def test_hostile_names_are_refused_in_it_too(tmp_path: Path) -> None:
    root = cases.network()
    root.at("renderer").attributes["hook"] = h.Raw(h.system_call("true"))
    with pytest.raises(CheckpointError, match=r"os\.system"):
        read(tmp_path, h.release(root))


torch = pytest.importorskip("torch")


def saved(path: Path, tree: Any) -> Path:
    torch.save(tree, path)
    return path


def tensors(config: PanoHeadConfig = cases.NARROW) -> dict[str, Any]:
    return {key: torch.from_numpy(array) for key, array in cases.weights(config).items()}


def test_a_state_dict_with_its_arguments(tmp_path: Path) -> None:
    tree = {"G_ema": tensors(), "init_kwargs": cases.init_kwargs(), "latent_avg": torch.zeros(3)}
    release = read_release(saved(tmp_path / "narrow.pth", tree), ImportOptions(neural_resolution=16))
    assert release.config == cases.NARROW
    check_weights(release)


@pytest.mark.parametrize("depth", [1, 2])
def test_shapes_decide_the_depth(tmp_path: Path, depth: int) -> None:
    config = dataclasses.replace(cases.NARROW, triplane=dataclasses.replace(cases.NARROW.triplane, depth=depth))
    tree = {"G_ema": tensors(config), "init_kwargs": cases.init_kwargs()}
    release = read_release(saved(tmp_path / "narrow.pth", tree), ImportOptions(neural_resolution=16))
    assert release.config.triplane.depth == depth
    assert any(f"triplane_depth {depth} in place of 3" in remark for remark in release.remarks)


def test_a_bare_state_takes_the_preset(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.pth", tensors())
    release = read_release(path, ImportOptions(config="panohead", neural_resolution=16))
    published = dataclasses.replace(PANOHEAD, name="mine", rays=dataclasses.replace(PANOHEAD.rays, neural_resolution=16))
    assert (
        dataclasses.replace(
            published,
            image_size=128,
            mapping=cases.NARROW.mapping,
            backbone=cases.NARROW.backbone,
            triplane=cases.NARROW.triplane,
            superresolution=dataclasses.replace(PANOHEAD.superresolution, kind="2X"),
        )
        == release.config
    )


def test_a_bare_state_needs_settings_of_its_own_family(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.pth", tensors())
    with pytest.raises(CheckpointError, match=r"a release \(panohead\)"):
        read_release(path)
    with pytest.raises(UsageError, match=r"expected a release \(panohead\) or a JSON file"):
        read_release(path, ImportOptions(config="ffhq512-128"))
