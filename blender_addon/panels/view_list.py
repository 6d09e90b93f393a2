"""The list of views: a row a view with its small picture, a larger one of the chosen view, and what is done with it."""

import bpy

from ..view_list.items import file_of, kept_kinds
from ..view_list.operators import KIND_OF_BUTTON
from ..view_list.thumbnails import thumbnail
from .buttons import Button, draw_job_buttons
from .fitting import draw_text

ROWS = 5
PICTURE_SCALE = 6.0


class DNERF_UL_shown_views(bpy.types.UIList):
    """Views by subject and camera."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: object,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: object,
        active_property: str,
        index: int = 0,
        flags: int = 0,
    ) -> None:
        picture = thumbnail(file_of(item, ""))
        split = layout.split(factor=0.5)
        if picture:
            split.label(text=item.subject, icon_value=picture, translate=False)
        else:
            split.label(text=item.subject, icon="FILE_BLEND" if kept_kinds(item) else "ERROR", translate=False)
        split.label(text=item.camera, translate=False)

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.PropertyGroup, property_name: str
    ) -> tuple[list[int], list[int]]:
        items = getattr(data, property_name)
        helper = bpy.types.UI_UL_list
        wanted = (
            helper.filter_items_by_name(self.filter_name, self.bitflag_filter_item, items, "name") if self.filter_name else []
        )
        return wanted, helper.sort_items_helper(list(enumerate(items)), lambda row: (row[1].subject, row[1].camera, row[1].name))


def draw_view_list(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The list, and the chosen view; a word of what is going to be there while there are none."""
    settings = context.scene.dnerf
    row = layout.row()
    row.template_list(
        "DNERF_UL_shown_views", "", settings, "view_items", settings, "view_index", rows=ROWS, maxrows=ROWS, sort_lock=True
    )
    side = row.column(align=True)
    side.enabled = bool(settings.view_items)
    side.operator("dnerf.remove_view", text="", icon="REMOVE")
    side.operator("dnerf.clear_views", text="", icon="TRASH")
    if not 0 <= settings.view_index < len(settings.view_items):
        draw_text(layout, context, "Rendered views are listed here. Choose one to see it.", "INFO")
        return
    item = settings.view_items[settings.view_index]
    if item.folder:
        side.separator()
        side.operator("wm.path_open", text="", icon="FILE_FOLDER").filepath = item.folder
    picture, kept = thumbnail(file_of(item, "")), kept_kinds(item)
    if picture:
        layout.template_icon(icon_value=picture, scale=PICTURE_SCALE)
    buttons = [
        Button(
            "dnerf.show_view",
            text=text,
            fields={"kind": name},
            enabled=kind in kept or file_of(item, kind) is not None,
            needs_worker=False,
        )
        for (name, kind), text in zip(KIND_OF_BUTTON.items(), ("Image", "Labels", "Overlay", "Depth"), strict=True)
    ]
    draw_job_buttons(layout, context, *buttons, also=["dnerf.remove_view", "dnerf.clear_views"])
