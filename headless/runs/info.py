"""What is inside a model file, from its header alone, or in another file of the project: the call, the facts and their lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_facts import ModelFacts
from headless.work.readable_values import short_text
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.backbone.viewing import CameraConfig
    from dnerf_core.camera import Camera, WorldUp
    from dnerf_core.checkpoints.safetensors_layout import FileKind


@dataclass(frozen=True)
class InfoCall:
    """What one call of `info` asks for: a model's name or file, or a subject, template or network file.

    Attributes:
        verify: hold its content against the sum in it.
    """

    model_name: str
    verify: bool = False


def info(call: InfoCall, reporter: Reporter) -> None:
    """Run one call of `info`.

    Raises:
        DNeRFError: no such model, a file that cannot be used, or one that was altered since it was written.
    """
    from dnerf_core.checkpoints.safetensors_layout import MODEL, NETWORK, SUBJECT, TEMPLATE, file_kind
    from dnerf_core.embedded import EMBEDDED_MODELS
    from headless.runs.downstream.network_info import network_json, network_rows
    from headless.runs.template import template_file_facts

    path = Path(call.model_name)
    kind = MODEL if call.model_name in EMBEDDED_MODELS else file_kind(path)
    if kind == TEMPLATE:
        lines, verified = verified_lines(path, TEMPLATE) if call.verify else ([], {})
        template_lines, template = template_file_facts(path)
        reporter.summary([*template_lines, *lines], command="info", **template, **verified)
        return
    if kind == SUBJECT:
        lines, verified = verified_lines(path, SUBJECT) if call.verify else ([], {})
        subject = subject_json(path)
        reporter.summary([*subject_lines(subject), *lines], command="info", **subject, **verified)
        return
    if kind == NETWORK:
        lines, verified = verified_lines(path, NETWORK) if call.verify else ([], {})
        reporter.summary([*_aligned(network_rows(path)), *lines], command="info", **network_json(path), **verified)
        return
    facts = model_facts.describe_model(call.model_name)
    lines, verified = verified_lines(facts.path, MODEL) if call.verify else ([], {})
    reporter.summary([*info_lines(facts), *lines], command="info", **info_json(facts), **verified)


def verified_lines(path: Path, kind: FileKind) -> tuple[list[str], dict[str, bool | None]]:
    """What is told of a file's content and the check sum in it, for people and for machines.

    Raises:
        CheckpointError: they do not fit, or the file cannot be used.
    """
    from dnerf_core.checkpoints.safetensors_layout import is_as_written
    from dnerf_core.errors import CheckpointError

    whole = is_as_written(path, kind)
    if whole is False:
        raise CheckpointError(f"{path}: expected the content that it had when it was written, found another; {kind.damaged}")
    verdict = (
        "all as written" if whole else "the file has no check sum in it: it was written by an earlier version; it can be read"
    )
    return [f"verified: {verdict}"], {"verified": whole}


def info_json(facts: ModelFacts) -> dict[str, Any]:
    """All that the file says, as JSON values."""
    from dnerf_core.backbone.config_json import config_to_json
    from dnerf_core.backbone.registry import UNNAMED, family_of

    return {
        "path": str(facts.path),
        "sha256": facts.sha256,
        "parameters": facts.parameters,
        **({} if (family := family_of(facts.config).name) == UNNAMED else {"family": family}),
        "generator": config_to_json(facts.config),
        "semantic": facts.semantic_config,
        "labels": None if facts.labels is None else facts.labels.to_json(),
        "source": facts.source,
        "training": facts.training,
    }


def info_lines(facts: ModelFacts) -> list[str]:
    """All that the file says, for people."""
    from dnerf_core.backbone.registry import UNNAMED, family_of

    config = facts.config
    family = family_of(config)
    rays, cameras = config.rays, config.cameras
    limits = "the box" if rays.ray_start == "auto" else f"{rays.ray_start} to {rays.ray_end}"
    background = ", white background" if rays.white_back else ""
    edges = ", and rays of their own for edges of larger pictures" if rays.edge_rays else ""
    rows = [
        ("file", str(facts.path)),
        ("sha256", facts.sha256),
        ("generator", f"{config.name}, {config.image_size} x {config.image_size} px"),
        *([] if family.name == UNNAMED else [("family", family.title)]),
        ("parameters", ", ".join(f"{part} {count:,}" for part, count in facts.parameters.items())),
        ("neural resolution", f"{rays.neural_resolution} px, super-resolution {config.superresolution_text}"),
        ("samples a ray", f"{rays.samples_coarse} coarse + {rays.samples_fine} fine, {limits}{background}{edges}"),
        ("planes", config.planes_text),
        ("box", f"side {config.box_side:g}, centred on the world origin"),
        (
            "cameras",
            f"radius {cameras.radius:g}, focal {cameras.focal:g}, {cameras.world_up} up, pitch {cameras.pitch_deg:g} degrees",
        ),
        *([("trained views", ranges)] if (ranges := trained_views(cameras)) else []),
        ("semantic branch", short_text(facts.semantic_config) if facts.has_semantics else "none: views come without masks"),
    ]
    if facts.labels is not None:
        rows += [(f"label {label.id}", f"{label.name}  #{bytes(label.color).hex()}") for label in facts.labels.labels]
    rows += [(f"source {key}", short_text(value)) for key, value in facts.source.items() if value not in ("", None)]
    rows += [(f"training {key}", short_text(value)) for key, value in facts.training.items() if value not in ("", None)]
    return _aligned(rows)


def trained_views(cameras: CameraConfig) -> str:
    """The directions that a generator tells of itself, for people; "" where it tells none."""
    spans = (("yaw", cameras.yaw_range_deg), ("pitch", cameras.pitch_range_deg))
    ranges = [f"{name} {span[0]:g} to {span[1]:g}" for name, span in spans if span is not None]
    return f"{', '.join(ranges)} degrees" if ranges else ""


def subject_json(path: Path) -> dict[str, Any]:
    """All that a subject file says, as JSON values.

    Raises:
        CheckpointError: it cannot be used.
    """
    from dnerf_core.checkpoints.model_file import file_sha256
    from dnerf_core.checkpoints.subject_file import read_subject_header, read_subject_values

    header = read_subject_header(path)
    ws, tuned = read_subject_values(header)
    return {
        "path": str(path),
        "sha256": file_sha256(path),
        "kind": "subject",
        "generator": header.generator_name,
        "generator_sha256": header.generator_sha256,
        "space": "w" if bool((ws == ws[0]).all()) else "w+",
        "num_ws": header.num_ws,
        "w_dim": header.w_dim,
        "tuned_tensors": len(tuned),
        "tuned_values": sum(array.size for array in tuned.values()),
        "camera": None if header.camera is None else header.camera.to_json() | camera_angles(header.camera, header.world_up),
        "made": header.made,
    }


def camera_angles(camera: Camera, world_up: WorldUp) -> dict[str, float]:
    """Where a camera stands and what it sees, as the options of arcs have it; degrees and world units."""
    from dnerf_core.camera_arcs import sphere_angles

    yaw_rad, pitch_rad, radius = sphere_angles(camera.position, world_up=world_up)
    numbers = {
        "yaw_deg": math.degrees(yaw_rad),
        "pitch_deg": math.degrees(pitch_rad),
        "radius": radius,
        "focal": float(camera.intrinsics[0, 0]),
    }
    return {name: round(value, 6) for name, value in numbers.items()}


def subject_lines(facts: dict[str, Any]) -> list[str]:
    """All that a subject file says, for people."""
    camera, tuned = facts["camera"], "none"
    if facts["tuned_tensors"]:
        tuned = f"{facts['tuned_tensors']} tensors, {facts['tuned_values']:,} values"
    seen = "none"
    if camera is not None:
        seen = f"yaw {camera['yaw_deg']:g}, pitch {camera['pitch_deg']:g} degrees, radius {camera['radius']:g}, focal {camera['focal']:g}"
    rows = [
        ("file", facts["path"]),
        ("sha256", facts["sha256"]),
        ("generator", f"{facts['generator']}, sha256 {facts['generator_sha256']}"),
        ("latents", f"{facts['space']}, {facts['num_ws']} x {facts['w_dim']}"),
        ("tuned weights", tuned),
        ("camera", seen),
    ]
    rows += [(f"made {key}", short_text(value)) for key, value in facts["made"].items() if value not in ("", None)]
    return _aligned(rows)


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]
