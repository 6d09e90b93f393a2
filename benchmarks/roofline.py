"""What a labelled view must move and compute, stage by stage, and how long that takes at best on some GPUs: bounds, nothing measured.

    python benchmarks/roofline.py [--model full-size|demo|people|panohead]

The view of fixed shapes that a CUDA device gets (`dnerf_core.seeing.device_view`) is run here on the CPU and counted. Operations: two for
each multiplication and addition of products and convolutions; all else is left out. Bytes: what a stage has to read that came from before
it, and what it leaves behind, each once, as if one kernel did the whole stage and kept what lies between; of a table that is gathered
from no more than is gathered. "By torch" is what its operations read and write one by one. A stage takes the longer of its two times,
stages follow each other, and starting a kernel costs nothing: no program can be faster than the bound, and none need come near it.
"""

from __future__ import annotations

import argparse
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from dnerf_core.camera import arc_cameras
from dnerf_core.convolutions.forms import BFLOAT16
from dnerf_core.model import Model
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.depth import planar_depth
from dnerf_core.rendering.final_picture import resized, uint8_pixels
from dnerf_core.rendering.guided_view import whole_view
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.sample_reading import TorchSamples
from dnerf_core.rendering.view import ray_bundle
from dnerf_core.seeing.device_view import plan_pieces, read_pieces, sample_counts
from dnerf_core.semantic.branch import label_mask
from headless.bench.models import bench_model

GATHERS = {"_embedding_bag": 0, "_embedding_bag_forward_only": 0, "index": 0, "index_select": 0, "gather": 0}
"""Operations that read part of a table, and which argument that is."""


@dataclass(frozen=True)
class Card:
    """A GPU by its maker's figures: bytes a second, and dense operations a second in float32 and, by its matrix units, in bfloat16."""

    name: str
    bytes_a_second: float
    float32: float
    bfloat16: float


CARDS = (
    Card("H200", 4.8e12, 67e12, 989e12),
    Card("RTX 4090", 1.008e12, 82.6e12, 165e12),
    Card("RTX 4060, 8 GB", 0.272e12, 15.1e12, 30.2e12),
)


@dataclass
class Cost:
    """Of one stage: operations by format, bytes that have to be moved, bytes that torch moves, kernels that torch starts."""

    flops: dict[torch.dtype, float] = field(default_factory=lambda: defaultdict(float))
    least: int = 0
    by_torch: int = 0
    kernels: int = 0

    def seconds(self, card: Card) -> float:
        """At best."""
        computing = sum(
            count / (card.bfloat16 if dtype == torch.bfloat16 else card.float32) for dtype, count in self.flops.items()
        )
        return max(computing, self.least / card.bytes_a_second)


@dataclass
class _Open:
    """A stage under way: what it has read, by storage, and what it has made."""

    read: dict[int, int] = field(default_factory=dict)
    results: dict[int, tuple[weakref.ref[Tensor], int]] = field(default_factory=dict)


class Counting(TorchDispatchMode):
    """Books every operation under the stage that runs; one within another is booked as itself only."""

    def __init__(self) -> None:
        super().__init__()
        self.costs: dict[str, Cost] = defaultdict(Cost)
        self.stack: list[tuple[str, _Open]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stretch of work."""
        self.stack.append((name, _Open()))
        try:
            yield
        finally:
            name, done = self.stack.pop()
            left = sum(size for alive, size in done.results.values() if alive() is not None)
            self.costs[name].least += sum(done.read.values()) + left
            if self.stack:  # to what is round it, this is as if it had been there
                self.stack[-1][1].results.update(dict.fromkeys(done.results, (_gone, 0)))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func.is_view or not self.stack:
            return result
        name, now = self.stack[-1]
        cost, operation = self.costs[name], func._overloadpacket.__name__
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        outputs = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        cost.kernels += 1
        cost.by_torch += sum(map(_bytes, [*inputs, *outputs]))
        gathered = sum(map(_bytes, outputs)) if operation in GATHERS else 0
        if "embedding_bag" in operation:  # each entry of the bags is a row
            gathered = args[1].numel() * args[0].shape[1] * args[0].element_size()
        for place, x in enumerate(inputs):
            key = x.untyped_storage().data_ptr()
            if key in now.results:
                continue
            size = min(_bytes(x), gathered) if operation in GATHERS and place == GATHERS[operation] else _bytes(x)
            # never more than the whole of it, however often it is read
            now.read[key] = min(max(now.read.get(key, 0), size), x.untyped_storage().nbytes())
        for x in outputs:
            key = x.untyped_storage().data_ptr()
            if all(x is not given for given in inputs):  # else written in place
                now.results[key] = (weakref.ref(x), _bytes(x))
        if func._overloadpacket in flop_registry:
            cost.flops[outputs[0].dtype] += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        elif "convolution_pointwise" in str(func):
            cost.flops[outputs[0].dtype] += 2.0 * outputs[0].numel() * inputs[1][0].numel()
        return result


def _gone() -> None:
    return None


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()


def counted(model: Model, seed: int) -> Counting:
    """The costs of a subject and of one labelled view of it."""
    costs = Counting()
    camera, side, size = (
        arc_cameras(model.config.cameras, (20.0, 20.0), count=1)[0],
        model.config.rays.neural_resolution,
        model.config.image_size,
    )
    branch, generator, subject = model.branch, model.generator, model.subject(seed)
    assert branch is not None

    class StagedSamples(TorchSamples):
        """Booked by what is read."""

        def __init__(self, *arguments: Any) -> None:
            with costs.stage("samples: read and decode density"):
                super().__init__(*arguments)

        def raw_density(self) -> Tensor:
            with costs.stage("samples: read and decode density"):
                return super().raw_density()

        def color_sums(self, *arguments: Any) -> Tensor:
            with costs.stage("samples: colours, summed a ray"):
                return super().color_sums(*arguments)

        def hidden_sums(self, *arguments: Any) -> Tensor:
            with costs.stage("samples: semantics, summed a ray"):
                return super().hidden_sums(*arguments)

    with model.inference(), costs:
        for name in ("planes", "projected", "field", "semantics", "grid", "superresolution"):
            with costs.stage(f"subject: {name}"):
                getattr(subject, name)
        cam2world, intrinsics = camera_tensors(camera, model.device)
        with costs.stage("rays and their limits"):
            rays, hit = ray_bundle(generator, subject.planes, ViewRays.from_cameras(cam2world, intrinsics, side))
        with costs.stage("plan from the density grid"):
            plans = plan_pieces(subject.grid, rays, hit, model.config.rays)
            counts = [int(count) for count in sample_counts(plans)]
        with costs.stage("weights and compositing"):
            seen = read_pieces(subject.field, subject.semantics, plans, counts, reader=StagedSamples).pixels
            view = whole_view(seen, side)
            assert view.color is not None
            assert view.semantic_map is not None
            raw, maps = generator.compose(view.color, seen.opacity, subject.planes, side), branch.split_map(view.semantic_map)
        with costs.stage("super-resolution"):
            image = subject.superresolution(raw)
        with costs.stage("semantic super-resolution"):
            scores = resized(model.prepared_refiner(maps.scores, maps.features), size)
        with costs.stage("labels, depth, 8-bit picture"):
            shown = [
                label_mask(scores),
                planar_depth(view.distance[None], view.opacity[None], intrinsics, size, model.config.box_side),
                uint8_pixels(image, size),
            ]
        assert len(shown) == 3
    return costs


def main() -> None:
    """Count and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["full-size", "demo", "people", "panohead"], default="full-size")
    parser.add_argument("--views", type=int, default=10, help="views a subject, for the rates")
    arguments = parser.parse_args()
    model = bench_model(arguments.model, "cpu")
    model.convolutions = BFLOAT16  # as every card here has it
    model.subject(1).render(model.front_camera())
    costs = counted(model, 0).costs
    names = " | ".join(f"{card.name}, ms" for card in CARDS)
    for title, own in (("once a subject", True), ("once a view", False)):
        print(
            f"\n| {title} | GFLOP | MB at least | MB by torch | kernels by torch | {names} |\n|---|---|---|---|---|{'---|' * len(CARDS)}"
        )
        chosen = {name: cost for name, cost in costs.items() if name.startswith("subject: ") == own}
        for name, cost in chosen.items():
            times = " | ".join(f"{1e3 * cost.seconds(card):.3f}" for card in CARDS)
            print(
                f"| {name.removeprefix('subject: ')} | {sum(cost.flops.values()) / 1e9:.2f} | {cost.least / 1e6:.1f} "
                f"| {cost.by_torch / 1e6:.0f} | {cost.kernels} | {times} |"
            )
        every = [sum(cost.seconds(card) for cost in chosen.values()) for card in CARDS]
        least, moved = (sum(getattr(cost, kind) for cost in chosen.values()) / 1e6 for kind in ("least", "by_torch"))
        kernels = sum(cost.kernels for cost in chosen.values())
        print(f"| **all** | | {least:.0f} | {moved:.0f} | {kernels} | " + " | ".join(f"**{1e3 * s:.3f}**" for s in every) + " |")
    print(f"\nLabelled views a second at most, {arguments.views} a subject:", end="")
    for card in CARDS:
        seconds = sum(
            cost.seconds(card) / (arguments.views if name.startswith("subject: ") else 1) for name, cost in costs.items()
        )
        print(f" {card.name} {1 / seconds:,.0f};", end="")
    print()


if __name__ == "__main__":
    main()
