"""What the project's own files promise each other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import dnerf_core

ROOT = Path(__file__).resolve().parents[2]


def test_one_version_everywhere() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert manifest["version"] == dnerf_core.__version__
    assert len(manifest["tagline"]) <= 64 and not manifest["tagline"].endswith(".")


def test_every_dependency_is_pinned() -> None:
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {d.split(";")[0].split(">")[0].split("=")[0].strip().lower() for d in wanted}
    assert names <= pinned, f"not pinned in constraints.txt: {sorted(names - pinned)}"


def test_the_embedded_model_is_small_enough_to_carry() -> None:
    for model in (ROOT / "dnerf_core" / "demo").glob("*.safetensors"):
        assert model.stat().st_size <= 16 * 2**20
