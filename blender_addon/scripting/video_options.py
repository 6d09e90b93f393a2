"""Options of label videos, beside which model and subjects."""

import bpy

from ..places import PATH_OPTIONS
from .options import flag_option, text_option


class VideoOptions:
    """How the clips are, where they go, and into which edit."""

    fps: text_option("Frame rate", "A whole number, or a fraction such as 24000/1001; left out: the scene's")
    legend: flag_option("Legend", "The labels' names below the overlay")
    output: bpy.props.StringProperty(
        name="Save to",
        description="Folder for the clips; left out: what the panel says",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    into_sequencer: bpy.props.BoolProperty(
        name="Into the sequencer",
        description="Add the image and the labels in their colours to an edit; left out: what the panel says",
    )
