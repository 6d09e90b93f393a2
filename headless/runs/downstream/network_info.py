"""What is inside a network file, from its header alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.downstream.network_file import NetworkHeader, read_network_header
from headless.work.readable_values import short_text

_TITLES = {"image": "pixels of images", "points": "points of clouds"}


def network_json(path: Path) -> dict[str, Any]:
    """All that a network file says, as JSON values.

    Raises:
        CheckpointError: it cannot be used.
    """
    from dnerf_core.checkpoints.model_file import file_sha256

    header = read_network_header(path)
    return {
        "path": str(path),
        "sha256": file_sha256(path),
        "kind": "network",
        "labels_what": header.kind,
        "network": header.network,
        "parameters": header.parameters,
        "settings": header.settings,
        "labels": header.labels.to_json(),
        "training": header.training,
    }


def network_rows(path: Path) -> list[tuple[str, str]]:
    """The same for people: names and values."""
    facts, header = network_json(path), read_network_header(path)
    return [
        ("file", str(path)),
        ("sha256", facts["sha256"]),
        ("network", f"{header.network}, labels the {_TITLES[header.kind]}"),
        ("parameters", f"{header.parameters:,}"),
        *[(f"input {key}", short_text(value)) for key, value in header.settings.items()],
        *_labels(header),
        *[(f"training {key}", short_text(value)) for key, value in header.training.items() if value not in ("", None)],
    ]


def _labels(header: NetworkHeader) -> list[tuple[str, str]]:
    return [(f"label {label.id}", f"{label.name}  #{bytes(label.color).hex()}") for label in header.labels.labels]
