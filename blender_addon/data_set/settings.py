"""The panel's settings of data sets, which a .blend file keeps under `scene.dnerf.data_set`."""

from typing import Any

import bpy

from .options import CHANNEL_WORDS, FORMAT_WORDS, DataSetOptions


def _is_camera(settings: "DataSetSettings", item: bpy.types.Object) -> bool:
    return item.type == "CAMERA"


def _switch(flags: str, flag: str, words: dict[str, tuple[str, str]]) -> Any:
    """A button that takes one flag in or out: of flags themselves Blender's buttons switch all others off."""

    def is_on(settings: "DataSetSettings") -> bool:
        return flag in getattr(settings, flags)

    def turn(settings: "DataSetSettings", on: bool) -> None:
        others = getattr(settings, flags) - {flag}
        setattr(settings, flags, others | {flag} if on else others)

    name, description = words[flag]
    return bpy.props.BoolProperty(name=name, description=description, get=is_on, set=turn)


class DataSetSettings(DataSetOptions, bpy.types.PropertyGroup):
    """What the panel Data Set shows."""

    subjects_from: bpy.props.EnumProperty(
        name="Subjects",
        items=[
            ("ONE", "This one", "The subject of the panel Subject: its seed, or its file"),
            ("SEEDS", "Seeds", "A range or a list of seeds"),
            ("FIRST", "First", "The first seeds"),
        ],
    )
    center_object: bpy.props.PointerProperty(
        name="Object", description="The cameras stand about it, where it is at the current frame", type=bpy.types.Object
    )
    camera: bpy.props.PointerProperty(
        name="Camera", description="Empty: the scene's camera", type=bpy.types.Object, poll=_is_camera
    )
    test_camera: bpy.props.PointerProperty(
        name="Camera", description="Of the test views; empty: the scene's camera", type=bpy.types.Object, poll=_is_camera
    )
    show_cameras: bpy.props.BoolProperty(
        name="Show", description="Draw the sphere, and the cameras where they will stand, in the viewports", default=False
    )
    with_cloud: bpy.props.BoolProperty(
        name="points3d.ply", description="Cameras Only also writes the subject's cloud, which Gaussian splatting begins with"
    )
    command: bpy.props.StringProperty(options={"HIDDEN"})
    with_channel_rgb: _switch("channels", "rgb", CHANNEL_WORDS)
    with_channel_mask: _switch("channels", "mask", CHANNEL_WORDS)
    with_channel_depth: _switch("channels", "depth", CHANNEL_WORDS)
    with_channel_normal: _switch("channels", "normal", CHANNEL_WORDS)
    with_channel_uncertainty: _switch("channels", "uncertainty", CHANNEL_WORDS)
    with_channel_parts: _switch("channels", "parts", CHANNEL_WORDS)
    with_channel_joints: _switch("channels", "joints", CHANNEL_WORDS)
    with_channel_vertices: _switch("channels", "vertices", CHANNEL_WORDS)
    with_format_coco: _switch("formats", "coco", FORMAT_WORDS)
    with_format_coco_keypoints: _switch("formats", "coco-keypoints", FORMAT_WORDS)
    with_format_nerfstudio: _switch("formats", "nerfstudio", FORMAT_WORDS)
    with_format_webdataset: _switch("formats", "webdataset", FORMAT_WORDS)
