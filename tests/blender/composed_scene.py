"""A scene to compose with: a cube before half of the subject and a wall behind it; and what a camera sees of both by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
EDGE_PX = 1e-3
"""A pixel whose centre lies so close to an edge may be either's."""


def add_box(name: str, half_sides: tuple[float, float, float], matrix: mathutils.Matrix, pass_index: int) -> bpy.types.Object:
    """A box about its own origin, with a material of its own."""
    mesh = bpy.data.meshes.new(name)
    x, y, z = half_sides
    corners = [(a, b, c) for a in (-x, x) for b in (-y, y) for c in (-z, z)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata(corners, [], faces)
    mesh.materials.append(bpy.data.materials.new(f"{name} paint"))
    item = bpy.data.objects.new(name, mesh)
    item.matrix_world, item.pass_index = matrix, pass_index
    bpy.context.scene.collection.objects.link(item)
    return item


def in_view(camera: bpy.types.Object, right: float, up: float, away: float, turn_deg: float = 0.0) -> mathutils.Matrix:
    """A place in a camera's own frame, turned about its vertical there; lengths in the scene's units."""
    pose = camera.matrix_world.normalized()
    turn = mathutils.Matrix.Rotation(np.radians(turn_deg), 4, "Y") @ mathutils.Matrix.Rotation(np.radians(turn_deg / 3), 4, "X")
    return pose @ mathutils.Matrix.Translation((right, up, -away)) @ turn


@dataclass(frozen=True)
class Lens:
    """What the scene's camera does to pixels: side of the square in pixels, focal length and centre in pixels of it."""

    side_px: int
    focal_px: float
    center_px: tuple[float, float]


def square_lens(scene: Any) -> Lens:
    """Of the scene's camera with its sensor along the longer side, at 100% and square pixels, in the enclosing square."""
    data, render = scene.camera.data, scene.render
    width, height = render.resolution_x, render.resolution_y
    side = max(width, height)
    assert data.sensor_fit == "AUTO" and render.resolution_percentage == 100
    middle = ((side - width) // 2 + width / 2, (side - height) // 2 + height / 2)  # of the picture in the square
    focal = data.lens / data.sensor_width * side
    return Lens(side, focal, (middle[0] - data.shift_x * side, middle[1] + data.shift_y * side))


def box_depth(scene: Any, box: bpy.types.Object, shift: tuple[float, float] = (0.0, 0.0)) -> Float64Array:
    """Planar depth [S, S] of a box at the pixels' centres, moved by `shift` pixels; +inf where it is not met."""
    lens = square_lens(scene)
    places = np.arange(lens.side_px) + 0.5
    x = (places[None, :] + shift[0] - lens.center_px[0]) / lens.focal_px + np.zeros((lens.side_px, 1))
    y = -(places[:, None] + shift[1] - lens.center_px[1]) / lens.focal_px + np.zeros((1, lens.side_px))
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1)  # a step is one of planar depth
    pose = np.array(scene.camera.matrix_world.normalized(), np.float64)
    to_box = np.linalg.inv(np.array(box.matrix_world, np.float64)) @ pose
    origin, directions = to_box[:3, 3], rays @ to_box[:3, :3].T
    half = np.abs(np.array([vertex.co for vertex in box.data.vertices], np.float64)).max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = (-half - origin) / directions, (half - origin) / directions
    near, far = np.minimum(first, last).max(axis=-1), np.maximum(first, last).min(axis=-1)
    return np.where((near <= far) & (near > 0), near, np.inf)


@dataclass(frozen=True, eq=False)
class Expected:
    """By arithmetic: mask and depth (in the model's units) of the pixels that are `sure`, no edge lies within `EDGE_PX` of their centres;
    and how far depth goes so far about them, which is much on a surface that is seen at a grazing angle.
    """

    mask: NDArray[np.uint8]
    depth: Float64Array
    sure: NDArray[np.bool_]
    depth_range: tuple[Float64Array, Float64Array]


def expected_view(
    scene: Any, boxes: dict[int, bpy.types.Object], mask: NDArray[np.uint8], depth: NDArray[np.float32], scale: float
) -> Expected:
    """What a subject's mask and depth become among boxes, by label id. In each pixel the nearest of all is seen."""
    shifts = [(0.0, 0.0), (EDGE_PX, 0.0), (-EDGE_PX, 0.0), (0.0, EDGE_PX), (0.0, -EDGE_PX)]
    views = []
    for shift in shifts:
        seen, near = mask.copy(), np.where(mask != 0, depth, np.inf).astype(np.float64)
        for label, box in boxes.items():
            other = box_depth(scene, box, shift) / scale
            seen, near = np.where(other < near, label, seen), np.minimum(near, other)
        views.append((seen.astype(np.uint8), near))
    same = np.all([seen == views[0][0] for seen, _ in views], axis=0)
    depths = [near for _, near in views]
    return Expected(*views[0], same, (np.min(depths, axis=0), np.max(depths, axis=0)))
