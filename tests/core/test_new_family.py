"""A further family is a folder, its release reader and a line in the registry: here the balls of `stub_family` and `stub_release`.

Nothing else is told of them. Their checkpoints are recognised, imported by the command line, saved, loaded and rendered; and no module
outside a family's folder knows a family.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerf_core.backbone.family import Family
from dnerf_core.backbone.registry import FAMILIES, family_titles
from dnerf_core.checkpoints.model_file import read_header, save_model
from dnerf_core.checkpoints.release import ImportOptions, import_release, read_release
from dnerf_core.checkpoints.releases.camera_choice import CameraChoice
from dnerf_core.errors import CheckpointError, UsageError
from dnerf_core.model import Model
from headless import cli
from tests.core import hostile as h
from tests.core import panohead_cases
from tests.core.stub_family import BALLS, BallBackbone, BallConfig, balls
from tests.core.stub_release import NEAR_BALLS

__all__ = ["balls"]
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("one_thread")


def weights() -> dict[str, np.ndarray]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return {name: tensor.numpy() for name, tensor in BallBackbone(BallConfig()).state_dict().items()}


def network(class_name: str = "BallGenerator", **attributes: Any) -> h.Module:
    """A pickled network of balls in a box of side 1.7."""
    root = h.Module(class_name, {"side": 1.7, **attributes})
    for key, array in weights().items():
        root.add(key, array)
    return root


def tensors(prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: torch.from_numpy(array) for name, array in weights().items()}


BESIDE: dict[str, Any] = {"rendering_kwargs": {}, "side": 1.5}

# form of a checkpoint -> what its file holds, further words of the command line, and the configuration it comes to
FORMS = {
    "pickled": (None, (), BallConfig(name="mine", side=1.7)),
    "beside-settings": ({"net": tensors(), "kwargs": BESIDE}, (), BallConfig(name="small-balls", side=1.5)),
    "inside": (tensors("decoder.ball."), ("--config", "balls"), BallConfig()),
    "bare": (tensors(), ("--config", "small-balls"), BallConfig(name="small-balls", side=1.5)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_new_familys_checkpoint_becomes_views_by_the_command_line(balls: Family, tmp_path: Path, form: str) -> None:
    held, words, config = FORMS[form]
    source, model_file = tmp_path / "mine.pth", tmp_path / "model.safetensors"
    if held is None:
        source.write_bytes(h.release(network()))
    else:
        torch.save(held, source)
    assert cli.run(["import", str(source), *words, "--output", str(model_file), "--json"]) == 0
    header = read_header(model_file)
    assert header.generator_config == config
    assert header.source is not None and header.source["licence"] == "Weights of balls, free for any use."
    model = Model.load(model_file)
    state = model.generator.state_dict()
    assert state.keys() == weights().keys()
    for name, array in weights().items():
        np.testing.assert_array_equal(state[name].numpy(), array)
    save_model(tmp_path / "again.safetensors", model.config, state, source=header.source)
    assert (tmp_path / "again.safetensors").read_bytes() == model_file.read_bytes()
    call = ["render", "--model", str(model_file), "--seeds", "3", "--views", "2", "--output", str(tmp_path / "set"), "--json"]
    assert cli.run(call) == 0
    views = json.loads((tmp_path / "set" / "cameras.json").read_text())["views"]
    assert len(views) == 2 and len(list((tmp_path / "set" / "images").glob("*.png"))) == 2


def test_without_the_line_it_is_no_generator(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="import what the training of EG3D, PanoHead or GNARF wrote"):
        read_release(tmp_path / "x.pth", ImportOptions(config="balls"))
    (tmp_path / "x.pkl").write_bytes(h.pickled({"G_ema": network()}))
    with pytest.raises(
        CheckpointError, match=r"expected a TriPlaneGenerator, found 'BallGenerator'; .*of EG3D, PanoHead or GNARF$"
    ):
        read_release(tmp_path / "x.pkl")


def test_messages_name_every_family(balls: Family, tmp_path: Path) -> None:
    assert family_titles() == "EG3D, PanoHead, GNARF or Balls"
    (tmp_path / "x.pkl").write_bytes(h.release(network("BallMaker")))
    with pytest.raises(CheckpointError, match=r"expected a TriPlaneGenerator or BallGenerator, found 'BallMaker'"):
        read_release(tmp_path / "x.pkl")
    (tmp_path / "x.pkl").write_bytes(h.pickled({"weights": np.zeros(3, np.float32)}))
    with pytest.raises(CheckpointError, match="the training of EG3D, PanoHead, GNARF or Balls"):
        read_release(tmp_path / "x.pkl")


def test_its_settings_are_checked_by_its_own_reader(balls: Family, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(h.release(network(side=-1.0)))
    with pytest.raises(CheckpointError, match=r"side: expected a number from 1.3 to 100, found -1.0; .*generator of Balls$"):
        read_release(tmp_path / "x.pkl")
    torch.save({name: tensor for name, tensor in tensors().items() if name != "torgb"}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="expected the tensors of balls, missing 'torgb'"):
        read_release(tmp_path / "x.pth", ImportOptions(config="balls"))
    torch.save(tensors(), tmp_path / "x.pth")
    with pytest.raises(UsageError, match=r"--config ffhq512-128: expected a release \(balls, small-balls\)"):
        read_release(tmp_path / "x.pth", ImportOptions(config="ffhq512-128"))


def test_its_own_video_cameras_are_chosen(balls: Family, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(h.release(network()))
    options = ImportOptions(cameras=CameraChoice(is_video=True))
    assert read_release(tmp_path / "x.pkl", options).config.cameras == NEAR_BALLS
    (tmp_path / "x.pkl").write_bytes(h.release(panohead_cases.network()))
    with pytest.raises(UsageError, match="--video-cameras: expected a generator with a published video script, found another's"):
        read_release(tmp_path / "x.pkl", options)


def test_the_others_stay_what_they_are_beside_it(balls: Family, tmp_path: Path) -> None:
    for root, name in ((h.network(h.NARROW), "eg3d"), (panohead_cases.network(), "panohead")):
        (tmp_path / "x.pkl").write_bytes(h.release(root))
        header = import_release(tmp_path / "x.pkl", tmp_path / "out.safetensors")
        assert type(header.generator_config) is FAMILIES[name].config_class


def test_a_part_of_a_familys_generator_is_told(tmp_path: Path) -> None:
    torch.save({"t_mapping.fc0.weight": torch.zeros(3, 3)}, tmp_path / "x.pth")
    with pytest.raises(
        CheckpointError, match=r"expected a generator of EG3D, PanoHead or GNARF, found .* a part of PanoHead's generator"
    ):
        read_release(tmp_path / "x.pth")


# Who may know a family

FAMILY_FOLDERS = tuple(family.builder.partition(":")[0].rpartition(".")[0] for family in FAMILIES.values() if family is not BALLS)
"""Taken when the module is imported, before any test registers a further one."""

KNOWS_A_FAMILY = {
    "dnerf_core/backbone/registry.py": "the one line a family",
    "dnerf_core/demo/config.py": "the demo is an EG3D generator: its configuration",
    "dnerf_core/demo/losses.py": "as above: it is trained",
    "dnerf_core/demo/refine.py": "as above",
    "dnerf_core/demo/train.py": "as above",
    "dnerf_core/demo/people/": "the people's world poses its bodies as GNARF does, and trains a GNARF generator",
    "headless/blend/rigged.py": "a rigged mesh becomes a body's template, which is GNARF's",
    "headless/runs/template/__init__.py": "as above",
    "headless/bench/models.py": "releases whose size is measured",
}
"""Modules, and folders by a name that ends with a slash."""


def imported_names(source: str) -> Iterator[str]:
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named_modules(source: str) -> Iterator[str]:
    """Texts of a module that are a dotted name, with an object after a colon or without: what could be imported by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("dnerf_core."):
            yield node.value.replace(":", ".")


def of_a_family(source: str) -> list[str]:
    """What a module imports, or could import by its name, out of a family's folder."""
    names = [*imported_names(source), *named_modules(source)]
    return [name for name in names if f"{name}.".startswith(tuple(f"{folder}." for folder in FAMILY_FOLDERS))]


def test_nothing_outside_a_familys_folder_imports_of_it() -> None:
    assert FAMILY_FOLDERS == ("dnerf_core.generator", "dnerf_core.panohead", "dnerf_core.gnarf")
    knowing = set()
    for package in ("dnerf_core", "headless", "blender_addon"):
        for path in (ROOT / package).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            is_own = place.replace("/", ".").startswith(tuple(f"{folder}." for folder in FAMILY_FOLDERS))
            if not is_own and of_a_family(path.read_text("utf-8")):
                knowing.add(next((name for name in KNOWS_A_FAMILY if name.endswith("/") and place.startswith(name)), place))
    assert knowing == KNOWS_A_FAMILY.keys()


def test_a_family_does_not_know_a_later_one() -> None:
    """PanoHead's and GNARF's generators are built of EG3D's parts; the other way would be a circle."""
    for path in (ROOT / "dnerf_core" / "generator").rglob("*.py"):
        later = ("dnerf_core.panohead", "dnerf_core.gnarf")
        assert not [name for name in of_a_family(path.read_text("utf-8")) if name.startswith(later)]


@pytest.mark.parametrize(
    "source",
    [
        "from dnerf_core.generator.eg3d import Generator",
        "from dnerf_core.generator.config import RayConfig",
        "def f():\n    import dnerf_core.panohead.config",
        "from dnerf_core.generator import eg3d",
        "from dnerf_core import panohead",
        "place = 'dnerf_core.generator.eg3d:Generator'",
    ],
)
def test_a_planted_import_is_found(source: str) -> None:
    assert len(of_a_family(source)) == 1
    assert of_a_family("from dnerf_core.stylegan2.config import BackboneConfig\nimport dnerf_core.generators") == []
