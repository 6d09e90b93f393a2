"""Click options out of a call's fields: their bounds, choices and defaults are the fields' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from dnerf_core.ranges import Choice, Degrees, Flag, Number, Range, Share, Whole, defaults_of, ranges_of
from headless.commands.types import FiniteFloat, RangeType, ShareType

F = TypeVar("F", bound=Callable[..., Any])


def option_of(call: type, name: str, *spellings: str, **more: Any) -> Callable[[F], F]:
    """The option of a call's field.

    Args:
        name: of the field.
        spellings: such as `--output` and `-o`; none: the name with hyphens.
        more: what else click is to be told, such as `metavar`; `help` where the field's own text says too little, `type` where the
            field has no range.
    """
    values, default = ranges_of(call).get(name), defaults_of(call).get(name)
    told: dict[str, Any] = {}
    if isinstance(values, Flag):
        told |= {"is_flag": True, "default": default}
    elif values is not None:
        told["type"] = type_of(values)
    if default is not None and not isinstance(values, Flag):
        told |= {"default": default, "show_default": True}
    if values is not None and values.text:
        told["help"] = values.text
    return click.option(*(spellings or (f"--{name.replace('_', '-')}",)), name, **told | more)


def type_of(values: Range) -> click.ParamType[Any]:
    """The click type of a range."""
    if isinstance(values, Whole):
        return click.IntRange(values.low, values.high)
    if isinstance(values, Number):
        return FiniteFloat(values.low, values.high, min_open=values.above)
    if isinstance(values, Degrees):
        return RangeType(values.limit)
    if isinstance(values, Share):
        return ShareType(values)
    assert isinstance(values, Choice)
    return click.Choice(values.choices)
