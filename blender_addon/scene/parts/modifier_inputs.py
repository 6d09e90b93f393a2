"""A Geometry Nodes modifier's inputs by name, read and set in each version of Blender; menus by the number of their item, from 0.

Blender 5.2 has inputs as properties of their own; before, they are the modifier's custom properties, and menus whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy

from ..errors import SceneError


def has_input(modifier: bpy.types.Modifier, name: str) -> bool:
    """Whether the modifier's node group has an input of that name."""
    return _identifier(modifier, name) is not None


def input_value(modifier: bpy.types.Modifier, name: str) -> Any:
    """What an input is set to; of a menu the number of the item.

    Raises:
        SceneError: there is no such input.
    """
    holder, prop = _place(modifier, name)
    value = getattr(holder, prop) if _is_own(modifier) else holder[prop]
    return _items(modifier, name).index(value) if isinstance(value, str) else value


def set_input(modifier: bpy.types.Modifier, name: str, value: Any) -> None:
    """Set an input; a menu by the number of the item.

    Raises:
        SceneError: there is no such input.
    """
    holder, prop = _place(modifier, name)
    if not _is_own(modifier):
        holder[prop] = value
        return
    if holder.bl_rna.properties[prop].type == "ENUM":
        value = _items(modifier, name)[value]
    setattr(holder, prop, value)


def draw_input(layout: bpy.types.UILayout, modifier: bpy.types.Modifier, name: str) -> None:
    """A field for an input, as the modifier's own panel has it.

    Raises:
        SceneError: there is no such input.
    """
    holder, prop = _place(modifier, name)
    layout.prop(holder, prop if _is_own(modifier) else f'["{prop}"]', text=name)


def add_menu(
    group: bpy.types.NodeTree, menu: bpy.types.NodeSocket, data_type: str, items: Sequence[str], values: Sequence[Any]
) -> bpy.types.NodeSocket:
    """A value for each item of the menu input `menu`, two items at least: the output with the chosen one's.

    An item's number is its place, as Blender counts items: the two that a new node has are renamed, and others added.
    """
    node = group.nodes.new("GeometryNodeMenuSwitch")
    node.data_type = data_type
    named = node.enum_items if hasattr(node, "enum_items") else node.enum_definition.enum_items
    for index, item in enumerate(items):
        if index < len(named):
            named[index].name = item
        else:
            named.new(item)
    for socket, value in zip(list(node.inputs)[1:], values, strict=False):  # after the values there is a socket to add one
        socket.default_value = value
    group.links.new(menu, node.inputs[0])
    return node.outputs[0]


def _is_own(modifier: bpy.types.Modifier) -> bool:
    """Whether the inputs are properties of their own."""
    return "properties" in modifier.bl_rna.properties


def _place(modifier: bpy.types.Modifier, name: str) -> tuple[Any, str]:
    """What holds an input's value, and under which name."""
    identifier = _identifier(modifier, name)
    if identifier is None:
        raise SceneError(f"{modifier.name}: expected an input {name!r} of its node group, found none; fuse the cloud again")
    return (getattr(modifier.properties.inputs, identifier), "value") if _is_own(modifier) else (modifier, identifier)


def _identifier(modifier: bpy.types.Modifier, name: str) -> str | None:
    for socket in modifier.node_group.interface.items_tree:
        if socket.name == name and socket.item_type == "SOCKET" and socket.in_out == "INPUT":
            return str(socket.identifier)
    return None


def _items(modifier: bpy.types.Modifier, name: str) -> list[str]:
    """The names of a menu's items, by their numbers: those of the node that the input is linked to."""
    for link in modifier.node_group.links:
        if link.from_node.type == "GROUP_INPUT" and link.from_socket.name == name and hasattr(link.to_node, "enum_items"):
            return [item.name for item in link.to_node.enum_items]
    raise SceneError(f"{modifier.name}: expected a menu {name!r} in its node group, found none; fuse the cloud again")
