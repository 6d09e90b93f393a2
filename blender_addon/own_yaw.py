"""A switch between the model's own yaw and two chosen angles, `yaw_first_deg` and `yaw_last_deg`, which stand beside it."""

from typing import Any

import bpy

from dnerf_core.ranges import Degrees


def _is_own(holder: Any) -> bool:
    """As switched; files and scripts from before there was a switch chose the angles alone, and they still count."""
    if holder.is_property_set("own_yaw_switch"):
        return bool(holder.own_yaw_switch)
    return not (holder.is_property_set("yaw_first_deg") or holder.is_property_set("yaw_last_deg"))


def _switch(holder: Any, on: bool) -> None:
    holder.own_yaw_switch = on


def own_yaw_property(values: Degrees) -> Any:
    """The property `own_yaw`.

    Args:
        values: whose usual angles stand in where the model tells no yaw.
    """
    assert values.usual is not None
    first, last = values.usual
    text = f"Turns as the model was trained; {first:g} to {last:g} degrees where it does not tell"
    return bpy.props.BoolProperty(name="Model's own yaw", description=text, get=_is_own, set=_switch)


def own_yaw_switch_property() -> Any:
    """The property `own_yaw_switch`: what is kept of it."""
    return bpy.props.BoolProperty(default=True, options={"HIDDEN"})
