"""Options of jobs that put views of a subject together: clouds and meshes; `clouds` reads them."""

import bpy

from dnerf_core import job_ranges

from ..ranged import whole_property
from .options import angles_option, flag_option, number_option, path_option


class FusedViewsOptions:
    """From where the views are."""

    cameras: bpy.props.EnumProperty(
        name="From",
        description="What sees the subject; left out: what the panel says",
        items=[
            ("AROUND", "All around", "Views from all around the subject, or as far round as the model was trained"),
            ("SELECTED", "Selected cameras", "What the selected cameras see"),
            ("ALL", "All cameras", "What every camera of the scene sees"),
        ],
    )
    views: whole_property(job_ranges.CLOUD_VIEWS, "Views", description="Views all around that are fused")
    yaw: angles_option(
        job_ranges.CLOUD_YAW, "Yaw", "First and last turn of the views all around, degrees; left out: the model's own"
    )
    pitch: angles_option(
        job_ranges.PITCH, "Pitch", "First and last elevation of the views all around, degrees; left out: the model's own"
    )
    resolution: whole_property(
        job_ranges.RESOLUTION, "Size", description="Side of the views, pixels", left_open="the model's own, or the render size"
    )


class FusionOptions:
    """How they are fused to a cloud."""

    voxel: number_option("Voxel", "Distance between neighbouring points, world units; left out: by the object's size")
    points: whole_property(
        job_ranges.POINTS, "Most points", description="Thin the cloud to this many points", left_open="keep all"
    )
    canonical: flag_option("Canonical", "Of subjects that move: the points are carried back to the canonical pose")


class PaintedOptions:
    """Whose labels a cloud has."""

    annotations: path_option(
        "Annotations",
        "Folder of painted masks, whose labels the cloud has; empty: the model's labels; left out: the panel's choice",
    )


class CloudOptions(FusedViewsOptions, FusionOptions):
    """All that a cloud is asked for by."""


class MeshOptions:
    """How a mesh is made."""

    nodes: bpy.props.IntProperty(
        name="Nodes", description="The density is read at so many nodes an axis; left out: the engine's own", options={"HIDDEN"}
    )
    faces: bpy.props.IntProperty(
        name="Faces", description="Edges are collapsed until so many triangles are left; left out: all", options={"HIDDEN"}
    )
    color: bpy.props.EnumProperty(
        name="Colours",
        description="What the vertices show; left out: what the panel says",
        items=[("rgb", "Photo colours", "The pictures' colours"), ("label", "Part colours", "The labels' colours")],
    )
    separate: bpy.props.BoolProperty(name="An object a part", description="Each part becomes an object of its own")
