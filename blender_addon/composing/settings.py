"""What the panel In the Scene shows, under `scene.dnerf.composite`."""

import bpy

from ..places import PATH_OPTIONS
from ..scripting.options import text_option

CAMERAS = [
    ("ACTIVE", "Active camera", "The scene's camera, at the current frame"),
    ("SELECTED", "Selected cameras", "Every camera that is selected, at the current frame"),
    ("FRAMES", "Every frame", "The scene's camera at every frame of its range, with all that moves"),
]
LABELS_BY = [
    ("object", "Objects", "Things are labelled by the Pass Index of their object (Object Properties, Relations)"),
    ("material", "Materials", "Things are labelled by the Pass Index of their material (Material Properties, Settings)"),
]


class CompositeSettings(bpy.types.PropertyGroup):
    """Of one scene."""

    cameras: bpy.props.EnumProperty(name="From", items=CAMERAS)
    labels_by: bpy.props.EnumProperty(name="Labels by", items=LABELS_BY)
    folder: bpy.props.StringProperty(
        name="Save to",
        description="Folder for the data set of the subject in the scene",
        default="//dnerf/composite",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )


class CompositeOptions:
    """What a script may give."""

    cameras: bpy.props.EnumProperty(name="From", items=CAMERAS)
    camera: text_option("Camera", "The name of the one camera, at the current frame")
    labels_by: bpy.props.EnumProperty(name="Labels by", items=LABELS_BY)
    output: bpy.props.StringProperty(name="Save to", subtype="DIR_PATH", options=PATH_OPTIONS)
