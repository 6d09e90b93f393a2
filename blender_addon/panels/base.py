"""Where the panels are, and text that fits them."""

from __future__ import annotations

import bpy

from ..preferences import draw_lines

_CHARACTER_PX = 7.5
_MARGIN_PX = 55


class SidePanel:
    """In the 3D view's side panel."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "DatasetNeRF"


class SubPanel(SidePanel):
    """Below the panel's first one; closed until it is opened."""

    bl_parent_id = "DNERF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}


def draw_text(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", least_lines: int = 1
) -> None:
    """`text` in as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale
    width = int((context.region.width - _MARGIN_PX * scale) / (_CHARACTER_PX * scale))
    draw_lines(layout, text, width, icon, least_lines)
