"""How views lie in their ranges, and which choices of a data set go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dnerf_core.errors import UsageError
from dnerf_core.ranges import Choice
from headless.datasets.channels import Channel
from headless.datasets.formats.registry import Format, needed

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts

Spacing = Literal["even", "uniform", "gaussian"]
DISTRIBUTION = Choice(
    ("even", "uniform", "gaussian"),
    None,
    "Spread views over --yaw and --pitch in even steps, or draw them by seed and view: uniform, or gaussian about the middle.",
)


def check_formats(formats: tuple[Format, ...], channels: tuple[Channel, ...]) -> None:
    """Refuse a format that lacks a channel it is about.

    Raises:
        UsageError: it does.
    """
    for format in formats:
        missing = [channel for channel in needed(format) if channel not in channels]
        if missing:
            raise UsageError(
                f"--format {format}: expected {' and '.join(needed(format))} among the channels, found no {missing[0]}; "
                "add it to --channels, or choose another format"
            )


def check_reject(share: float, channels: tuple[Channel, ...]) -> None:
    """Refuse to reject by an uncertainty that is not computed.

    Raises:
        UsageError: it is not among the channels.
    """
    if share and "uncertainty" not in channels:
        raise UsageError(
            "--reject-uncertain: expected uncertainty among the channels, found none; add it, such as "
            f"--channels {','.join([*channels, 'uncertainty'])}"
        )


def check_consistent(channels: tuple[Channel, ...], facts: ModelFacts) -> None:
    """Refuse consistent masks where there are no masks.

    Raises:
        UsageError: the model has no semantic branch, or no mask is asked for.
    """
    if not facts.has_semantics:
        raise UsageError(
            f"--consistent: expected a model with a semantic branch, found none in {facts.config.name}; train one, or leave it out"
        )
    if "mask" not in channels:
        raise UsageError(
            f"--consistent: expected the channel mask among --channels, found {','.join(channels)}; add it, or leave --consistent out"
        )


def chosen_spacing(distribution: Spacing | None, random_views: bool) -> Spacing:
    """The distribution meant by `--view-distribution` and `--random-views`, which is another spelling of uniform.

    Raises:
        UsageError: they contradict each other.
    """
    if random_views and distribution not in (None, "uniform"):
        raise UsageError(
            f"--random-views and --view-distribution: expected one of them, found both; --random-views means uniform, "
            f"not {distribution}"
        )
    return distribution or ("uniform" if random_views else "even")


def chosen_channels(named: tuple[Channel, ...] | None, facts: ModelFacts) -> tuple[Channel, ...]:
    """The channels asked for; where none are, the usual ones that the model has.

    Raises:
        UsageError: one that needs a semantic branch, or subjects that move, is asked for, and the model has none.
    """
    from headless.datasets.channels import DEFAULT_CHANNELS, DEFAULT_POSED_CHANNELS, LABEL_CHANNELS, POSED_CHANNELS
    from headless.datasets.poses.vertices import has_template_mesh

    moves = facts.config.latent.pose_shape is not None
    channels = (DEFAULT_CHANNELS + DEFAULT_POSED_CHANNELS if moves else DEFAULT_CHANNELS) if named is None else named
    if not moves and (surplus := [channel for channel in channels if channel in POSED_CHANNELS]):
        raise UsageError(
            f"--channels: expected channels that {facts.config.name} has, found {', '.join(surplus)}, which need a model whose "
            "subjects move; leave it out"
        )
    if "vertices" in channels and not has_template_mesh(facts):
        raise UsageError(
            f"--channels: expected channels that {facts.config.name} has, found vertices, which need a model whose subjects are a mesh "
            "that moves; leave it out"
        )
    if facts.has_semantics:
        return channels
    surplus = [channel for channel in channels if channel in LABEL_CHANNELS]
    if surplus and named is not None:
        raise UsageError(
            f"--channels: expected channels that {facts.config.name} has, found {', '.join(surplus)}, which need a semantic branch; "
            "train one, or leave them out"
        )
    return tuple(channel for channel in channels if channel not in LABEL_CHANNELS)
