"""What a file is that holds no generator of the registered families: named by its classes, or by the names of its tensors."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

from dnerf_core.backbone.registry import FAMILIES
from dnerf_core.checkpoints.inert.records import ForeignRecord, ModuleRecord, TensorRecord
from dnerf_core.checkpoints.releases.recognition import dictionary, family_of_own_tensors

NEXT3D = "Next3D's generator (faces that move)"
STYLEGAN2 = "StyleGAN2's generator (plain images)"
STYLEGAN3 = "StyleGAN3's generator (plain images)"
DISCRIMINATOR = "a discriminator alone"
TENSORFLOW = "a StyleGAN of the TensorFlow code"
DIFFUSION = "a part of a diffusion model (diffusers)"

_RELATIVES: tuple[tuple[str, tuple[str, ...]], ...] = ((NEXT3D, (r"(^|\.)texture_backbone\.",)),)
"""Relatives of EG3D that have its tensors and more, and are not imported: each of the patterns fits some name."""

_STRANGERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (STYLEGAN3, (r"(^|\.)synthesis\.input\.(affine|freqs|transform)",)),
    (STYLEGAN2, (r"(^|\.)synthesis\.b4\.const$", r"(^|\.)mapping\.fc0\.")),
    (f"{STYLEGAN2}, of another code", (r"(^|\.)style\.1\.weight$", r"(^|\.)convs\.0\.conv\.weight$")),
    (DISCRIMINATOR, (r"(^|\.)b4\.(fc|out)\.weight$",)),
    (f"{DISCRIMINATOR}, of StyleGAN2", (r"(^|\.)final_linear\.1\.weight$",)),
    (DIFFUSION, (r"(^|\.)(down_blocks|up_blocks|mid_block|diffusion_model|transformer_blocks|double_blocks)\.",)),
    (DIFFUSION, (r"(^|[._])lora_(A|B|up|down|unet|te)",)),
    ("a text encoder", (r"(^|\.)(text_model|embeddings\.token_embedding)\.",)),
    ("VGG's weights", (r"^features\.0\.weight$", r"^classifier\.")),
    ("a ResNet's weights", (r"(^|\.)layer1\.0\.conv1\.weight$",)),
)
"""Others, the first that fits."""


def relative_by_names(names: Collection[str]) -> str | None:
    """Which relative of EG3D that is not imported a state dict is of, although it has EG3D's tensors too; None: of none."""
    return _first(_RELATIVES, names)


def relative_by_settings(root: ModuleRecord) -> str | None:
    """Which relative of EG3D that is not imported a TriPlaneGenerator is; None: none."""
    modules = dictionary(root.state.get("_modules"))
    if "texture_backbone" in modules:
        return NEXT3D
    return None


def stranger(tree: Any) -> str | None:
    """What a checkpoint without a registered family's generator holds, as a message names it; None: nothing that is known."""
    names = [name for value in _near(tree) if (name := _named(value)) is not None]
    return next((name for name in names if not name.startswith(DISCRIMINATOR)), names[0] if names else None)


def stranger_class(root: ModuleRecord) -> str | None:
    """What a network is whose class is no registered family's; None: nothing that is known."""
    modules = dictionary(root.state.get("_modules"))
    if root.class_name.endswith("Discriminator"):
        return DISCRIMINATOR
    synthesis = modules.get("synthesis")
    inner = dictionary(synthesis.state.get("_modules")) if type(synthesis) is ModuleRecord else {}
    if "mapping" in modules and synthesis is not None:
        return STYLEGAN3 if "input" in inner else STYLEGAN2
    return None


def _named(value: Any) -> str | None:
    if type(value) is ForeignRecord:
        if value.name.startswith("dnnlib.tflib."):
            return TENSORFLOW
        return DISCRIMINATOR if value.name.endswith("Discriminator") else None
    if type(value) is ModuleRecord:
        return stranger_class(value)
    if type(value) is dict and any(type(part) is TensorRecord for part in value.values()):
        names = [name for name in value if type(name) is str]
        family = family_of_own_tensors(names, FAMILIES.values())
        if family is not None:
            return f"a part of {family.title}'s generator"
        return relative_by_names(names) or _first(_STRANGERS, names)
    return None


def _near(tree: Any) -> Iterator[Any]:
    """A value and what it holds, down to three containers, each once."""
    seen: set[int] = set()
    waiting = deque([(tree, 3)])
    while waiting:
        value, depth = waiting.popleft()
        yield value
        if depth and type(value) in (dict, list, tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend((part, depth - 1) for part in (value.values() if type(value) is dict else value))


def _first(table: tuple[tuple[str, tuple[str, ...]], ...], names: Collection[str]) -> str | None:
    for family, patterns in table:
        if all(any(re.search(pattern, name) for name in names) for pattern in patterns):
            return family
    return None
