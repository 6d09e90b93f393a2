"""The worker with the stand-in engine, a process of its own: `python -m tests.headless.stand_in_worker BEHAVIOUR worker ..`."""

from __future__ import annotations

import os
import sys
import time

import torch

from dnerf_core.checkpoints import model_facts
from headless import cli, models
from tests.headless.fake_engine import FakeModel, fake_facts


def no_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def noisy() -> None:
    print("a library talks")
    os.write(1, b"its C code, too\n")


def broken() -> None:
    raise ZeroDivisionError("a mistake\nof ours")


BEFORE_VIEW = {
    "memory": no_memory,
    "noise": noisy,
    "broken": broken,
    "slow": lambda: time.sleep(0.3),
    "stuck": lambda: time.sleep(60),
}

if __name__ == "__main__":
    model = FakeModel(before_view=BEFORE_VIEW[sys.argv[1]])
    model_facts.describe_model = lambda name: fake_facts(name, masks=True)  # type: ignore[assignment]
    models.load_model = lambda name, device, exact=False: model  # type: ignore[assignment, return-value]
    sys.exit(cli.run(sys.argv[2:]))
