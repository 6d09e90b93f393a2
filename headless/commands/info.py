"""`dnerf-headless info`: what is inside a model file, from its header alone."""

from __future__ import annotations

from typing import Any

import click

from headless import options
from headless.models import ModelFacts
from headless.reporting import Reporter


@click.command("info", epilog="\b\nExample:\n  dnerf-headless info demo-cars")
@click.argument("model_name", type=options.ModelType(), metavar="NAME|FILE")
@options.output_style_options
def command(model_name: str, as_json: bool) -> None:
    """Print what is inside a model file.

    Generator, cameras, semantic branch, labels with their colours, where the weights came from and under which licence, and the
    training record.
    """
    from headless import models

    facts = models.describe_model(model_name)
    Reporter(as_json).summary(info_lines(facts), command="info", **info_json(facts))


def info_json(facts: ModelFacts) -> dict[str, Any]:
    """All that the file says, as JSON values."""
    from dnerf_core.generator.config import config_to_json

    return {
        "path": str(facts.path),
        "sha256": facts.sha256,
        "parameters": facts.parameters,
        "generator": config_to_json(facts.config),
        "semantic": facts.semantic_config,
        "labels": None if facts.labels is None else facts.labels.to_json(),
        "source": facts.source,
        "training": facts.training,
    }


def info_lines(facts: ModelFacts) -> list[str]:
    """All that the file says, for people."""
    config = facts.config
    rays, field, cameras = config.rays, config.triplane, config.cameras
    limits = "the box" if rays.ray_start == "auto" else f"{rays.ray_start} to {rays.ray_end}"
    background = ", white background" if rays.white_back else ""
    rows = [
        ("file", str(facts.path)),
        ("sha256", facts.sha256),
        ("generator", f"{config.name}, {config.image_size} x {config.image_size} px"),
        ("parameters", ", ".join(f"{part} {count:,}" for part, count in facts.parameters.items())),
        ("neural resolution", f"{rays.neural_resolution} px, super-resolution {config.superresolution.kind}"),
        ("samples a ray", f"{rays.samples_coarse} coarse + {rays.samples_fine} fine, {limits}{background}"),
        (
            "planes",
            f"{config.backbone.resolution} px, {config.backbone.plane_channels} channels, axes {' '.join(field.plane_axes)}",
        ),
        ("box", f"side {field.box_warp:g}, centred on the world origin"),
        (
            "cameras",
            f"radius {cameras.radius:g}, focal {cameras.focal:g}, {cameras.world_up} up, pitch {cameras.pitch_deg:g} degrees",
        ),
        ("semantic branch", _short(facts.semantic_config) if facts.has_semantics else "none: views come without masks"),
    ]
    if facts.labels is not None:
        rows += [(f"label {label.id}", f"{label.name}  #{bytes(label.color).hex()}") for label in facts.labels.labels]
    rows += [(f"source {key}", _short(value)) for key, value in facts.source.items() if value not in ("", None)]
    rows += [(f"training {key}", _short(value)) for key, value in facts.training.items() if value not in ("", None)]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def _short(value: Any) -> str:
    """A JSON value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_short(item) for item in value) or "none"
    return " ".join(str(value).split())
