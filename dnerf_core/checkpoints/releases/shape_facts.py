"""What the shapes of tensors say of a generator whose StyleGAN2 backbone paints planes, for the families whose weights are such.

Their release readers call it. What no shape says stands in a configuration or in construction arguments, which it takes the place of.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from dnerf_core.backbone.specs import Shape
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import ModuleRecord
from dnerf_core.checkpoints.releases.plane_settings import SUPERRESOLUTION_PREFIX
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.errors import CheckpointError
from dnerf_core.stylegan2.config import VARIANTS, PlaneGeneratorConfig, SuperResolutionKind

C = TypeVar("C", bound=PlaneGeneratorConfig)


@dataclass(frozen=True)
class ShapeFacts:
    """The part of a configuration that shapes decide, by the names in `PlaneGeneratorConfig`.

    Rays, box, background, conditioning scale, neural resolution and cameras stand in no tensor.

    Attributes:
        image_channels: what the backbone paints, all planes together.
        decoder_inputs: channels that the decoder reads.
    """

    z_dim: int
    w_dim: int
    c_dim: int
    layers: int
    backbone_resolution: int
    channel_base: int
    channel_max: int
    image_channels: int
    decoder_inputs: int
    hidden_dim: int
    kind: SuperResolutionKind
    image_size: int


def shape_facts(shapes: Mapping[str, Shape], where: str, title: str) -> ShapeFacts:
    """Reads the facts off a state's shapes.

    Args:
        shapes: key to shape, by published key name.
        where: how a message begins.
        title: the family, as messages name it.

    Raises:
        CheckpointError: a tensor that they are read off is missing or of another rank, or the widths are no such generator's.
    """

    def axis(key: str, index: int, rank: int) -> int:
        shape = shapes.get(key)
        if shape is None:
            raise CheckpointError(
                f"{where}: expected the tensors of {title}'s generator, missing {key!r}; import the whole generator"
            )
        if len(shape) != rank or not all(shape):
            raise CheckpointError(
                f"{where}: {key}: expected {rank} axes, found shape {list(shape)}; import an unmodified generator"
            )
        return shape[index]

    w_dim = axis("backbone.mapping.w_avg", 0, 1)
    layers = sum(bool(re.fullmatch(r"backbone\.mapping\.fc\d+\.weight", key)) for key in shapes)
    c_dim = axis("backbone.mapping.embed.weight", 1, 2) if "backbone.mapping.embed.weight" in shapes else 0
    sizes = sorted(
        int(match[1]) for key in shapes if (match := re.fullmatch(r"backbone\.synthesis\.b(\d{1,5})\.torgb\.weight", key))
    )
    if not sizes or sizes != [4 << index for index in range(len(sizes))]:
        raise CheckpointError(
            f"{where}: expected blocks backbone.synthesis.b4, b8, .., found {sizes[:9]}; import the whole generator"
        )
    widths = {size: axis(f"backbone.synthesis.b{size}.conv1.weight", 0, 4) for size in sizes}
    channel_max = max(widths.values())
    channel_base = max(size * width for size, width in widths.items())
    for size, width in widths.items():
        if width != min(channel_base // size, channel_max):
            raise CheckpointError(
                f"{where}: backbone.synthesis.b{size}.conv1.weight: expected {min(channel_base // size, channel_max)} channels beside "
                f"the other blocks', found {width}; import a generator whose widths are min(channel_base / size, channel_max)"
            )
    image_size = axis("superresolution.block1.conv1.noise_const", 0, 2)
    channels = tuple(axis(f"superresolution.block{block}.conv1.weight", 0, 4) for block in (0, 1))
    kinds = [kind for kind, variant in VARIANTS.items() if (variant.output_size, variant.channels) == (image_size, channels)]
    if not kinds:
        known = ", ".join(
            f"{kind} ({v.output_size} px, {v.channels[0]} and {v.channels[1]} channels)" for kind, v in VARIANTS.items()
        )
        raise CheckpointError(
            f"{where}: super-resolution: expected one of {known}, found {image_size} px, {channels[0]} and {channels[1]} channels; "
            "import a generator with one of these"
        )
    return ShapeFacts(
        z_dim=max(1, axis("backbone.mapping.fc0.weight", 1, 2) - (w_dim if c_dim else 0)),
        w_dim=w_dim,
        c_dim=c_dim,
        layers=layers,
        backbone_resolution=sizes[-1],
        channel_base=channel_base,
        channel_max=channel_max,
        image_channels=axis(f"backbone.synthesis.b{sizes[-1]}.torgb.weight", 0, 4),
        decoder_inputs=axis("decoder.net.0.weight", 1, 2),
        hidden_dim=axis("decoder.net.0.weight", 0, 2),
        kind=kinds[0],
        image_size=image_size,
    )


def with_shapes(config: C, facts: ShapeFacts, plane_channels: int) -> tuple[C, tuple[str, ...]]:
    """`config` with what shapes decide in the place of what it says, and a remark for each thing that changed.

    Args:
        plane_channels: features a plane.
    """
    mapping = dataclasses.replace(config.mapping, z_dim=facts.z_dim, w_dim=facts.w_dim, c_dim=facts.c_dim, layers=facts.layers)
    backbone = dataclasses.replace(
        config.backbone,
        resolution=facts.backbone_resolution,
        channel_base=facts.channel_base,
        channel_max=facts.channel_max,
        plane_channels=plane_channels,
    )
    triplane: Any = config.triplane  # a dataclass of the family's own
    by_shape = dataclasses.replace(
        config,
        image_size=facts.image_size,
        mapping=mapping,
        backbone=backbone,
        triplane=dataclasses.replace(triplane, hidden_dim=facts.hidden_dim),
        superresolution=dataclasses.replace(config.superresolution, kind=facts.kind, channels=None),
    )
    pairs = (
        ("image size", config.image_size, by_shape.image_size),
        ("super-resolution", config.superresolution.kind, facts.kind),
        ("conditioning", config.mapping.c_dim, facts.c_dim),
        ("mapping layers", config.mapping.layers, facts.layers),
        ("backbone resolution", config.backbone.resolution, facts.backbone_resolution),
        ("channel_base", config.backbone.channel_base, facts.channel_base),
        ("channel_max", config.backbone.channel_max, facts.channel_max),
    )
    changed = [f"{name} {after} in place of {before}" for name, before, after in pairs if before != after]
    return by_shape, (f"the weights' shapes decide: {', '.join(changed)}",) if changed else ()


def settings_of_options(
    bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts, image_channels: int
) -> tuple[ReleaseSettings, tuple[str, ...]]:
    """`bare`, which has no modules, with the settings of a state dict's construction arguments; a remark for what its shapes say otherwise.

    Shapes decide what they can; modules that only carry attributes stand for those of a snapshot.

    Args:
        image_channels: what the backbone paints.
    """
    rendering = options.get("rendering_kwargs")
    rendering = dict(rendering) if type(rendering) is dict else {}
    module = f"training.superresolution.{SUPERRESOLUTION_PREFIX}{facts.kind}"
    named = rendering.get("superresolution_module")
    by_shape = {
        **{"z_dim": facts.z_dim, "w_dim": facts.w_dim, "c_dim": facts.c_dim, "img_resolution": facts.image_size},
        **{"channel_base": facts.channel_base, "channel_max": facts.channel_max},
    }
    changed = [
        f"{name} {value} in place of {shown(options[name])}"
        for name, value in by_shape.items()
        if options.get(name, value) != value
    ]
    if type(named) is str and named.rpartition(".")[2] != module.rpartition(".")[2]:
        changed.append(f"super-resolution {facts.kind} in place of {shown(named)}")
    rendering["superresolution_module"] = module
    root = ModuleRecord("TriPlaneGenerator", {**options, **by_shape, "rendering_kwargs": rendering})
    backbone = ModuleRecord("Generator", {"img_resolution": facts.backbone_resolution, "img_channels": image_channels})
    backbone.state["conv_clamp"] = options.get("conv_clamp")
    decoder = ModuleRecord("OSGDecoder", {"hidden_dim": facts.hidden_dim})
    settings = dataclasses.replace(bare, modules={"": root, "backbone": backbone, "decoder": decoder})
    return settings, (f"the weights' shapes decide: {', '.join(changed)}",) if changed else ()
