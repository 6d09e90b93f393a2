"""The options of data sets: channels, formats, view distributions, splits, rejection."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from dnerf_core.errors import brief
from headless.commands import options
from headless.commands.ranged_options import option, type_of
from headless.datasets.channels import CHANNELS, DEFAULT_CHANNELS, parse_channels
from headless.datasets.formats.registry import FORMATS
from headless.datasets.spacing import DISTRIBUTION
from headless.datasets.splits import parse_splits

F = TypeVar("F", bound=Callable[..., Any])


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
    return option("--view-distribution", type=type_of(DISTRIBUTION), help=DISTRIBUTION.text, show_default="even")(function)


def channels_option(function: F) -> F:
    """`--channels`: what is written of each view; None where it is not given."""
    text, usual = f"Write these of each view, any of {','.join(CHANNELS)}.", ",".join(DEFAULT_CHANNELS)
    return option("--channels", type=_Parsed("channels", parse_channels), metavar="LIST", help=text, show_default=usual)(function)


def format_option(function: F) -> F:
    """`--format`: what is written beside the folder, which is always there."""
    text = f"Also write the views in other formats, any of {','.join(FORMATS)}."
    return options.formats_option(FORMATS, "folder", text, always=["folder"])(function)


def reject_option(function: F) -> F:
    """`--reject-uncertain`: the share of views that no list names; 0 where it is not given."""
    text = "Leave the most uncertain views out of all lists, this share of them, such as 10%."
    add = option("--reject-uncertain", type=_Parsed("share", parse_share), default=0.0, metavar="SHARE%", help=text)
    return add(function)


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


def splits_option(function: F) -> F:
    """`--splits`: names and shares that subjects are dealt out to; empty where it is not given."""
    text = "Deal subjects out to splits, a folder each, by a hash of the seed, such as train=0.8,val=0.1,test=0.1."
    add = option("--splits", type=_Parsed("splits", parse_splits), default=(), metavar="NAME=SHARE,..", help=text)
    return add(function)
