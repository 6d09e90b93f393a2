"""What a composite is made of: from where, at which frame, the subject in which pose; and the scene rendered for each view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from dnerf_core.job_ranges import FRAMES

from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts
from ..posing.driver import current_pose
from ..scene.cameras import SquareView, read_camera, square_view
from ..scene.errors import SceneError
from ..scene.frames import read_at_frames
from ..scene.subject import root_transform, subject_root
from .rendering import SceneFiles, render_scene


@dataclass(frozen=True)
class Target:
    """What is asked for: a camera at a frame.

    Attributes:
        camera: None: the scene's active camera there.
    """

    camera: Held | None
    frame: int


@dataclass(frozen=True, eq=False)
class Shot:
    """One view, as it was when the scene was rendered for it.

    Attributes:
        name: what the data set calls the camera.
        frame: of the scene.
        square: what is rendered, by Blender and by the engine.
        depth_scale: the scene's units a unit of the model's world.
        pose: the numbers of the subject's pose; None: its own.
    """

    name: str
    frame: int
    square: SquareView
    depth_scale: float
    pose: list[float] | None

    def camera_param(self) -> dict[str, Any]:
        """The camera as a request has it."""
        return {**self.square.camera.to_json(), "name": self.name}

    def scene_param(self, files: SceneFiles) -> dict[str, Any]:
        """The rendered scene as a request has it."""
        return {
            "picture": str(files.picture),
            "passes": str(files.passes),
            "depth_scale": self.depth_scale,
            "frame": self.frame,
        }


def chosen_targets(scene: bpy.types.Scene, cameras: str, selected: Sequence[Held]) -> list[Target]:
    """The targets of the panel's choice.

    Args:
        cameras: "ACTIVE", "SELECTED" or "FRAMES".
        selected: the cameras that were selected at the click.

    Raises:
        SceneError: no cameras, or no frames or too many.
    """
    if cameras == "FRAMES":
        frames, most = range(scene.frame_start, scene.frame_end + 1, scene.frame_step), FRAMES.high or 0
        if not 1 <= len(frames) <= most:
            raise SceneError(
                f"frames {scene.frame_start} to {scene.frame_end}: expected 1 to {most} of them, found {len(frames)}; set the scene's "
                "frame range"
            )
        return [Target(None, frame) for frame in frames]
    if cameras == "SELECTED":
        if not selected:
            raise SceneError(
                "cameras: expected selected cameras, found none selected; select one or more, or choose another source"
            )
        return [Target(camera, scene.frame_current) for camera in selected]
    if scene.camera is None:
        raise SceneError(f"scene {scene.name!r}: expected an active camera, found none; set one in the scene's properties")
    return [Target(hold(scene.camera), scene.frame_current)]


def read_shot(scene: bpy.types.Scene, facts: ModelFacts, target: Target, files: SceneFiles | None = None) -> Shot:
    """What a target sees, and with `files` the scene rendered for it. The scene's frame is as it was afterwards.

    Raises:
        SceneError: a camera that cannot be used, or a scene that cannot be rendered.
        UsageError: the camera has been deleted.
    """

    def read(frame: int) -> Shot:
        camera = scene.camera if target.camera is None else target.camera.needed()
        seen = read_camera(camera, scene, world_up=facts.cameras.world_up)
        name = seen.name if target.camera is not None else f"{seen.name} f{frame:04d}"
        scale = root_transform(subject_root(scene, create=False)).scale
        shot = Shot(name, frame, square_view(seen), scale, current_pose(scene, facts))
        if files is not None:
            render_scene(scene, camera, shot.square, files)
        return shot

    if target.frame == scene.frame_current:
        return read(target.frame)  # what has been moved and has no key stays where it is
    (shot,) = read_at_frames(scene, target.frame, target.frame, 1, read)
    return shot
