"""Options of the cameras' path, the arc or the orbit of the panel Cameras; `paths` reads them."""

import bpy

from dnerf_core import job_ranges

from ..ranged import whole_property
from .options import angles_option


class PathOptions:
    """The path, and how its pictures are."""

    path: bpy.props.EnumProperty(
        name="Path",
        description="What the cameras lie on; left out: what the panel says",
        items=[("arc", "Arc", "From the first turn to the last, both included"), ("orbit", "Orbit", "One full turn")],
    )
    yaw: angles_option(job_ranges.YAW, "Yaw", "First and last turn of an arc, degrees; left out: what the panel says")
    pitch: angles_option(
        job_ranges.PITCH, "Pitch", "First and last elevation, degrees, an orbit has the first; left out: what the panel says"
    )
    resolution: whole_property(
        job_ranges.RESOLUTION, "Size", description="Side of the pictures, pixels", left_open="the model's own"
    )


class CountOption:
    """How many cameras."""

    views: whole_property(job_ranges.VIEWS, "Cameras", description="How many cameras")
