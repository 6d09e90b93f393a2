"""Names of the files that a data set or an annotated folder holds, and its JSON bytes: one spelling for writers and readers."""

from __future__ import annotations

import json
from typing import Any

# Relative, because the extension carries this module under a package name of Blender's choosing.
from ..labels import LabelSet

RECORD_NAME = "dataset.json"
RECORD_VERSION = 1
VIEW_NAME_PATTERN = r"s(?P<seed>[0-9]{4,10})_v[0-9]{2,5}"
"""What `view_name` gives, as a regular expression."""


def view_name(seed: int, view: int) -> str:
    """The stem of a view's files: `s0003_v01` for seed 3, view 1."""
    return f"s{seed:04d}_v{view:02d}"


RECORD_FORMAT = "datasetnerf-views"
CAMERAS_NAME, LABELS_NAME, METADATA_NAME, SHEET_NAME = "cameras.json", "labels.json", "metadata.jsonl", "contact-sheet.png"
ID2LABEL_NAME = "id2label.json"
"""The labels as Hugging Face's `transformers` has them."""

TEMPLATE_NAME = "template.npz"
"""The mesh that moves with a data set's subjects, as `dnerf_core.files.meshes.posed_meshes` has it."""

DEPTH_SCALE_KEY = "integer_depth_scale"
"""What world units of a step of 16-bit depth are called in lists, as nerfstudio's and instant-ngp's files have it."""


def labels_json(labels: LabelSet) -> bytes:
    """`labels.json`: the label set."""
    return json_bytes(labels.to_json())


def id2label_json(labels: LabelSet) -> bytes:
    """`id2label.json`: ids, as text, to names; `AutoConfig.from_pretrained(.., id2label=..)` takes it as it is."""
    return json_bytes({str(label.id): label.name for label in labels.labels})


def json_bytes(data: Any) -> bytes:
    """Indented JSON with a newline at its end."""
    return (json.dumps(data, indent=2) + "\n").encode()
