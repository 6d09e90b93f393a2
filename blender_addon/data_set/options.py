"""What a data set is to be: properties that the panel's settings and the operators have alike, by the names of the command's call.

A float that Blender holds is rounded where it is read, so that 0.7 is 0.7 again, in requests and in the command that is shown.
"""

import bpy

from dnerf_core import job_ranges
from dnerf_core.own_views import FRONT_YAW_DEG

from ..places import PATH_OPTIONS
from ..ranged import choice_property, number_property, whole_property

RULES = ("ARC", "ORBIT", "SPHERE", "RANDOM")
"""The choices of cameras that need none in the scene."""
CAMERA_ITEMS = (
    ("PATH", "The path above", "The arc or the orbit of the panel Cameras"),
    ("SELECTED", "Selected cameras", "Every camera that is selected"),
    ("ACTIVE", "One camera", "The scene's camera, or another one, at the current frame"),
    ("ALL", "All cameras", "Every camera of the scene"),
    ("ANIMATION", "Animated camera", "The scene's camera, or another one, at every Nth frame of the scene's range"),
    ("ARC", "Arc", "From the first turn to the last, both included"),
    ("ORBIT", "Orbit", "One full turn"),
    ("SPHERE", "Sphere", "Evenly all over a sphere, or over its upper half"),
    ("RANDOM", "Random on the sphere", "Drawn on a sphere, or on its upper half, by a seed"),
)
NO_CAMERAS = ("NONE", "None", "No test cameras: one data set")
USUAL_COUNT = 24
CHANNEL_WORDS = {
    "rgb": ("Image", "8-bit RGB"),
    "mask": ("Labels", "Label ids, 0 background"),
    "depth": ("Depth", "Planar, along the optical axis"),
    "normal": ("Normals", "Of the depth, in the camera's frame"),
    "uncertainty": ("Uncertainty", "How unsure the labels are"),
    "parts": ("Part names", "The names of the labels that each mask shows, in the lists; needs Labels"),
    "joints": ("Joints", "Where the joints are, of subjects that move"),
    "vertices": ("Vertices", "How the body's mesh lies, of subjects that move"),
}
USUAL_CHANNELS = {"rgb", "mask", "depth"}
"""What the command writes where nothing is said: of a model without labels no masks, of one whose subjects move the joints, too."""
FORMAT_WORDS = {
    "coco": ("COCO", "Instances and panoptic segments; needs Image and Labels"),
    "coco-keypoints": ("COCO keypoints", "Joints as keypoints; needs Image, Labels and Joints"),
    "nerfstudio": ("nerfstudio", "A transforms.json a subject, for nerfstudio, instant-ngp and Gaussian splatting; needs Image"),
    "webdataset": ("WebDataset", "Shards for training loaders"),
}
"""Beside the folder's own files, which are always written."""


def flag_name(flags: str, flag: str) -> str:
    """The name of the panel's switch for one of `channels` or `formats`: `with_channel_rgb`."""
    return f"with_{flags.removesuffix('s')}_{flag.replace('-', '_')}"


def _flags(words: dict[str, tuple[str, str]]) -> list[tuple[str, str, str, int]]:
    return [(name, *texts, 1 << place) for place, (name, texts) in enumerate(words.items())]


class CameraOptions:
    """From where subjects are seen: one choice, and the measures of a rule."""

    cameras: bpy.props.EnumProperty(name="Cameras", description="From where every subject is seen", items=CAMERA_ITEMS)
    count: whole_property(job_ranges.VIEWS, "Count", description="How many cameras the rule has", default=USUAL_COUNT)
    own_angles: bpy.props.BoolProperty(
        name="Model's own angles", description="The turns and the elevation that the model was trained with", default=True
    )
    yaw: bpy.props.FloatVectorProperty(
        name="Yaw",
        description="First and last turn about the subject, degrees; 0 in front",
        size=2,
        min=-job_ranges.YAW.limit,
        max=job_ranges.YAW.limit,
        default=FRONT_YAW_DEG,
    )
    pitch: bpy.props.FloatVectorProperty(
        name="Pitch",
        description="First and last elevation, degrees; an orbit has the first",
        size=2,
        min=-job_ranges.PITCH.limit,
        max=job_ranges.PITCH.limit,
        default=(15.0, 15.0),
    )
    camera_seed: whole_property(job_ranges.SEED, "Camera seed", description="Another seed draws other cameras")
    upper: bpy.props.BoolProperty(name="Upper half", description="Only cameras above the horizon", default=False)
    radius: bpy.props.FloatProperty(
        name="Radius",
        description="Distance of the cameras from the centre, in units of the model's world; 0: the model's own",
        min=0.0,
        max=1e4,
        default=0.0,
    )
    fov_deg: bpy.props.FloatProperty(
        name="Field of view", description="Of the cameras, degrees; 0: the model's own", min=0.0, max=170.0, default=0.0
    )
    center: bpy.props.EnumProperty(
        name="Centre",
        description="What the cameras stand about",
        items=[
            ("SUBJECT", "Subject", "The subject's place, as the model's own cameras"),
            ("OBJECT", "Object", "Where an object stands at the current frame"),
            ("POINT", "Point", "A point of the scene"),
        ],
    )
    center_point: bpy.props.FloatVectorProperty(
        name="Point", description="The centre, in the scene's world", size=3, subtype="TRANSLATION"
    )
    outwards: bpy.props.BoolProperty(
        name="Look outwards", description="The cameras look away from the centre instead of at it", default=False
    )
    frame_step: bpy.props.IntProperty(
        name="Every Nth frame", description="Of the animated camera: 1 takes all frames", min=1, max=100_000, default=1
    )


class TestCameraOptions:
    """Cameras of a second data set, to test on, by the same measures."""

    test_cameras: bpy.props.EnumProperty(
        name="Test cameras",
        description="Cameras to test on: then the folder has two data sets, train and test",
        items=[NO_CAMERAS, *CAMERA_ITEMS],
    )
    test_count: whole_property(job_ranges.VIEWS, "Count", description="How many test cameras the rule has", default=8)
    test_camera_seed: whole_property(job_ranges.SEED, "Camera seed", description="Draws the test cameras", default=1)
    test_frame_step: bpy.props.IntProperty(
        name="Every Nth frame", description="Of the animated test camera: 1 takes all frames", min=1, max=100_000, default=1
    )


class SubjectOptions:
    """Which subjects."""

    seeds: bpy.props.StringProperty(name="Seeds", description="Such as 0-9 or 0,3,9-12", default="")
    subjects: whole_property(job_ranges.SUBJECTS, "First seeds", description="How many, from seed 0", left_open="not chosen")


class FileOptions:
    """What is written of each view, and where."""

    resolution: whole_property(
        job_ranges.RESOLUTION, "Size", description="Side of the square pictures, pixels", left_open="as the cameras say"
    )
    channels: bpy.props.EnumProperty(
        name="Channels",
        description="What is written of each view",
        items=_flags(CHANNEL_WORDS),
        options={"ENUM_FLAG"},
        default=USUAL_CHANNELS,
    )
    formats: bpy.props.EnumProperty(
        name="Formats",
        description="What else the views are written as, beside the folder's own files",
        items=_flags(FORMAT_WORDS),
        options={"ENUM_FLAG"},
        default=set(),
    )
    masks: choice_property(
        job_ranges.MASKS,
        "Masks",
        {"ids": ("Ids", "8-bit gray, which every reader takes"), "palette": ("Palette", "In the labels' colours")},
    )
    depth_format: choice_property(
        job_ranges.DEPTH_FORMAT,
        "Depth",
        {
            "exr": ("EXR", "32-bit floats, 0 at background"),
            "npy": ("NumPy", "32-bit floats, infinite at background"),
            "png16": ("16-bit PNG", "Thousandths of a world unit, 0 at background"),
        },
    )
    shard_views: whole_property(
        job_ranges.SHARD_VIEWS, "Views a shard", description="Of WebDataset", left_open="shards of up to 1 GB"
    )
    coco_instances: choice_property(
        job_ranges.COCO_INSTANCES,
        "COCO instances",
        {"parts": ("Parts", "All that a view shows of a part"), "connected": ("Pieces", "Each connected piece of a part")},
    )
    nerfstudio_images: choice_property(
        job_ranges.NERFSTUDIO_IMAGES,
        "nerfstudio images",
        {
            "linked": ("Named", "Named where they are"),
            "copied": ("Copied", "Copied into each scene's folder, which can then be moved"),
            "rgba": ("With alpha", "Copied, with the subject's outline as alpha"),
        },
    )
    aabb_scale: whole_property(
        job_ranges.AABB_SCALE,
        "AABB scale",
        description="In transforms.json, for instant-ngp: its scene is so many times the unit cube, a power of 2",
        left_open="not written",
    )
    splits: bpy.props.StringProperty(
        name="Splits",
        description="Subjects are dealt out by a hash of the seed, such as train=0.8,val=0.1,test=0.1; empty: one folder",
        default="",
    )
    reject_uncertain: number_property(
        job_ranges.REJECT_UNCERTAIN,
        "Reject uncertain",
        description="This share of the views, the most uncertain ones, is left out of all lists; needs Uncertainty",
        subtype="FACTOR",
    )
    consistent: bpy.props.BoolProperty(
        name="Consistent labels", description="Masks from the labels that several views of a subject fuse to", default=False
    )
    exact: bpy.props.BoolProperty(
        name="Exact", description="Every sample is read, as the papers have it; 10 to 25 times slower", default=False
    )
    pose: bpy.props.StringProperty(
        name="Pose",
        description="Of subjects that move: walk, wave, dance, or a file of poses; empty: the armature's, or else their own",
        default="",
    )
    random_poses: bpy.props.BoolProperty(
        name="Random poses", description="Of subjects that move: each view has a pose by chance", default=False
    )
    extend: bpy.props.BoolProperty(
        name="Extend", description="A folder that the same options with fewer subjects or cameras filled grows", default=False
    )
    verify: bpy.props.BoolProperty(
        name="Verify", description="First hold the files that are there against their check sums; damaged ones are made again"
    )
    output: bpy.props.StringProperty(
        name="Save to",
        description="Folder of the data set",
        default="//dnerf/data-set",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )


class DataSetOptions(SubjectOptions, CameraOptions, TestCameraOptions, FileOptions):
    """All of them."""
