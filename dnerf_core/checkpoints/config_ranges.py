"""What the configs of a generator and a branch may claim: numbers that no tensor's shape backs, or shapes count with."""

from __future__ import annotations

from dnerf_core.backbone.ranges import MAX_SAMPLES
from dnerf_core.backbone.registry import family_of
from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.errors import CheckpointError, brief
from dnerf_core.labels import MAX_PART_ID
from dnerf_core.semantic.config import SemanticConfig

MAX_BRANCH_WIDTH = 1024


def check_ranges(config: BackboneConfig, where: str, remedy: str) -> None:
    """Refuses a config that could not be built or rendered, before anything is counted or allocated by it.

    Args:
        where, remedy: how the message begins and ends; the field's dotted name follows `where`.

    Raises:
        CheckpointError: a number that is not finite or out of its range; the first one is named.
    """
    family_of(config).check_ranges(config, where, remedy)


def check_branch_ranges(config: SemanticConfig, generator: BackboneConfig, where: str, remedy: str) -> None:
    """Refuses a semantic branch that could not be built for that generator, before anything is allocated by it.

    Args:
        where, remedy: how the message begins and ends; the field's dotted name follows `where`.

    Raises:
        CheckpointError: a number out of its range, or scales of which the generator has no blocks; the first one is named.
    """

    def refuse(name: str, expected: str, found: object) -> CheckpointError:
        return CheckpointError(f"{where}.{name}: expected {expected}, found {brief(found)}; {remedy}")

    for name, value, low, high in (
        ("num_classes", config.num_classes, 1, MAX_PART_ID + 1),
        ("hidden_dim", config.hidden_dim, 1, MAX_BRANCH_WIDTH),
        ("feature_dim", config.feature_dim, 1, MAX_BRANCH_WIDTH),
        ("density_samples", config.density_samples, 2, MAX_SAMPLES),
        ("refiner.widths[0]", config.refiner.widths[0], 1, MAX_BRANCH_WIDTH),
        ("refiner.widths[1]", config.refiner.widths[1], 1, MAX_BRANCH_WIDTH),
    ):
        if not low <= value <= high:
            raise refuse(name, f"{low} to {high}", value)
    if not 0 <= config.weight_epsilon < 1:
        raise refuse("weight_epsilon", "0 to less than 1", config.weight_epsilon)
    blocks = generator.source.scales
    if config.scales is not None and (not config.scales or not set(config.scales) <= set(blocks)):
        raise refuse("scales", f"some of {list(blocks)} or null", list(config.scales))
