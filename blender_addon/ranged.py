"""Blender's properties out of the ranges that commands and worker have too: their bounds and defaults are the data's own."""

from typing import Any

import bpy

from dnerf_core.ranges import Choice, Degrees, Number, Whole

MAX_INT = 2**31 - 1
"""Blender's integers are signed and have 32 bits."""


def whole_property(values: Whole, name: str, *, left_open: str = "", **more: Any) -> Any:
    """An IntProperty.

    Args:
        left_open: what 0 means, where a value need not be given; then 0 is the default. Empty: it always is, and the default is the
            range's own, or else its usual one.
        more: what else Blender is to be told; `description` where the range's own text says too little, `default` another one.
    """
    high = MAX_INT if values.high is None else min(values.high, MAX_INT)
    if left_open:
        text = f"{more.pop('description', values.text).rstrip('.')}; 0: {left_open}"
        return bpy.props.IntProperty(name=name, description=text, min=0, max=high, default=0, **more)
    default = values.usual if values.default is None else values.default
    keywords = {"description": values.text.rstrip("."), "default": default, **more}
    return bpy.props.IntProperty(name=name, min=values.low, max=high, **keywords)


def number_property(values: Number, name: str, **more: Any) -> Any:
    """A FloatProperty."""
    limits: dict[str, Any] = {"min": values.low} if values.high is None else {"min": values.low, "max": values.high}
    keywords = {"description": values.text.rstrip("."), **limits, **more}
    return bpy.props.FloatProperty(name=name, default=values.default, **keywords)


def degrees_property(values: Degrees, name: str, end: int, **more: Any) -> Any:
    """A FloatProperty of the first (0) or last (1) of two angles; `more` has a default where the range knows no usual one."""
    usual = {} if values.usual is None else {"default": values.usual[end]}
    return bpy.props.FloatProperty(name=name, min=-values.limit, max=values.limit, **usual, **more)


def choice_property(values: Choice, name: str, words: dict[str, tuple[str, str]], **more: Any) -> Any:
    """An EnumProperty with the choices themselves as identifiers.

    Args:
        words: of each choice, what the panel calls it, and what it means.
    """
    items = [(choice, *words[choice]) for choice in values.choices]
    keywords = {"description": values.text.rstrip("."), **({} if values.default is None else {"default": values.default}), **more}
    return bpy.props.EnumProperty(name=name, items=items, **keywords)
