"""Options of operators as scripts give them.

A number out of range is refused with a line, where Blender itself would clip it in silence.
"""

import inspect
import math
from typing import Any

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.ranges import Degrees, Number, Whole

from ..ranged import MAX_INT

_NUMBERS = (
    bpy.props.IntProperty,
    bpy.props.FloatProperty,
    bpy.props.IntVectorProperty,
    bpy.props.FloatVectorProperty,
)
_OF_SCRIPTS = {"HIDDEN", "SKIP_SAVE"}
_DIGITS = 6
"""Of a Blender float, which has seven."""
Bounds = tuple[float | None, float | None]


class Limited:
    """Of operators: what the numbers among their options may be; see `scripted`."""

    limits: dict[str, Bounds] = {}


def scripted(*groups: type, remembers: bool = False) -> Any:
    """A base for an operator that has the options of some classes, whose bounds `check_numbers` holds instead of Blender.

    Args:
        remembers: whether the next dialog of the operator begins with what was chosen in the last.
    """
    options: dict[str, Any] = {}
    limits: dict[str, Bounds] = {}
    for group in groups:
        for owner in reversed(group.__mro__):
            for name, option in inspect.get_annotations(owner).items():
                options[name], limits[name] = _without_bounds(option, set() if remembers else {"SKIP_SAVE"})
    known = {name: bounds for name, bounds in limits.items() if bounds != (None, None)}
    return type("ScriptedOptions", (Limited,), {"__annotations__": options, "limits": known})


def _without_bounds(option: Any, flags: set[str]) -> tuple[Any, Bounds]:
    keywords = {**option.keywords, "options": {*option.keywords.get("options", ()), *flags}}
    if option.function not in _NUMBERS:
        return option.function(**keywords), (None, None)
    low, high = keywords.pop("min", None), keywords.pop("max", None)
    soft = {"soft_min": low, "soft_max": high}
    keywords = {**{name: value for name, value in soft.items() if value is not None}, **keywords}
    return option.function(**keywords), (low, high)


def check_numbers(operator: Any) -> None:
    """Refuse numbers out of range among the options that a call gives.

    Raises:
        UsageError: there is one.
    """
    for name, (low, high) in operator.limits.items():
        if not operator.properties.is_property_set(name):
            continue
        value = getattr(operator, name)
        for number in (value,) if isinstance(value, int | float) else tuple(value):
            whole = isinstance(number, int)
            least = -MAX_INT - 1 if low is None else low
            values = Whole(int(least), None if high is None else int(high)) if whole else Number(least, high)
            if values.take(number if whole or not math.isfinite(number) else round(number, _DIGITS)) is None:
                raise UsageError(f"{name}: expected {values.expected}, found {number:g}; choose another")


def whole_option(name: str, text: str) -> Any:
    """A whole number of a script; the engine says what it may be, and what it is where it is left out."""
    return bpy.props.IntProperty(name=name, description=text, options=_OF_SCRIPTS)


def number_option(name: str, text: str) -> Any:
    """A number of a script, likewise."""
    return bpy.props.FloatProperty(name=name, description=text, precision=6, options=_OF_SCRIPTS)


def flag_option(name: str, text: str) -> Any:
    """A switch of a script, likewise."""
    return bpy.props.BoolProperty(name=name, description=text, options=_OF_SCRIPTS)


def pair_option(name: str, text: str) -> Any:
    """First and last of something, degrees, likewise."""
    return bpy.props.FloatVectorProperty(name=name, description=text, size=2, precision=6, options=_OF_SCRIPTS)


def angles_option(values: Degrees, name: str, text: str) -> Any:
    """The same within the bounds of a range, for what Blender itself works with."""
    return bpy.props.FloatVectorProperty(
        name=name, description=text, size=2, precision=6, min=-values.limit, max=values.limit, options=_OF_SCRIPTS
    )


def text_option(name: str, text: str) -> Any:
    """A text of a script: a name, or several as the command line has them."""
    return bpy.props.StringProperty(name=name, description=text, options=_OF_SCRIPTS)


def path_option(name: str, text: str) -> Any:
    """A path of a script, or with `os.pathsep` between them several."""
    return bpy.props.StringProperty(name=name, description=text, options=_OF_SCRIPTS)


def choice_option(name: str, choices: tuple[str, ...], text: str) -> Any:
    """One of some texts of a script; what is meant where it is left out the engine says."""
    items = [(choice, choice, "") for choice in choices]
    return bpy.props.EnumProperty(name=name, description=text, items=items, options=_OF_SCRIPTS)


def flags_option(name: str, choices: tuple[str, ...], text: str) -> Any:
    """A set of some texts of a script, likewise."""
    items = [(choice, choice, "", 1 << place) for place, choice in enumerate(choices)]
    return bpy.props.EnumProperty(name=name, description=text, items=items, options={*_OF_SCRIPTS, "ENUM_FLAG"})
