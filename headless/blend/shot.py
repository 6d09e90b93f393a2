"""The cameras of a shot: what the active camera of a .blend file sees, frame by frame. Nothing in the file is executed."""

from __future__ import annotations

from pathlib import Path

import bpy

from blender_addon.scene.cameras import SquareView, read_frames, square_view
from dnerf_core.camera import WorldUp
from dnerf_core.errors import UsageError
from headless.blend.module import quiet_stdout


def read_shot(path: Path, world_up: WorldUp) -> list[SquareView]:
    """The squares round the pictures of the file's active scene, over its frame range.

    Args:
        world_up: the model's, in whose world the cameras are given; the subject stands where the file's root does, or at its origin.

    Raises:
        UsageError: the file cannot be read, has no active camera, or one that the engine cannot see through.
    """
    with quiet_stdout():
        try:
            # Python texts and drivers of the file stay text
            bpy.ops.wm.open_mainfile(filepath=str(path.resolve()), load_ui=False, use_scripts=False)
        except RuntimeError as error:
            reason = " ".join(str(error).split()).removeprefix("Error: ")
            raise UsageError(f"{path}: expected a .blend file, Blender cannot read it ({reason}); save it again") from None
        scene = bpy.context.scene
        try:
            poses = read_frames(scene, scene.frame_start, scene.frame_end, scene.frame_step, world_up=world_up)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
    return [square_view(pose) for pose in poses]
