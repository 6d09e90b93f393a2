"""What a reproduction costs, told before it starts: the steps that are missing, at rates measured here or else once elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headless.reproducing.steps import Step

_AT_128: dict[str, float] = {"mini": 0.02, "deeplabv3-mobilenet": 0.035, "deeplabv3-resnet50": 0.2, "deeplabv3-resnet101": 0.35}
"""Seconds that a picture of 128 px takes in a training step."""
_DRAWING = 0.006
"""What making a photograph of a view of 128 px takes beside it."""
_FORWARD_SHARE = 0.35
"""Of a training step's seconds, what labelling a picture takes."""
_A_CLOUD: dict[str, float] = {"pointnet-small": 4e-6, "pointnet": 6e-5, "pointnet2-small": 4e-5, "pointnet2": 3e-4}
"""Seconds a point of a cloud in a training step."""
_OTHERS: dict[str, float] = {
    "exact views to paint": 0.42,
    "steps of a branch": 0.25,
    "steps of a branch without density prior": 4.0,
    "views by a branch": 0.25,
    "views by a branch without density prior": 1.5,
    "generated clouds": 1.5,
    "exact clouds": 1.1,
    "uniform clouds": 0.04,
    "clouds of a benchmark": 0.02,
    "views seen and steps of a head on EfficientNet-Lite0, last features": 0.06,
    "views seen and steps of a head on EfficientNet-Lite0, all strides": 0.06,
    "views seen and steps of a head on ResNet101": 0.5,
    "views seen and steps of a head on DINOv2": 0.25,
    "frames looked at": 0.03,
}
_VIEWS_AT_128: dict[str, float] = {
    "views by DatasetGAN": 0.5,
    "generated views": 0.26,
    "exact views": 0.25,
    "exact photographs": 0.43,
    "exact clouds of views": 0.6,
}


@dataclass(frozen=True)
class Cost:
    """What is ahead.

    Attributes:
        steps, missing: how many there are, and are yet to be made.
        seconds: an estimate of the missing ones, of one core.
        seconds_ahead: the same by the clock, with so many at once as there are cores.
        measured: of the estimate the share that rests on rates measured on this machine, in this report's folder.
    """

    steps: int
    missing: int
    seconds: float
    seconds_ahead: float
    measured: float

    def line(self) -> str:
        """One line for people."""
        if self.missing == 0:
            return f"{self.steps} steps, all there"
        rates = "rates measured here" if self.measured > 0.95 else "rates of one core elsewhere"
        if 0.05 < self.measured <= 0.95:
            rates = f"rates measured here for {self.measured:.0%} of it, else of one core elsewhere"
        return f"{self.steps} steps, {self.missing} to be made, about {duration(self.seconds_ahead)} by {rates}"


def cost_of(steps: Iterable[Step], missing: Iterable[Step], measured: Mapping[str, float], processes: int) -> Cost:
    """The cost of some steps of which others are missing.

    Args:
        missing: each after those that it takes.
        measured: seconds a unit, by units.
        processes: how many steps are made at once.
    """
    ahead = list(missing)
    seconds = {step.key: step.units * measured.get(step.unit, usual_rate(step.unit)) for step in ahead}
    chains: dict[str, float] = {}
    for step in ahead:
        chains[step.key] = seconds[step.key] + max((chains.get(parent.key, 0.0) for parent in step.parents), default=0.0)
    total = sum(seconds.values())
    by_the_clock = max(total / processes, max(chains.values(), default=0.0))
    known = sum(seconds[step.key] for step in ahead if step.unit in measured)
    return Cost(len(list(steps)), len(ahead), total, by_the_clock, known / total if total else 1.0)


def usual_rate(unit: str) -> float:
    """Seconds a unit on one core of a processor of 2023; pixels decide what depends on them."""
    if unit in _OTHERS:
        return _OTHERS[unit]
    what, _, size = unit.partition(" at ")
    pixels = (int(size.removesuffix(" px")) / 128) ** 2 if size else 1.0
    if what in _VIEWS_AT_128:
        return _VIEWS_AT_128[what] * pixels
    words = what.split()
    if " on patches of " in what:
        return 0.1 + 1.4e-4 * int(words[-4]) ** 2 if "without" in words else 0.15
    if what.startswith("clouds of "):
        return int(words[2]) * _A_CLOUD[words[-1]]
    if what.startswith("scans labelled by "):
        return 4 * 12 * 1024 * _A_CLOUD[words[-1]] * _FORWARD_SHARE
    if what.startswith("clouds labelled by "):
        return 4 * 1024 * _A_CLOUD[words[-1]] * _FORWARD_SHARE
    share = _FORWARD_SHARE if what.startswith("views labelled by ") else 1.0
    drawing = _DRAWING if what.startswith("photographs through ") else 0.0
    return (_AT_128[words[-1]] * share + drawing) * pixels


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
