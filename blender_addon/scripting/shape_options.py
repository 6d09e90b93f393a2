"""Options of labelling shapes by a network."""

import bpy

from ..places import PATH_OPTIONS
from .options import choice_option, text_option, whole_option


class SegmentOptions:
    """Which shape, by which network, and how it is seen."""

    object: text_option("Object", "The name of the one mesh or cloud; left out: the selected ones")
    network: bpy.props.StringProperty(
        name="Network", description="A network file of points; left out: the panel's", subtype="FILE_PATH", options=PATH_OPTIONS
    )
    up: choice_option("Up", ("x", "y", "z", "-x", "-y", "-z"), "The axis that points up in Blender's world; left out: z")
    headings: whole_option(
        "Headings", "Shapes are seen at so many turns about it, and the mean is taken; left out: the engine's own"
    )


class MotionOptions:
    """How the model's own skeleton moves."""

    pose: text_option("Motion", "walk, wave, dance, or a file of poses; left out: walk")
