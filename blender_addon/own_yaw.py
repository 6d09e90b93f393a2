"""A switch between the model's own yaw and two chosen angles, which stand beside it."""

from collections.abc import Callable
from typing import Any

import bpy

from dnerf_core.ranges import Degrees

ANGLES = ("yaw_first_deg", "yaw_last_deg")


def _is_own_of(angles: tuple[str, ...]) -> Callable[[Any], bool]:
    """As switched; files and scripts from before there was a switch chose the angles alone, and they still count."""

    def is_own(holder: Any) -> bool:
        if holder.is_property_set("own_yaw_switch"):
            return bool(holder.own_yaw_switch)
        return not any(map(holder.is_property_set, angles))

    return is_own


def _switch(holder: Any, on: bool) -> None:
    holder.own_yaw_switch = on


def own_yaw_property(values: Degrees, angles: tuple[str, ...] = ANGLES) -> Any:
    """The property `own_yaw`.

    Args:
        values: whose usual angles stand in where the model tells no yaw.
        angles: the properties that have the chosen ones.
    """
    assert values.usual is not None
    first, last = values.usual
    text = f"Turns as the model was trained; {first:g} to {last:g} degrees where it does not tell"
    return bpy.props.BoolProperty(name="Model's own yaw", description=text, get=_is_own_of(angles), set=_switch)


def own_yaw_switch_property() -> Any:
    """The property `own_yaw_switch`: what is kept of it."""
    return bpy.props.BoolProperty(default=True, options={"HIDDEN"})
