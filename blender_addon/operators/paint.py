"""Painting masks in the Image Editor: open a view, choose a label, save."""

from contextlib import AbstractContextManager

import bpy
import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError, counted
from dnerf_core.labels import IGNORE_ID, LabelSet

from .. import picture_overlay, session
from ..annotation_list import (
    annotation_labels,
    chosen_view,
    mask_image_name,
    mask_path,
    picture_path,
    read_mask,
    read_picture,
    views_to_do,
)
from ..lasting.showing import area_at
from ..lasting.timers import Timer
from ..scene.annotation import ids_of, open_mask, save_mask, set_up_brush
from ..scene.errors import SceneError
from .base import LineOperator
from .views import image_editor_area

_DRAWN_AFTER_S = 0.3
BRUSH_ASSET = "brushes/essentials_brushes-mesh_texture.blend/Brush/Paint Hard"


class DNERF_OT_paint_view(LineOperator, bpy.types.Operator):
    """Open the chosen view in the Image Editor, to paint its mask"""

    bl_idname = "dnerf.paint_view"
    bl_label = "Paint View"

    def act(self, context: bpy.types.Context) -> None:
        open_view(context)


class DNERF_OT_next_view(LineOperator, bpy.types.Operator):
    """Open the next view that is not painted yet"""

    bl_idname = "dnerf.next_view"
    bl_label = "Next View to Do"

    def act(self, context: bpy.types.Context) -> None:
        settings = context.scene.dnerf
        count = len(settings.annotation_items)
        order = [(settings.annotation_index + step) % count for step in range(1, count + 1)] if count else []
        left = [index for index in order if not settings.annotation_items[index].painted]
        if not left:
            raise UsageError("annotate: expected views to do, found none: all are painted; train, or sample more views")
        settings.annotation_index = left[0]
        open_view(context)


def open_view(context: bpy.types.Context) -> None:
    """Show the chosen view's mask for painting, its picture laid over it, with the brush of the chosen label."""
    scene = context.scene
    name, labels = chosen_view(scene).name, annotation_labels(scene)
    picture = read_picture(picture_path(scene, name))
    open_for_painting(
        context, open_mask(mask_image_name(name), read_mask(mask_path(scene, name), labels), labels), picture, labels
    )


def open_for_painting(context: bpy.types.Context, image: bpy.types.Image, picture: NDArray[np.uint8], labels: LabelSet) -> None:
    """Show a mask's image in the Image Editor, in paint mode, its picture [H, W, 3] laid over it."""
    scene = context.scene
    picture_overlay.show_over(image.name, picture)
    area = image_editor_area(context)
    space = area.spaces.active
    space.image = image
    space.mode = "PAINT"
    space.show_region_ui = True
    if scene.dnerf.painted_label_id >= labels.num_classes:
        scene.dnerf.painted_label_id = IGNORE_ID
    _with_brush(context, area, labels, scene.dnerf.painted_label_id)
    pointer = area.as_pointer()
    Timer(lambda: _when_drawn(pointer, labels), _DRAWN_AFTER_S, persistent=False).start()


def _when_drawn(pointer: int, labels: LabelSet) -> None:
    """What an editor takes only after it has been drawn in paint mode: its side panel's tab, and a brush beside the tool's own."""
    area = area_at(pointer)
    if area is None or area.ui_type != "IMAGE_EDITOR":  # closed meanwhile, or made another editor
        return
    region = next(region for region in area.regions if region.type == "UI")
    region.active_panel_category = "DatasetNeRF"
    with _editor(bpy.context, area):
        bpy.ops.image.view_all(fit_view=True)
    _with_brush(bpy.context, area, labels, bpy.context.scene.dnerf.painted_label_id)


def _editor(context: bpy.types.Context, area: bpy.types.Area) -> AbstractContextManager[None]:
    """What operators of an Image Editor look for in the context."""
    window = next(window for window in context.window_manager.windows if area in list(window.screen.areas))
    region = next(region for region in area.regions if region.type == "WINDOW")
    return context.temp_override(window=window, area=area, region=region)


def _with_brush(context: bpy.types.Context, area: bpy.types.Area, labels: LabelSet, label_id: int) -> None:
    """Set up the brush of a label. From Blender 4.4 on there is one only when its asset has been activated in the editor."""
    scene = context.scene
    with _editor(context, area):
        if scene.tool_settings.image_paint.brush is None and bpy.app.version >= (4, 4, 0):
            bpy.ops.brush.asset_activate(
                asset_library_type="ESSENTIALS", asset_library_identifier="", relative_asset_identifier=BRUSH_ASSET
            )
        set_up_brush(scene, labels, label_id)


class DNERF_OT_paint_label(LineOperator, bpy.types.Operator):
    """Paint this label"""

    bl_idname = "dnerf.paint_label"
    bl_label = "Paint Label"
    bl_options = {"INTERNAL"}

    label_id: bpy.props.IntProperty(min=0, max=255)

    def act(self, context: bpy.types.Context) -> None:
        set_up_brush(context.scene, annotation_labels(context.scene), self.label_id)
        context.scene.dnerf.painted_label_id = self.label_id


class DNERF_OT_save_mask(LineOperator, bpy.types.Operator):
    """Write the mask of the chosen view as it is painted"""

    bl_idname = "dnerf.save_mask"
    bl_label = "Save Mask"

    repair: bpy.props.BoolProperty(
        name="Repair", description="Give pixels between two labels' colours a neighbour's label, instead of refusing them"
    )

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        item, labels = chosen_view(scene), annotation_labels(scene)
        image = bpy.data.images.get(mask_image_name(item.name))
        if image is None:
            raise SceneError(f"{item.name}: expected its mask to be open for painting, found it is not; press Paint View")
        painted = ids_of(image, labels, snap=self.repair)
        save_mask(mask_path(scene, item.name), painted.ids, labels)
        if painted.repaired_px:
            open_mask(image.name, painted.ids, labels)
        item.painted = bool((painted.ids != 0).any())
        item.prefilled = item.prefilled and bool((painted.ids == IGNORE_ID).any())
        repaired = f", {counted(painted.repaired_px, 'pixel')} repaired" if painted.repaired_px else ""
        session.current().say(f"{item.name}: mask saved{repaired}; {counted(views_to_do(scene), 'view')} still to paint")


CLASSES = (DNERF_OT_paint_view, DNERF_OT_next_view, DNERF_OT_paint_label, DNERF_OT_save_mask)
