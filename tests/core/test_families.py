"""A checkpoint of another family is named as what it is, and nobody is told to get a whole file again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.checkpoints.release import import_release
from dnerf_core.errors import CheckpointError
from tests.core import hostile as h


def refusal(folder: Path, data: bytes | None = None, name: str = "x.pkl") -> str:
    """The one line that refuses `data` (None: the file that is there); nothing is written."""
    path = folder / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        import_release(path, folder / "out.safetensors")
    message = str(caught.value)
    assert message.startswith(str(path)) and message.isprintable() and len(message) < 500 + len(str(path))
    assert "again" not in message and "download" not in message
    assert not (folder / "out.safetensors").exists()
    return message


def stylegan(third: bool) -> h.Module:
    """A Generator as StyleGAN2-ADA and StyleGAN3 pickle it."""
    root = h.Module("Generator", {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16})
    for key in ("mapping.fc0.weight", "mapping.w_avg"):
        root.add(key, np.zeros(3))
    for key in (
        ("synthesis.input.affine.weight", "synthesis.L0_36_8.weight")
        if third
        else ("synthesis.b4.const", "synthesis.b4.conv1.weight")
    ):
        root.add(key, np.zeros(3))
    root.at("synthesis").class_name = "SynthesisNetwork"
    return root


def gnarf() -> h.Module:
    """A TriPlaneGenerator whose renderer holds a body that is not all there."""
    root = h.network(h.NARROW)
    root.attributes["rendering_kwargs"] |= {"projector": "surface_field", "warping_mask": "mesh"}
    body = h.instance("smplx.body_models", "SMPL", {"v_template": np.zeros((3, 3), np.float32)})
    held = h.instance("warping_utils.smpl_helper", "SMPLSimplified", {"smpl": body})
    root.at("renderer").attributes["smpl_reduced"] = held
    return root


TENSORFLOW = h.Raw(h.name("dnnlib.tflib.network", "Network") + b")\x81}b")
DISCRIMINATOR = h.Module("DualDiscriminator", {"c_dim": 25})


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"G_ema": gnarf()}, "G_ema: expected the tensors of a body, missing 'renderer.smpl_reduced.smpl_template.v_template'"),
        ({"G": gnarf(), "G_ema": gnarf()}, "expected the tensors of a body"),
        (gnarf(), "expected the tensors of a body"),
        ({"G_ema": stylegan(False)}, "expected a TriPlaneGenerator, found 'Generator', StyleGAN2's generator"),
        ({"G_ema": stylegan(True)}, "expected a TriPlaneGenerator, found 'Generator', StyleGAN3's generator"),
        ({"G": stylegan(True), "D": DISCRIMINATOR}, "found a pickle with StyleGAN3's generator"),
        (stylegan(False), "found a pickle with StyleGAN2's generator"),
        (DISCRIMINATOR, "found a pickle with a discriminator alone"),
        ({"D": DISCRIMINATOR, "step": 3}, "found a pickle with a discriminator alone"),
        ((TENSORFLOW, TENSORFLOW, TENSORFLOW), "found a pickle with a StyleGAN of the TensorFlow code"),
        ({"weights": np.zeros(3, np.float32), "epoch": 4}, "found none; a pickle that holds 'weights' (float32 [3]), 'epoch' (4)"),
    ],
)  # fmt: skip
def test_pickles_of_other_families_are_named(tmp_path: Path, tree: Any, expected: str) -> None:
    assert expected in refusal(tmp_path, h.pickled(tree))


OWN = ("backbone.synthesis.b4.const", "backbone.synthesis.b4.torgb.weight", "backbone.mapping.w_avg", "decoder.net.0.weight")

STATES: list[tuple[tuple[str, ...], str]] = [
    ((*OWN, "renderer.smpl_clip.faces_t"), "expected the tensors of a body, missing"),
    ((*OWN, "texture_backbone.synthesis.b4.const"), "Next3D's generator"),
    (("mapping.fc0.weight", "synthesis.b4.const", "synthesis.b4.conv1.weight"), "StyleGAN2's generator"),
    (("mapping.fc0.weight", "synthesis.input.freqs", "synthesis.L0_36_512.weight"), "StyleGAN3's generator"),
    (("style.1.weight", "input.input", "convs.0.conv.weight"), "StyleGAN2's generator (plain images), of another code"),
    (("b256.fromrgb.weight", "b4.fc.weight", "b4.out.weight"), "a discriminator alone"),
    (("down_blocks.0.resnets.0.conv1.weight", "mid_block.attentions.0.to_q.weight"), "a part of a diffusion model"),
    (("model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.quant_conv.weight"), "a part of a diffusion model"),
    (("transformer_blocks.0.attn.to_q.weight",), "a part of a diffusion model"),
    (("unet.x.lora_A.weight",), "a part of a diffusion model"),
    (("text_model.embeddings.position_embedding.weight",), "a text encoder"),
    (("features.0.weight", "classifier.0.weight"), "VGG's weights"),
    (("layer1.0.conv1.weight", "fc.weight"), "a ResNet's weights"),
]


@pytest.mark.parametrize(("names", "expected"), STATES, ids=[f"{expected}-{names[-1]}" for names, expected in STATES])
@pytest.mark.parametrize("form", ["torch", "legacy", "nested", "safetensors"])
def test_state_dicts_of_other_families_are_named(tmp_path: Path, names: tuple[str, ...], expected: str, form: str) -> None:
    torch = pytest.importorskip("torch")
    state: Mapping[str, Any] = {name: torch.zeros(2, 2) for name in names}
    path = tmp_path / "x.pth"
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(dict(state), path)
        assert "found a .safetensors file with " in refusal(tmp_path, None, "x.pth") or names[:4] == OWN
    else:
        torch.save(
            {"g_ema": state, "opt": {}} if form == "nested" else state, path, _use_new_zipfile_serialization=form != "legacy"
        )
    assert expected in refusal(tmp_path, None, "x.pth")


def test_a_file_of_this_project_is_told_where_it_goes(tmp_path: Path) -> None:
    from dnerf_core.embedded import model_path

    (tmp_path / "x.pkl").write_bytes(model_path("demo-cars").read_bytes())
    assert "found a .safetensors file that is a model file already; give it with --model" in refusal(tmp_path)


def test_an_unknown_name_is_told_with_a_way_round_it(tmp_path: Path) -> None:
    message = refusal(
        tmp_path, h.pickled({"config": h.Raw(h.name("omegaconf.dictconfig", "DictConfig")), "G_ema": h.network(h.NARROW)})
    )
    assert "names the global 'omegaconf.dictconfig.DictConfig'" in message
    assert "torch.save(G_ema.state_dict(), ..)" in message


def test_a_model_argument_that_is_a_checkpoint_is_told_to_import_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from dnerf_core.checkpoints.model_file import read_header

    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(
        CheckpointError, match=r"found a zip file, as torch\.save writes; convert it with 'dnerf-headless import'"
    ):
        read_header(path)
    path.write_bytes(b"\x1f\x8b\x08" + bytes(40))
    with pytest.raises(CheckpointError, match="found a file packed by gzip; convert it with 'dnerf-headless import'"):
        read_header(path)
