"""Masks painted in Blender: a paintable image, a brush that does not blend, and the ids back, exactly or not at all.

A mask is painted in its labels' colours on a byte image, so a pixel is a part's when its three bytes are. The image is sRGB, as all that
is shown: up to 4.x Blender paints a brush's numbers on it as they are, from 5.0 on it takes them for linear. Blender blends where a
brush's edge is soft or smoothed; such pixels are told with their place, and put right only on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.labels import IGNORE_COLOR, IGNORE_ID, Color, LabelSet

from .errors import SceneError
from .png import palette_png
from .views import image_to_array, mask_image, refill

BRUSH_NAME = "DatasetNeRF label"
_REMEDY = "open it and press Repair and Save, or Repair and Apply, or paint over them"

_STRANGE = 256
"""Stands for an id where a pixel has no label's colour."""


@dataclass(frozen=True, eq=False)
class PaintedMask:
    """What has been painted.

    Attributes:
        ids: uint8 [H, W].
        repaired_px: pixels that had no label's colour and were given a neighbour's.
    """

    ids: NDArray[np.uint8]
    repaired_px: int


def open_mask(name: str, mask: NDArray[np.uint8], labels: LabelSet) -> bpy.types.Image:
    """The image to paint a mask [H, W] on; one of that name made before is filled anew, unless it has been painted on: that one stays,
    under another name.

    Raises:
        AnnotationError: the mask has ids that are no labels.
    """
    return mask_image(name, mask, labels)


def refill_mask(image: bpy.types.Image, mask: NDArray[np.uint8], labels: LabelSet, *, safe: bool = True) -> None:
    """Put a mask [H, W] of its size into an image; `safe`: a file has it, so that it needs no saving.

    Raises:
        AnnotationError: the mask has ids that are no labels.
    """
    refill(image, labels.colorize(mask), safe=safe)


def label_palette(labels: LabelSet, name: str = BRUSH_NAME) -> bpy.types.Palette:
    """Blender's palette of the labels' colours in the order of their ids, the ignore colour last; made anew."""
    palette = bpy.data.palettes.get(name) or bpy.data.palettes.new(name)
    palette.colors.clear()
    for color in (*(label.color for label in labels.labels), IGNORE_COLOR):
        set_color(palette.colors.new(), color)
    return palette


def set_up_brush(scene: bpy.types.Scene, labels: LabelSet, label_id: int, size_px: int | None = None) -> bpy.types.Brush:
    """Make image painting lay down one label's exact colour: full strength, an even disc, no smoothing, no blending.

    Args:
        label_id: a label's id, or 255 for pixels to ignore.
        size_px: the brush's size on the screen; None leaves it.

    Raises:
        SceneError: no such label, or no brush to set up, which Blender gives when painting begins.
    """
    if not (0 <= label_id < labels.num_classes or label_id == IGNORE_ID):
        raise SceneError(
            f"label: expected 0 to {labels.num_classes - 1} or {IGNORE_ID}, found {label_id}; choose one of the labels"
        )
    paint = scene.tool_settings.image_paint
    brush = _brush(paint)
    stop_blending(brush)
    # size, strength and colour shared by all brushes would win over this brush's
    unified = getattr(paint, "unified_paint_settings", None) or scene.tool_settings.unified_paint_settings
    unified.use_unified_color = unified.use_unified_strength = False
    if size_px is not None:
        unified.use_unified_size = False
        brush.size = size_px
    paint.palette = label_palette(labels)
    set_color(brush, IGNORE_COLOR if label_id == IGNORE_ID else labels.labels[label_id].color)
    return brush


def stop_blending(brush: bpy.types.Brush) -> None:
    """Make a brush lay down its colour as it is, from edge to edge."""
    brush.blend = "MIX"
    brush.strength = 1.0
    # the falloff over the brush's radius; renamed in 5.0
    falloff = "curve_distance_falloff_preset" if "curve_distance_falloff_preset" in brush.bl_rna.properties else "curve_preset"
    setattr(brush, falloff, "CONSTANT")
    brush.use_paint_antialiasing = False
    brush.use_pressure_strength = brush.use_offset_pressure = brush.use_accumulate = False
    brush.color_type = "COLOR"
    brush.texture_slot.texture = brush.mask_texture_slot.texture = None


def _brush(paint: bpy.types.ImagePaint) -> bpy.types.Brush:
    if paint.bl_rna.properties["brush"].is_readonly:  # brushes are assets, and the active one is Blender's to choose
        if paint.brush is None:
            raise SceneError("brush: expected an active brush for painting images, found none; choose one in the Image Editor")
        return paint.brush
    brush = bpy.data.brushes.get(BRUSH_NAME) or bpy.data.brushes.new(BRUSH_NAME, mode="TEXTURE_PAINT")
    brush.use_fake_user = True
    paint.brush = brush
    return brush


def ids_of(image: bpy.types.Image, labels: LabelSet, *, snap: bool = False) -> PaintedMask:
    """The label ids of a painted image.

    Args:
        snap: give a pixel between colours the label of a neighbour, the one whose colour is nearest to the pixel's.

    Raises:
        SceneError: no 8-bit image, a pixel that is transparent, or, without `snap`, one that has no label's colour; the first
            is named. With `snap`, an image without any label's colour.
    """
    pixels = image_to_array(image)
    clear = pixels[..., 3] != 255
    if clear.any():
        row, column = (int(i) for i in np.argwhere(clear)[0])
        raise SceneError(
            f"{image.name}: expected opaque pixels, found {int(clear.sum())} that are not, the first at column {column}, row {row}; "
            "paint with a label instead of erasing"
        )
    if not snap:
        try:
            return PaintedMask(labels.ids_from_colors(np.ascontiguousarray(pixels[..., :3]), image.name, _REMEDY), 0)
        except AnnotationError as error:
            raise SceneError(str(error)) from None
    return _snapped(pixels[..., :3].astype(np.int32), labels, image.name)


def save_mask(path: Path, ids: NDArray[np.uint8], labels: LabelSet) -> None:
    """A palette PNG whose pixel values are the ids, as `dnerf-headless train` reads it; whole or not at all.

    Raises:
        AnnotationError: ids that are no labels.
        OutputError: the file cannot be written.
    """
    labels.colorize(ids)
    write_bytes_whole(path, palette_png(ids, labels.palette()))


def _snapped(rgb: NDArray[np.int32], labels: LabelSet, name: str) -> PaintedMask:
    """Strange pixels get a label from their eight neighbours, from the edges of what is known inwards."""
    known = np.array([*range(labels.num_classes), IGNORE_ID])
    colors = labels.palette()[known].astype(np.int32)
    ids = np.full(rgb.shape[:2], _STRANGE, np.int32)
    for label_id, color in zip(known.tolist(), colors, strict=True):
        ids[(rgb == color).all(-1)] = label_id
    strange = int((ids == _STRANGE).sum())
    if strange == ids.size:
        raise SceneError(f"{name}: expected the labels' colours, found none of them; open the mask again")
    palette = np.zeros((_STRANGE + 1, 3), np.int32)
    palette[known] = colors
    while (left := ids == _STRANGE).any():
        around = np.stack(_neighbours(ids), axis=-1)[left]
        distance = np.square(palette[around] - rgb[left][:, None]).sum(-1)
        distance = np.where(around == _STRANGE, np.iinfo(np.int64).max, distance)
        ids[left] = np.take_along_axis(around, distance.argmin(1)[:, None], 1)[:, 0]
    return PaintedMask(ids.astype(np.uint8), strange)


def _neighbours(ids: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    height, width = ids.shape
    framed = np.pad(ids, 1, constant_values=_STRANGE)
    steps = [(down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1)]
    return [framed[down : down + height, right : right + width] for down, right in steps]


def set_color(painting: bpy.types.Brush | bpy.types.PaletteColor, color: Color) -> None:
    """Let a brush, or a colour of a palette, paint exactly these bytes on an sRGB byte image."""
    srgb = mathutils.Color([channel / 255 for channel in color])
    is_linear = painting.bl_rna.properties["color"].subtype == "COLOR"  # COLOR_GAMMA up to 4.x
    painting.color = srgb.from_srgb_to_scene_linear() if is_linear else srgb
