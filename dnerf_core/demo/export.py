"""Write the trained demo generator as the embedded model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.demo.config import DEMO_CARS


def export_demo(state: dict[str, Tensor], record: dict[str, Any], path: Path) -> None:
    """Save a plain generator (no semantic branch yet), float16 on disk.

    Args:
        state: generator state, published names, density scale folded in.
        record: what the header says of the training.
    """
    source = {
        "file": "dnerf_core.demo.train",
        "sha256": "",
        "licence": "GPL-3.0-or-later, made from the procedural world of dnerf_core.demo",
    }
    save_model(path, DEMO_CARS, state, source=source, training={"generator": record}, stored="float16")
