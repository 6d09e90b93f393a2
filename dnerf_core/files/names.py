"""Names of the files that a data set or an annotated folder holds, and its JSON bytes: one spelling for writers and readers."""

from __future__ import annotations

import json
from typing import Any

from dnerf_core.labels import LabelSet

RECORD_NAME = "dataset.json"
RECORD_VERSION = 1
VIEW_NAME_PATTERN = r"s(?P<seed>[0-9]{4,10})_v[0-9]{2,5}"
"""What `view_name` gives, as a regular expression."""


def view_name(seed: int, view: int) -> str:
    """The stem of a view's files: `s0003_v01` for seed 3, view 1."""
    return f"s{seed:04d}_v{view:02d}"


RECORD_FORMAT = "datasetnerf-views"
CAMERAS_NAME, LABELS_NAME, METADATA_NAME, SHEET_NAME = "cameras.json", "labels.json", "metadata.jsonl", "contact-sheet.png"


def labels_json(labels: LabelSet) -> bytes:
    """`labels.json`: the label set."""
    return json_bytes(labels.to_json())


def json_bytes(data: Any) -> bytes:
    """Indented JSON with a newline at its end."""
    return (json.dumps(data, indent=2) + "\n").encode()
