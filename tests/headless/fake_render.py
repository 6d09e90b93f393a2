"""The command line with the stand-in engine, as a process of its own: `python -m tests.headless.fake_render render ...`."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext

from dnerf_core.checkpoints import model_facts
from headless import cli, models
from tests.headless.fake_engine import FakeModel, fake_facts

SECONDS_A_VIEW = 0.01

if __name__ == "__main__":
    model = FakeModel(before_view=lambda: time.sleep(SECONDS_A_VIEW))
    model_facts.describe_model = lambda name: fake_facts(name, masks=True)  # type: ignore[assignment]
    models.load_model = lambda name, device, exact=False: model  # type: ignore[assignment, return-value]
    models.one_thread_a_view = nullcontext  # type: ignore[assignment]  # would load torch
    sys.exit(cli.run(sys.argv[1:]))
