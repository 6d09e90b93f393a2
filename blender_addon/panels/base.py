"""Where the panels are."""

from __future__ import annotations


class SidePanel:
    """In the 3D view's side panel."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "DatasetNeRF"


class SubPanel(SidePanel):
    """Below the panel's first one; closed until it is opened."""

    bl_parent_id = "DNERF_PT_main"
    bl_options = {"DEFAULT_CLOSED"}
