"""Where a subject's and a view's time goes, stage by stage, against the arithmetic and the bytes of that stage.

    python benchmarks/stages.py [--model full-size|demo] [--views 10]

Two passes over the same work: one timed, one in which every operation's multiply-adds and bytes (read and written) are counted. The last
columns are the machine's own limits: the time that the arithmetic takes at the rate of a large matrix product (float32, or bfloat16 where
the stage computes in it), and the bytes at the rate of a large copy, both measured here. A stage whose arrays stay in the caches beats
the copy's rate; one that gathers, or makes many small passes, falls short of both.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from dnerf_core import subject
from dnerf_core.camera import arc_cameras
from dnerf_core.generator.eg3d import Generator
from dnerf_core.generator.packed_field import FoldedDecoder, PackedField
from dnerf_core.model import Model
from dnerf_core.rendering import guided_view
from dnerf_core.rendering import sample_reading as samples
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.semantic.refiner import PreparedRefiner
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from headless.bench.models import full_size_model
from headless.models import load_model

STAGES: tuple[tuple[Any, str, str, str], ...] = (
    ("subject", "planes", "backbone", "Generator.planes"),
    ("subject", "project", "semantic planes: projection", "SemanticBranch.project"),
    ("subject", "pack", "planes: packing", "PackedField.pack"),
    ("subject", "pack", "semantic planes: packing", "PackedSemantics.pack"),
    ("subject", "density_grid", "density grid", "PackedField.density_grid"),
    ("subject", "__init__", "super-resolution: modulated weights", "PreparedSuperResolution"),
    ("view", "footprint", "rays: footprint", "DensityGrid.footprint"),
    ("view", "limit_rays", "rays: limits", "Generator.limit_rays"),
    ("view", "plan_samples", "samples: plan from the grid", "guided_view.plan_samples"),
    ("view", "taps", "samples: taps", "PackedPlanes.taps"),
    ("view", "hidden", "samples: read, first layer", "PackedField.hidden"),
    ("view", "raw_density", "samples: density", "FoldedDecoder.raw_density"),
    ("view", "interval_weights", "samples: weights", "guided_view.interval_weights"),
    ("view", "colors", "samples: colours", "FoldedDecoder.colors"),
    ("view", "hidden", "samples: semantic read", "PackedSemantics.hidden"),
    ("view", "segment_sum", "compositing", "samples.segment_sum"),
    ("view", "__call__", "super-resolution", "PreparedSuperResolution"),
    ("view", "__call__", "semantic super-resolution", "PreparedRefiner"),
    ("view", "label_mask", "labels", "subject.label_mask"),
    ("view", "planar_depth", "planar depth", "subject.planar_depth"),
    ("view", "uint8_pixels", "8-bit image", "subject.uint8_pixels"),
)
"""Per subject or per view, the attribute that is wrapped, the stage's name, and where the attribute stands."""

OWNERS: dict[str, Any] = {
    "Generator": Generator,
    "SemanticBranch": SemanticBranch,
    "PackedField": PackedField,
    "PackedSemantics": PackedSemantics,
    "PackedPlanes": PackedPlanes,
    "FoldedDecoder": FoldedDecoder,
    "DensityGrid": DensityGrid,
    "PreparedSuperResolution": PreparedSuperResolution,
    "PreparedRefiner": PreparedRefiner,
    "guided_view": guided_view,
    "samples": samples,
    "subject": subject,
}

REST = "the rest"


@dataclass
class Cost:
    """Of one stage: seconds of its own, multiply-adds by element type, bytes."""

    seconds: float = 0.0
    bytes: int = 0
    flops: dict[torch.dtype, float] = field(default_factory=lambda: defaultdict(float))


class Stages:
    """Which stage runs now, and what each has cost. A stage inside another is counted as itself only."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = defaultdict(Cost)
        self.stack, self.since = [REST], time.perf_counter()

    def _book(self) -> None:
        now = time.perf_counter()
        self.costs[self.stack[-1]].seconds += now - self.since
        self.since = now

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """A stretch of work that belongs to stage `name`."""
        self._book()
        self.stack.append(name)
        try:
            yield
        finally:
            self._book()
            self.stack.pop()

    def wrapped(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """`call`, booked under `name`; a generator's steps are."""

        def booked(*args: Any, **kwargs: Any) -> Any:
            with self.within(name):
                result = call(*args, **kwargs)
            return self._steps(result, name) if isinstance(result, Iterator) else result

        return booked

    def _steps(self, steps: Iterator[Any], name: str) -> Iterator[Any]:
        while True:
            with self.within(name):
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step


class Counting(TorchDispatchMode):
    """Counts every operation's multiply-adds and bytes into the running stage."""

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self.stages = stages

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        cost = self.stages.costs[self.stages.stack[-1]]
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        outputs = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        if not func.is_view:
            cost.bytes += sum(x.numel() * x.element_size() for x in [*inputs, *outputs])
        if func._overloadpacket in flop_registry:
            cost.flops[outputs[0].dtype] += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        elif "convolution_pointwise" in str(func):  # oneDNN's convolution with the activation fused in
            weight = inputs[1]
            cost.flops[outputs[0].dtype] += 2.0 * outputs[0].numel() * weight[0].numel()
        return result


@contextmanager
def watched(stages: Stages) -> Iterator[None]:
    """Every stage's function is booked meanwhile."""
    with ExitStack() as stack:
        for _, attribute, name, place in STAGES:
            owner = OWNERS[place.split(".", maxsplit=1)[0]]
            original = owner.__dict__[attribute]
            call = original.__func__ if isinstance(original, classmethod) else original
            wrapped = stages.wrapped(call, name)
            stack.enter_context(
                mock.patch.object(owner, attribute, classmethod(wrapped) if isinstance(original, classmethod) else wrapped)
            )
        stages.since = time.perf_counter()
        yield
        stages._book()


def work(model: Model, seed: int, views: int) -> None:
    """A subject and its views."""
    seen = model.subject(seed)
    for camera in arc_cameras(model.config.cameras, (-30.0, 30.0), count=views):
        seen.render(camera)


def machine_rates() -> tuple[dict[torch.dtype, float], float]:
    """Multiply-adds a second (counted as two) by element type, and bytes a second of a copy."""
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.randn(2048, 2048).to(dtype)
        rates[dtype] = 2 * 2048**3 / best(lambda a=a: a @ a)
    x = torch.empty(2**26)
    y = torch.empty_like(x)
    return rates, 2 * x.numel() * 4 / best(lambda: y.copy_(x))


def best(call: Callable[[], object]) -> float:
    """Shortest of ten."""
    times = []
    for _ in range(10):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["full-size", "demo"], default="full-size")
    parser.add_argument("--views", type=int, default=10)
    arguments = parser.parse_args()
    model = load_model("demo-cars", "cpu") if arguments.model == "demo" else full_size_model(torch.device("cpu"))
    work(model, 1, 1)
    rates, copy = machine_rates()
    print(f"{arguments.model}: {torch.get_num_threads()} threads; ", end="")
    print(
        ", ".join(f"{str(dtype)[6:]} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in rates.items()) + f", copy {copy / 1e9:.1f} GB/s"
    )
    timed, counted = Stages(), Stages()
    with watched(timed):
        work(model, 0, arguments.views)
    with watched(counted), Counting(counted):
        work(model, 0, arguments.views)
    for share, times in (("subject", 1), ("view", arguments.views)):
        print(f"\n| once a {share} | ms | GFLOP | MB | arithmetic ms | bytes ms |\n|---|---|---|---|---|---|")
        total = 0.0
        for name in [stage[2] for stage in STAGES if stage[0] == share] + ([REST] if share == "view" else []):
            seconds, cost = timed.costs[name].seconds / times, counted.costs[name]
            total += seconds
            flops = sum(cost.flops.values()) / times
            limit = sum(count / rates.get(dtype, rates[torch.float32]) for dtype, count in cost.flops.items()) / times
            moved = cost.bytes / times
            print(
                f"| {name} | {seconds * 1e3:.1f} | {flops / 1e9:.2f} | {moved / 1e6:.0f} | {limit * 1e3:.1f} | {moved / copy * 1e3:.1f} |"
            )
        print(f"| **all** | **{total * 1e3:.1f}** | | | | |")


if __name__ == "__main__":
    main()
