"""How many previews a second the worker gives its client, asked for one after the other, each with its arrays read.

    python benchmarks/preview.py
    python benchmarks/preview.py --full-size     # a release's size, weights from a formula: fog, the hardest case
    python benchmarks/preview.py --motion dance  # demo-people, in another pose at each update

Beside the rate by the clock stands the worker's processor time an update, which says more where other work shares the cores (Linux).
"whole": a new preview is asked for when the last whole view is there; "first": when its first view is, coarse or not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blender_addon.bridge.client import WorkerClient
from blender_addon.bridge.errors import WorkerFault
from blender_addon.bridge.launch import worker_command, worker_environment
from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.checkpoints.model_file import save_model
from dnerf_core.generator.config import CameraConfig
from headless.bench.models import full_size_model


def wait(client: WorkerClient, done: Callable[[], Any]) -> None:
    while not done():
        client.poll()
        if client.state == "lost":
            raise SystemExit(client.loss)
        time.sleep(0.001)


def ask(client: WorkerClient, method: str, params: dict[str, Any], *, coarse: bool = False) -> list[dict[str, Any]]:
    """Parts and result of a request; `coarse`: as soon as there is a part, and the rest is left to be superseded."""
    heard: list[dict[str, Any]] = []
    ends: list[bool] = []

    def failed(fault: WorkerFault) -> None:
        if fault.code != 3:
            raise SystemExit(fault.message)
        ends.append(True)

    def done(result: dict[str, Any]) -> None:
        heard.append(result)
        ends.append(True)

    client.request(method, params, on_part=heard.append, on_done=done, on_error=failed)
    wait(client, lambda: ends or (coarse and heard))
    return heard


def processor_s(client: WorkerClient) -> float:
    """Seconds of processor time that the worker has taken."""
    fields = Path(f"/proc/{client.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(
    client: WorkerClient,
    model: str,
    cameras: list[Camera],
    seeds: list[int],
    *,
    coarse: bool,
    poses: list[list[float]] | None = None,
) -> str:
    posed: list[dict[str, Any]] = [{} for _ in cameras] if poses is None else [{"pose": pose} for pose in poses]
    started, taken = time.monotonic(), processor_s(client)
    for camera, seed, pose in zip(cameras, seeds, posed, strict=True):
        for picture in ask(client, "preview", {"model": model, "seed": seed, "camera": camera.to_json(), **pose}, coarse=coarse):
            client.array(picture["rgb"])
            client.array(picture["mask"])
    seconds, taken = time.monotonic() - started, processor_s(client) - taken
    return f"{len(cameras) / seconds:.1f} ({taken / len(cameras):.3f} s)"


def save_full_size(path: Path) -> None:
    model = full_size_model(torch.device("cpu"))
    assert model.branch is not None
    save_model(
        path,
        model.config,
        model.generator.state_dict(),
        semantic_config=config_to_json(model.branch.config),
        semantic_state=model.branch.state_dict(),
        labels=model.labels,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--motion", help="let the person of demo-people follow this motion")
    parser.add_argument("--updates", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        name = "demo-cars" if arguments.motion is None else "demo-people"
        if arguments.full_size:
            name = str(Path(folder, "full-size.safetensors"))
            save_full_size(Path(name))
        # the project as this program sees it, installed or not
        environment = worker_environment() | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        client = WorkerClient(worker_command(sys.executable, "cpu"), environment=environment)
        client.start()
        try:
            config = CameraConfig(**ask(client, "model", {"model": name})[0]["cameras"])
            cameras = arc_cameras(config, (-60.0, 60.0), count=arguments.updates)
            ask(client, "preview", {"model": name, "seed": 1, "camera": cameras[0].to_json()})
            if arguments.motion is not None:
                motion = ask(client, "motion", {"model": name, "motion": arguments.motion, "fps": 12})[0]
                frames = client.array(motion["poses"])
                poses = [frames[k % len(frames)].tolist() for k in range(len(cameras))]
                print("| updates a second (processor time of one) | another pose each time |\n|---|---|")
                for kind in ("whole", "first"):
                    print(f"| {kind} | {rate(client, name, cameras, [1] * len(cameras), coarse=kind == 'first', poses=poses)} |")
                return
            print("| updates a second (processor time of one) | one seed | a new seed each time |\n|---|---|---|")
            for kind in ("whole", "first"):
                same, new = [1] * len(cameras), [100 * (kind == "first") + 2 + k for k in range(len(cameras))]
                rates = [rate(client, name, cameras, seeds, coarse=kind == "first") for seeds in (same, new)]
                print(f"| {kind} | {' | '.join(rates)} |", flush=True)
        finally:
            client.stop()


if __name__ == "__main__":
    main()
