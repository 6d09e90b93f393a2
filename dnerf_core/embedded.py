"""Models that travel inside the package, by the name that stands for a path. No torch."""

from __future__ import annotations

from pathlib import Path

EMBEDDED_MODELS = ("demo-cars", "demo-people")


def model_path(name_or_path: str | Path) -> Path:
    """The file a model argument means: an embedded model's where it is the name of one, else the path as it is."""
    if str(name_or_path) in EMBEDDED_MODELS:
        return Path(__file__).parent / "demo" / f"{name_or_path}.safetensors"
    return Path(name_or_path)
