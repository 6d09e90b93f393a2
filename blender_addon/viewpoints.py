"""From where the subject is seen: the panel's path, the selected cameras, the active camera or its motion, as the engine's cameras."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from dnerf_core.camera import Camera, arc_cameras, orbit_cameras

from .lasting.identity import Held, hold
from .model_facts import ModelFacts
from .places import file_stem
from .scene.cameras import ScenePose, SquareView, read_camera, square_view
from .scene.errors import SceneError
from .subjects import subject_stem


@dataclass(frozen=True)
class CameraPath:
    """An arc or an orbit about the subject.

    Attributes:
        kind: "ARC" or "ORBIT".
        count: how many cameras.
        yaw_deg, pitch_deg: first and last; an orbit has the first pitch; None, each: the model's own.
        size_px: side of their pictures; 0: the model's own.
    """

    kind: str
    count: int
    yaw_deg: tuple[float, float] | None
    pitch_deg: tuple[float, float] | None
    size_px: int

    @classmethod
    def of_panel(cls, scene: bpy.types.Scene) -> CameraPath:
        """The panel's."""
        settings = scene.dnerf
        yaws = None if settings.own_yaw else (settings.yaw_first_deg, settings.yaw_last_deg)
        pitches = None if settings.own_pitch else (settings.pitch_first_deg, settings.pitch_last_deg)
        return cls(settings.camera_path, settings.camera_count, yaws, pitches, settings.size_px)

    def cameras(self, facts: ModelFacts) -> list[Camera]:
        """Its cameras, in the model's world."""
        if self.kind == "ORBIT":
            pitch = None if self.pitch_deg is None else self.pitch_deg[0]
            return orbit_cameras(facts.cameras, count=self.count, pitch_deg=pitch)
        return arc_cameras(facts.cameras, self.yaw_deg, self.pitch_deg, count=self.count)

    def side_px(self, facts: ModelFacts) -> int:
        """The side of their pictures."""
        return self.size_px or facts.image_size_px


def path_names(count: int) -> list[str]:
    """Their names, as `dnerf-headless render` counts views."""
    return [f"v{index:02d}" for index in range(count)]


def chosen_poses(
    scene: bpy.types.Scene, facts: ModelFacts, source: str, selected: Sequence[Held], stem: str | None = None
) -> list[ScenePose]:
    """The poses of the panel's choice, named for files, each once.

    Args:
        source: "ARC", "SELECTED" or "ACTIVE".
        selected: the cameras that were selected at the click.
        stem: what their names begin with; None: the scene's subject's.

    Raises:
        SceneError: no cameras, or one that cannot be used.
        UsageError: one that has been deleted.
    """
    if source == "ARC":
        path = CameraPath.of_panel(scene)
        cameras, size = path.cameras(facts), path.side_px(facts)
        poses = [ScenePose(camera, size, size, name) for camera, name in zip(cameras, path_names(len(cameras)), strict=True)]
    elif source == "SELECTED":
        if not selected:
            raise SceneError(
                "cameras: expected selected cameras, found none selected; select one or more, or choose another source"
            )
        poses = [read_camera(camera.needed(), scene, world_up=facts.cameras.world_up) for camera in selected]
    else:
        if scene.camera is None:
            raise SceneError(f"scene {scene.name!r}: expected an active camera, found none; set one in the scene's properties")
        poses = [read_camera(scene.camera, scene, world_up=facts.cameras.world_up)]
    return named_poses(poses, subject_stem(scene) if stem is None else stem)


def selected_cameras(context: bpy.types.Context) -> list[Held]:
    """The selected cameras, by name."""
    cameras = [hold(item) for item in context.selected_objects if item.type == "CAMERA"]
    return sorted(cameras, key=lambda camera: camera.name)


def squares_of(poses: Sequence[ScenePose]) -> list[SquareView]:
    """What the engine renders for each of them."""
    return [square_view(pose) for pose in poses]


def camera_params(poses: Sequence[ScenePose], squares: Sequence[SquareView]) -> list[dict[str, Any]]:
    """The `cameras` of a request."""
    return [{**square.camera.to_json(), "name": pose.name} for pose, square in zip(poses, squares, strict=True)]


def named_poses(poses: Sequence[ScenePose], subject: str) -> list[ScenePose]:
    """The poses under names that begin with the subject's and are good for files, each once."""
    taken: set[str] = set()
    named = []
    for pose in poses:
        stem = name = f"{subject}_{file_stem(pose.name)}"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        named.append(dataclasses.replace(pose, name=name))
    return named
