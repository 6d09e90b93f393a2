"""Processor seconds of a full-size view, fast and by the literal method, on one thread: other work on the machine leaves them as they are.

    python benchmarks/processor_seconds.py [--model full-size|panohead] [--literal]

Weights come from a formula, as in `dnerf-headless bench`. A subject's making is shared out over 10 views.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from dnerf_core.camera import arc_cameras
from headless.bench.claims import difference
from headless.bench.literal_view import literal_channels, literal_subject
from headless.bench.models import FULL_SIZE, full_size_model

VIEWS = 10
CHANNELS: tuple[tuple[Any, ...], ...] = (("rgb", "mask", "depth"), ("mask", "depth"), ("rgb", "depth"))


def seconds(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the processor seconds that it took."""
    started = time.process_time()
    result = call()
    return result, time.process_time() - started


def main() -> None:
    """Print a line for each set of channels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(FULL_SIZE), default="panohead")
    parser.add_argument("--literal", action="store_true", help="also the literal method, about 2 minutes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = full_size_model(torch.device("cpu"), release=given.model)
    camera, size = arc_cameras(model.config.cameras, (10.0, 10.0), count=1)[0], model.config.image_size
    for channels in CHANNELS:
        model.subject(1).channels(camera, size, channels)
        subject = model.subject(0)
        _, first = seconds(lambda: subject.channels(camera, size, channels))  # noqa: B023 called at once
        view, further = seconds(lambda: subject.channels(camera, size, channels))  # noqa: B023
        fast = further + (first - further) / VIEWS
        line = f"{given.model} {'+'.join(channels)}: fast {fast:.2f} s"
        if given.literal:
            literal, making = seconds(lambda: literal_subject(subject, channels))  # noqa: B023
            seen, slow = seconds(lambda: literal_channels(literal, subject, camera, size, channels))  # noqa: B023
            slow += making / VIEWS
            apart = difference([(seen, view)], model.config.box_side)
            labels = "" if apart.agreement is None else f", labels {apart.agreement:.2%}"
            psnr = "" if apart.psnr_db is None else f", {apart.psnr_db:.1f} dB"
            line += f", literal {slow:.2f} s, {slow / fast:.1f} times{labels}{psnr}, depth {apart.depth_error:.3%}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
