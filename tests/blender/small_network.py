"""Write a network of points to a folder, of random weights: `python -m tests.blender.small_network FOLDER`; `points.safetensors`.

It runs on the Python that has torch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dnerf_core.downstream.network_file import save_network
from dnerf_core.downstream.points.networks import PointSettings, built
from dnerf_core.labels import LabelSet


def main(folder: Path) -> None:
    labels = LabelSet.from_names(["left", "right"])
    save_network(
        folder / "points.safetensors",
        kind="points",
        network="pointnet-small",
        labels=labels,
        settings=PointSettings("aligned", 64).to_json(),
        state=built("pointnet-small", labels, seed=5).state_dict(),
        training={},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
