"""Painting masks in the Image Editor: open a view, choose a label, save."""

from contextlib import AbstractContextManager
from pathlib import Path

import bpy

from dnerf_core.errors import UsageError, counted
from dnerf_core.labels import IGNORE_ID, LabelSet

from .. import picture_overlay, session
from ..annotation_list import annotation_folder, annotation_labels, chosen_view, mask_path, views_to_do
from ..lasting.showing import area_at
from ..lasting.timers import Timer
from ..painting.file_versions import is_changed
from ..painting.mask_files import (
    FILE_PROPERTY,
    image_of_mask,
    not_saved_line,
    open_view_mask,
    save_painting,
    save_paintings,
    unsaved_masks,
)
from ..scene.annotation import set_up_brush
from ..scene.errors import SceneError
from ..scene.views import shown_as_srgb
from ..scripting.parts import PartByName
from .base import LineOperator
from .views import image_editor_area

_DRAWN_AFTER_S = 0.3
BRUSH_ASSET = "brushes/essentials_brushes-mesh_texture.blend/Brush/Paint Hard"


class DNERF_OT_paint_view(LineOperator, bpy.types.Operator):
    """Open the chosen view in the Image Editor, to paint its mask; what has been painted before is saved"""

    bl_idname = "dnerf.paint_view"
    bl_label = "Paint View"
    bl_options = {"UNDO"}  # or undoing strokes would take the image itself away

    def act(self, context: bpy.types.Context) -> None:
        chosen_view(context.scene)
        lines = save_paintings(annotation_folder(context.scene))
        open_view(context, lines)


class DNERF_OT_next_view(LineOperator, bpy.types.Operator):
    """Open the next view that is not painted yet; what has been painted before is saved"""

    bl_idname = "dnerf.next_view"
    bl_label = "Next View to Do"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        settings = context.scene.dnerf
        count = len(settings.annotation_items)
        lines = save_paintings(annotation_folder(context.scene)) if count else []
        order = [(settings.annotation_index + step) % count for step in range(1, count + 1)] if count else []
        left = [index for index in order if not settings.annotation_items[index].painted]
        if not left:
            raise UsageError("annotate: expected views to do, found none: all are painted; train, or sample more views")
        settings.annotation_index = left[0]
        open_view(context, lines)


def open_view(context: bpy.types.Context, not_saved: list[str]) -> None:
    """Show the chosen view's mask for painting, its picture laid over it, with the brush of the chosen label."""
    scene = context.scene
    name, labels = chosen_view(scene).name, annotation_labels(scene)
    image = open_view_mask(scene, name)
    picture_overlay.read_over(image)
    open_for_painting(context, image, labels)
    if not_saved:
        session.current().say(not_saved_line(not_saved), "ERROR")
    else:
        session.current().say(f"{name}: paint its mask; {counted(views_to_do(scene), 'view')} still to paint")


def open_for_painting(context: bpy.types.Context, image: bpy.types.Image, labels: LabelSet) -> None:
    """Show a mask's image in the Image Editor, in paint mode; `picture_overlay` lays its picture over it."""
    scene = context.scene
    area = image_editor_area(context)
    space = area.spaces.active
    space.image = shown_as_srgb(image)
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


class DNERF_OT_paint_label(PartByName, LineOperator, bpy.types.Operator):
    """Paint this label"""

    bl_idname = "dnerf.paint_label"
    bl_label = "Paint Label"
    bl_options = {"INTERNAL"}

    label_id: bpy.props.IntProperty(min=0, max=255)

    def act(self, context: bpy.types.Context) -> None:
        labels = annotation_labels(context.scene)
        label_id = self.chosen_part(labels, self.label_id, ignored=True)
        set_up_brush(context.scene, labels, label_id)
        context.scene.dnerf.painted_label_id = label_id


class DNERF_OT_save_mask(LineOperator, bpy.types.Operator):
    """Write the mask that is shown, or else the chosen view's, as it is painted"""

    bl_idname = "dnerf.save_mask"
    bl_label = "Save Mask"

    repair: bpy.props.BoolProperty(
        name="Repair", description="Give pixels between two labels' colours a neighbour's label, instead of refusing them"
    )
    over: bpy.props.BoolProperty(
        name="Write Over",
        description="Write the mask also where another program has changed its file since it was read here",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            path = Path(_mask_to_save(context)[FILE_PROPERTY])
            self.over = is_changed(path)
        except session.EXPECTED:  # said where the operator does what it is for
            return self.execute(context)
        if not self.over:
            return self.execute(context)
        return set(
            context.window_manager.invoke_confirm(
                self,
                event,
                title="Write over it?",
                message=f"Another program has changed {path.name} since it was read here. What it has painted is lost then.",
                confirm_text="Write Over",
                icon="WARNING",
            )
        )

    def act(self, context: bpy.types.Context) -> None:
        image = _mask_to_save(context)
        repaired_px = save_painting(image, repair=self.repair, over=self.over)
        repaired = f", {counted(repaired_px, 'pixel')} repaired" if repaired_px else ""
        name, left = Path(image[FILE_PROPERTY]).stem, views_to_do(context.scene)
        session.current().say(f"{name}: mask saved{repaired}; {counted(left, 'view')} still to paint")


def _mask_to_save(context: bpy.types.Context) -> bpy.types.Image:
    shown = getattr(context.space_data, "image", None)
    if shown is not None and FILE_PROPERTY in shown:
        return shown
    item = chosen_view(context.scene)
    image = image_of_mask(mask_path(context.scene, item.name))
    if image is None:
        raise SceneError(f"{item.name}: expected its mask to be open for painting, found it is not; press Paint View")
    return image


class DNERF_OT_save_masks(LineOperator, bpy.types.Operator):
    """Write every mask that has been painted and is not saved yet, also those of other folders"""

    bl_idname = "dnerf.save_masks"
    bl_label = "Save All"

    def act(self, context: bpy.types.Context) -> None:
        count = len(unsaved_masks())
        lines = save_paintings()
        if lines:
            raise SceneError(not_saved_line(lines))
        session.current().say(f"{counted(count, 'mask')} saved; {counted(views_to_do(context.scene), 'view')} still to paint")


class DNERF_OT_read_mask_again(LineOperator, bpy.types.Operator):
    """Drop what has been painted on the chosen view's mask since it was saved, and show its file again"""

    bl_idname = "dnerf.read_mask_again"
    bl_label = "Read Again"
    bl_options = {"UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return set(context.window_manager.invoke_confirm(self, event))

    def act(self, context: bpy.types.Context) -> None:
        item = chosen_view(context.scene)
        open_view_mask(context.scene, item.name, anew=True)
        session.current().say(f"{item.name}: as it was saved")


CLASSES = (
    DNERF_OT_paint_view,
    DNERF_OT_next_view,
    DNERF_OT_paint_label,
    DNERF_OT_save_mask,
    DNERF_OT_save_masks,
    DNERF_OT_read_mask_again,
)
