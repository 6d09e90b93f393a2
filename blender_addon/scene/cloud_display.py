"""How a cloud is shown: a Geometry Nodes modifier that puts a small square on every point, across its normal.

Squares, because Blender's own points have no colours in Workbench, so in the viewport's Solid mode; and because a square along
the surface does not widen the outline, as a ball of the size that closes the surface does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .errors import SceneError
from .parts.modifier_inputs import add_menu, draw_input, has_input, input_value, set_input

MODIFIER_NAME = "DatasetNeRF points"
PART, SIZE, COLOR_MODE = "Part", "Size", "Colour Mode"
"""Names of the modifier's inputs: the part that is shown alone, the side of a square, and whose colours are shown."""
ALL_PARTS = "All"
_COLOR_MODES = ("Photo", "Part")
_RADIUS, _PART_COLORS = "Radius", "Part Colours"
"""The inputs that clouds of the first version have: half the side, and whether part colours are shown."""

SHOWN_COLOR = "shown_color"
"""The colour attribute that the modifier makes. Not `color`, by which Cycles means a volume's."""

_GROUP_VERSION = 2
_MATERIAL_VERSION = 2
_VERSION_PROPERTY = "dnerf_version"
_LABELS_PROPERTY = "dnerf_labels"
"""On the node group: the names of its parts, by their ids, the background's first."""
_RADIUS_IN_SPACINGS = 1.2
"""Closes the surface from all sides at the least outline: measured on demo clouds, where 1.0 leaves holes in slanted parts."""
_SAMPLED_POINTS, _COMPARED_POINTS, _NEIGHBOURS = 64, 30_000, 8
_RADIUS_OF_ONE = 0.01
HEADLIGHT = "Headlight"
"""Name of the value in the part colours' material that lets them darken where the surface turns away: 0, flat, to 1."""


def point_radius(points: NDArray[np.float32]) -> float:
    """Half the side of the squares that close a surface of these points [N, 3], in their unit.

    A point's share of a surface is pi d^2 / k, d the distance of its k-th neighbour. The median of 64 points counts, measured among
    every stride-th point, whose shares are stride times as large.
    """
    stride = -(-len(points) // _COMPARED_POINTS)
    columns = points[::stride].T.copy()
    count = columns.shape[1]
    neighbours = min(_NEIGHBOURS, count - 1)
    if neighbours < 1:
        return _RADIUS_OF_ONE
    squared = [
        np.partition(sum(np.square(column - column[index]) for column in columns), neighbours)[neighbours]
        for index in np.unique(np.linspace(0, count - 1, _SAMPLED_POINTS).astype(np.int64))
    ]
    share = math.pi * float(np.median(squared)) / neighbours / stride
    return _RADIUS_IN_SPACINGS * math.sqrt(share) or _RADIUS_OF_ONE


def show_points(item: bpy.types.Object, radius: float, names: Sequence[str]) -> None:
    """Give an object the modifier.

    Args:
        names: of its labels by id, the background's first; empty: it has none.
    """
    modifier = item.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = _points_group(names)
    set_shown(item, radius=radius, part_colors=False, part_id=0)


def show_other_labels(item: bpy.types.Object, names: Sequence[str]) -> None:
    """Let the modifier offer other labels: all parts are shown, the points keep their size.

    Raises:
        SceneError: the object has lost the modifier.
    """
    modifier = _modifier(item)
    radius = _shown_radius(modifier)
    modifier.node_group = _points_group(names)
    set_shown(item, radius=radius, part_id=0)


def set_shown(
    item: bpy.types.Object, *, radius: float | None = None, part_colors: bool | None = None, part_id: int | None = None
) -> None:
    """Set the modifier's inputs; None leaves one as it is.

    Args:
        radius: half the side of a square.
        part_colors: whether part colours are shown instead of the pictures'.
        part_id: the part that is shown alone; 0: all.

    Raises:
        SceneError: the object has lost the modifier, or has no such parts.
    """
    modifier = _modifier(item)
    if radius is not None:
        if has_input(modifier, _RADIUS):
            set_input(modifier, _RADIUS, radius)
        else:
            set_input(modifier, SIZE, 2.0 * radius)
    if part_colors is not None:
        if has_input(modifier, _PART_COLORS):
            set_input(modifier, _PART_COLORS, part_colors)
        elif part_colors or has_input(modifier, COLOR_MODE):
            set_input(modifier, COLOR_MODE, int(part_colors))
    if part_id is not None and (part_id or has_input(modifier, PART)):
        set_input(modifier, PART, part_id)
    item.update_tag()


def shows_parts(item: bpy.types.Object) -> bool:
    """Whether part colours are shown.

    Raises:
        SceneError: the object has lost the modifier.
    """
    modifier = _modifier(item)
    name = _PART_COLORS if has_input(modifier, _PART_COLORS) else COLOR_MODE
    return has_input(modifier, name) and bool(input_value(modifier, name))


def copy_shown(old: bpy.types.Object, fresh: bpy.types.Object) -> None:
    """Show a cloud as another one of the same labels is shown, in the colours and with the part that are chosen there.

    Raises:
        SceneError: one of them has lost the modifier.
    """
    modifier = _modifier(old)
    part_id = int(input_value(modifier, PART)) if has_input(modifier, PART) else 0
    set_shown(fresh, part_colors=shows_parts(old), part_id=part_id)


def draw_shown(layout: bpy.types.UILayout, item: bpy.types.Object) -> None:
    """Fields for the inputs that an object's modifier has.

    Raises:
        SceneError: the object has lost the modifier.
    """
    modifier = _modifier(item)
    for name in (PART, SIZE, _RADIUS):
        if has_input(modifier, name):
            draw_input(layout, modifier, name)


def _shown_radius(modifier: bpy.types.Modifier) -> float:
    if has_input(modifier, _RADIUS):
        return float(input_value(modifier, _RADIUS))
    return float(input_value(modifier, SIZE)) / 2.0


def _modifier(item: bpy.types.Object) -> bpy.types.Modifier:
    modifier = item.modifiers.get(MODIFIER_NAME)
    if modifier is None or modifier.type != "NODES" or modifier.node_group is None:
        raise SceneError(f"{item.name}: expected the modifier {MODIFIER_NAME!r}, found none; undo, or fuse the cloud again")
    return modifier


def _points_group(names: Sequence[str]) -> bpy.types.NodeTree:
    """The node group of these labels, shared by all such clouds of the file; made where this version of it is not there yet."""
    for group in bpy.data.node_groups:
        if (
            group.get(_VERSION_PROPERTY) == _GROUP_VERSION
            and list(group.get(_LABELS_PROPERTY, ())) == list(names)
            and group.name.startswith(MODIFIER_NAME)
        ):
            return group
    group = bpy.data.node_groups.new(MODIFIER_NAME, "GeometryNodeTree")
    group[_VERSION_PROPERTY] = _GROUP_VERSION
    if names:
        group[_LABELS_PROPERTY] = list(names)
    sockets = group.interface
    sockets.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    if len(names) > 1:
        sockets.new_socket(PART, in_out="INPUT", socket_type="NodeSocketMenu", description="The part that is shown alone")
    size = sockets.new_socket(SIZE, in_out="INPUT", socket_type="NodeSocketFloat", description="Side of a point's square")
    size.subtype, size.min_value, size.default_value = "DISTANCE", 0.0, 0.02
    if len(names) > 1:
        sockets.new_socket(
            COLOR_MODE, in_out="INPUT", socket_type="NodeSocketMenu", description="Colours of the pictures, or of the parts"
        )
    sockets.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    _fill(group, names if len(names) > 1 else ())
    for socket in sockets.items_tree:  # now that the menus are linked, their items are known
        if socket.socket_type == "NodeSocketMenu":
            socket.default_value = ALL_PARTS if socket.name == PART else _COLOR_MODES[0]
    return group


def _fill(group: bpy.types.NodeTree, names: Sequence[str]) -> None:
    """Points that are shown -> squares across their normals -> colours -> material.

    A point is moved to a corner of its square, drawn out to a side, the side to the square. Unlike instances made real, this keeps
    the mesh, and with it the active colour that Solid mode and Workbench show.
    """
    link = group.links.new
    inputs, outputs = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    shown = _node(group, "GeometryNodeDeleteGeometry", domain="POINT")
    link(inputs.outputs["Geometry"], shown.inputs["Geometry"])
    link(_left_out(group, inputs, names), shown.inputs["Selection"])
    facing = _node(group, "FunctionNodeAlignRotationToVector", axis="Z")
    link(_named(group, "normal", "FLOAT_VECTOR"), facing.inputs["Vector"])
    radius = _node(group, "ShaderNodeMath", operation="MULTIPLY")
    link(inputs.outputs[SIZE], radius.inputs[0])
    radius.inputs[1].default_value = 0.5

    def along(x: float, y: float) -> bpy.types.NodeSocket:
        """That many halves of a side along the square's sides."""
        direction, scaled = _node(group, "FunctionNodeRotateVector"), _node(group, "ShaderNodeVectorMath", operation="SCALE")
        direction.inputs["Vector"].default_value = (x, y, 0.0)
        link(facing.outputs["Rotation"], direction.inputs["Rotation"])
        link(direction.outputs["Vector"], scaled.inputs["Vector"])
        link(radius.outputs[0], scaled.inputs["Scale"])
        return scaled.outputs["Vector"]

    corner = _node(group, "GeometryNodeSetPosition")
    link(shown.outputs["Geometry"], corner.inputs["Geometry"])
    link(along(-1.0, -1.0), corner.inputs["Offset"])
    last = corner.outputs["Geometry"]
    for mode, offset in (("VERTICES", (2.0, 0.0)), ("EDGES", (0.0, 2.0))):
        drawn = _node(group, "GeometryNodeExtrudeMesh", mode=mode)
        link(last, drawn.inputs["Mesh"])
        link(along(*offset), drawn.inputs["Offset"])
        drawn.inputs["Offset Scale"].default_value = 1.0
        last = drawn.outputs["Mesh"]

    chosen = _node(group, "GeometryNodeSwitch", input_type="RGBA")
    link(_named(group, "color", "FLOAT_COLOR"), chosen.inputs["False"])
    link(_named(group, "part_color", "FLOAT_COLOR"), chosen.inputs["True"])
    colored = _node(group, "GeometryNodeStoreNamedAttribute", data_type="BYTE_COLOR", domain="POINT")
    colored.inputs["Name"].default_value = SHOWN_COLOR
    link(last, colored.inputs["Geometry"])
    link(chosen.outputs["Output"], colored.inputs["Value"])

    material = _node(group, "GeometryNodeSwitch", input_type="MATERIAL")
    material.inputs["False"].default_value = _material("DatasetNeRF photo colours", has_headlight=False)
    material.inputs["True"].default_value = _material("DatasetNeRF part colours", has_headlight=True)
    if names:
        in_parts = add_menu(group, inputs.outputs[COLOR_MODE], "BOOLEAN", _COLOR_MODES, (False, True))
        link(in_parts, chosen.inputs["Switch"])
        link(in_parts, material.inputs["Switch"])
    finished = _node(group, "GeometryNodeSetMaterial")
    link(colored.outputs["Geometry"], finished.inputs["Geometry"])
    link(material.outputs["Output"], finished.inputs["Material"])
    link(finished.outputs["Geometry"], outputs.inputs["Geometry"])
    for index, node in enumerate(group.nodes):
        node.location = (220 * (index // 3), -220 * (index % 3))


def _left_out(group: bpy.types.NodeTree, inputs: bpy.types.Node, names: Sequence[str]) -> bpy.types.NodeSocket:
    """Which points are not shown: hidden ones, and where a part is chosen those of the others."""
    link = group.links.new
    hidden = _named(group, "hidden", "BOOLEAN")
    if not names:
        return hidden
    part_id = add_menu(group, inputs.outputs[PART], "INT", (ALL_PARTS, *names[1:]), range(len(names)))
    other, some = (_node(group, "FunctionNodeCompare", data_type="INT", operation="NOT_EQUAL") for _ in range(2))
    for node, values in ((other, (_named(group, "label", "INT"), part_id)), (some, (part_id,))):
        for socket, value in zip([socket for socket in node.inputs if socket.type == "INT"], values, strict=False):
            link(value, socket)
    both, either = (_node(group, "FunctionNodeBooleanMath", operation=name) for name in ("AND", "OR"))
    for node, values in ((both, (other.outputs[0], some.outputs[0])), (either, (hidden, both.outputs[0]))):
        for socket, value in zip(node.inputs, values, strict=False):
            link(value, socket)
    return either.outputs[0]


def _material(name: str, *, has_headlight: bool) -> bpy.types.Material:
    """The shown colour as light, the same in every engine and with no lamp in the scene.

    Photos have their light in them. Part colours are the labels' own; one who wants to see shapes by them turns up the value `HEADLIGHT`:
    then they are 1 - 0.45 of it as bright at grazing angles.
    """
    existing = bpy.data.materials.get(name)
    if existing is not None and existing.get(_VERSION_PROPERTY) == _MATERIAL_VERSION:
        return existing
    material = bpy.data.materials.new(name)
    material[_VERSION_PROPERTY] = _MATERIAL_VERSION
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True  # from 5.0 on materials always have nodes, and the switch is on its way out
    tree = material.node_tree
    tree.nodes.clear()
    link = tree.links.new
    color, light = _node(tree, "ShaderNodeAttribute", attribute_name=SHOWN_COLOR), _node(tree, "ShaderNodeEmission")
    link(color.outputs["Color"], light.inputs["Color"])
    if has_headlight:
        place, share = _node(tree, "ShaderNodeNewGeometry"), _node(tree, "ShaderNodeValue", name=HEADLIGHT, label=HEADLIGHT)
        share.outputs[0].default_value = 0.0
        facing = _node(tree, "ShaderNodeVectorMath", operation="DOT_PRODUCT")
        link(place.outputs["Normal"], facing.inputs[0])
        link(place.outputs["Incoming"], facing.inputs[1])
        size = _node(tree, "ShaderNodeMath", operation="ABSOLUTE")
        link(facing.outputs["Value"], size.inputs[0])
        turned = _node(tree, "ShaderNodeMath", operation="MULTIPLY_ADD")  # 0.45 (size - 1)
        turned.inputs[1].default_value, turned.inputs[2].default_value = 0.45, -0.45
        strength = _node(tree, "ShaderNodeMath", operation="MULTIPLY_ADD")
        strength.inputs[2].default_value = 1.0
        link(size.outputs["Value"], turned.inputs[0])
        link(turned.outputs["Value"], strength.inputs[0])
        link(share.outputs[0], strength.inputs[1])
        link(strength.outputs["Value"], light.inputs["Strength"])
    link(light.outputs["Emission"], _node(tree, "ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def _named(group: bpy.types.NodeTree, name: str, kind: str) -> bpy.types.NodeSocket:
    """The values of a named attribute."""
    node = _node(group, "GeometryNodeInputNamedAttribute", data_type=kind)
    node.inputs["Name"].default_value = name
    return node.outputs["Attribute"]


def _node(tree: bpy.types.NodeTree, kind: str, **settings: Any) -> bpy.types.Node:
    node = tree.nodes.new(kind)
    for name, value in settings.items():
        setattr(node, name, value)
    return node
