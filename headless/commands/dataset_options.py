"""The options of data sets: channels, formats, view distributions, splits, rejection."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

from dnerf_core.errors import UsageError, brief
from headless.commands import options
from headless.datasets.channels import CHANNELS, DEFAULT_CHANNELS, Channel, parse_channels
from headless.datasets.formats import FORMATS, NEEDED, Format
from headless.datasets.splits import parse_splits

F = TypeVar("F", bound=Callable[..., Any])

Spacing = Literal["even", "uniform", "gaussian"]
DISTRIBUTIONS: tuple[Spacing, ...] = ("even", "uniform", "gaussian")


class _Parsed(click.ParamType[Any]):
    """A value read by a function that raises ValueError."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def distribution_option(function: F) -> F:
    """`--view-distribution`: how a subject's views lie in the ranges of yaw and pitch; see `chosen_spacing`."""
    text = (
        "Where views lie in the ranges: even steps, or by seed and view, uniform or gaussian about the middle.  [default: even]"
    )
    return click.option("--view-distribution", type=click.Choice(DISTRIBUTIONS), help=text)(function)


def channels_option(function: F) -> F:
    """`--channels`: what is written of each view; None where it is not given."""
    text = f"What is written of each view, of {','.join(CHANNELS)}.  [default: {','.join(DEFAULT_CHANNELS)}]"
    return click.option("--channels", type=_Parsed("channels", parse_channels), metavar="LIST", help=text)(function)


def format_option(function: F) -> F:
    """`--format`: what is written beside the folder, which is always there."""
    text = f"Also write the views in other formats, of {','.join(FORMATS)}."
    return options.formats_option(FORMATS, "folder", text, always=["folder"])(function)


def check_formats(formats: tuple[Format, ...], channels: tuple[Channel, ...]) -> None:
    """Refuse a format that lacks a channel it is about.

    Raises:
        UsageError: it does.
    """
    for format in formats:
        missing = [channel for channel in NEEDED[format] if channel not in channels]
        if missing:
            raise UsageError(
                f"--format {format}: expected {' and '.join(NEEDED[format])} among the channels, found no {missing[0]}; "
                "add it to --channels, or choose another format"
            )


def reject_option(function: F) -> F:
    """`--reject-uncertain`: the share of views that no list names; 0 where it is not given."""
    text = "Leave this share of the views out of all lists, the most uncertain ones, such as 10%."
    option = click.option("--reject-uncertain", type=_Parsed("share", parse_share), default=0.0, metavar="SHARE%", help=text)
    return option(function)


def parse_share(text: str) -> float:
    """A share from text such as `10%`.

    Raises:
        ValueError: not of that form, or not above 0 and below 100.
    """
    match = re.fullmatch(r"\s*([0-9]{0,3}\.?[0-9]{1,6})\s*%\s*", text, re.ASCII)
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share < 1:
        raise ValueError(f"expected a share such as 10%, above 0% and below 100%, found {brief(text)}")
    return share


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


def splits_option(function: F) -> F:
    """`--splits`: names and shares that subjects are dealt out to; empty where it is not given."""
    text = "Deal subjects out to splits, such as train=0.8,val=0.1,test=0.1; a folder each."
    option = click.option("--splits", type=_Parsed("splits", parse_splits), default=(), metavar="NAME=SHARE,..", help=text)
    return option(function)


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
