"""Click options out of a call's fields: their bounds, choices and defaults are the fields' own. Help tells both in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dnerf_core.ranges import Choice, Degrees, Flag, Number, Range, Rate, Share, Whole, defaults_of, ranges_of
from headless.commands.types import ChoiceType, FiniteFloat, RangeType, RateType, ShareType

if TYPE_CHECKING:
    from click.types import OptionHelpExtra

F = TypeVar("F", bound=Callable[..., Any])


class WordedOption(click.Option):
    """An option whose help tells its default and its bounds in words: `[default: 80; 2 to 100000]`.

    A text as `show_default` stands there as it is, for a default that something else decides.
    """

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        """What click puts between brackets."""
        extra = super().get_help_extra(ctx)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        elif "default" in extra and isinstance(self.default, float):
            extra["default"] = _plain(self.default)
        if isinstance(self.type, click.IntRange | click.FloatRange):
            extra["range"] = _bounds(self.type)
        elif isinstance(self.type, RateType):
            extra["range"] = f"{self.type.values.low} to {self.type.values.high}"
        return extra


def option(*spellings: str, **more: Any) -> Callable[[F], F]:
    """`click.option` of a `WordedOption`: for what is no field with a range."""
    return click.option(*spellings, cls=WordedOption, **more)


def option_of(call: type, name: str, *spellings: str, **more: Any) -> Callable[[F], F]:
    """The option of a call's field.

    Args:
        name: of the field.
        spellings: such as `--output` and `-o`; none: the name with hyphens.
        more: what else click is to be told, such as `metavar`; `help` where the field's own text says too little, `type` where the
            field has no range, `show_default` where it has no default of its own.
    """
    values, default = ranges_of(call).get(name), defaults_of(call).get(name)
    own: dict[str, Any] = {}
    if isinstance(values, Flag):
        own |= {"is_flag": True, "default": default}
    elif values is not None:
        own["type"] = type_of(values)
    if isinstance(values, Whole | Rate):
        own["metavar"] = "N"
    if default is not None and not isinstance(values, Flag):
        own |= {"default": default, "show_default": True}
    if values is not None and values.text:
        own["help"] = values.text
    return option(*(spellings or (f"--{name.replace('_', '-')}",)), name, **own | more)


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
    if isinstance(values, Rate):
        return RateType(values)
    assert isinstance(values, Choice)
    return ChoiceType(values.choices)


def _bounds(values: click.IntRange | click.FloatRange) -> str:
    assert values.min is not None  # every range of ours has a lower end
    if values.max is None:
        return f"{'above' if values.min_open else 'at least'} {_plain(values.min)}"
    return f"{'above ' if values.min_open else ''}{_plain(values.min)} to {_plain(values.max)}"


def _plain(value: float) -> str:
    """`1000000` rather than `1e+06` or `1000000.0`, and `1e-07`."""
    return f"{value:.12g}"
