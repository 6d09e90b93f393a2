"""The panel's settings of what leaves Blender: label videos, the edit that shows them, exported clouds."""

import bpy

from ..places import PATH_OPTIONS
from .axes import AXIS_ITEMS, export_frame_property


class InterchangeProperties:
    """A part of `properties.SceneProperties`."""

    # label video
    video_folder: bpy.props.StringProperty(
        name="Save to",
        description="Folder for the sequence and the videos",
        default="//dnerf/videos",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    into_sequencer: bpy.props.BoolProperty(
        name="Into the sequencer",
        description="Add the image and the labels in their colours to an edit when they are done, in place of those that were added before",
        default=False,
    )
    edit_place: bpy.props.EnumProperty(
        name="Edit",
        items=[
            ("OWN", "Of its own", "A scene of its own, which shows the labels' exact colours; this one renders as before"),
            ("SCENE", "This scene's", "This scene's edit, whose colours follow its view transform"),
        ],
    )
    edit_renders: bpy.props.BoolProperty(
        name="Render the edit", description="Let this scene render its edit from now on, not what its camera sees", default=False
    )
    edit_key: bpy.props.StringProperty(options={"HIDDEN"})

    # exported clouds
    export_path: bpy.props.StringProperty(
        name="File",
        description="A .ply or .npz file; {cloud} stands for the name of the cloud",
        default="//dnerf/{cloud}.ply",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )

    export_frame: export_frame_property()
    export_forward: bpy.props.EnumProperty(name="Forward", items=AXIS_ITEMS, default="Y")
    export_up: bpy.props.EnumProperty(name="Up", items=AXIS_ITEMS, default="Z")
