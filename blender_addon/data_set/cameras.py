"""The cameras of a choice: those of a rule, or the scene's, as the engine has them, with the pose of a body that moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from dnerf_core.camera import Camera

from ..model_facts import ModelFacts
from ..posing.driver import body_pose, current_pose
from ..scene.cameras import ScenePose, SquareView, read_camera, read_frame
from ..scene.errors import SceneError
from ..scene.frames import read_at_frames
from ..scene.subject import engine_to_root, root_transform, subject_root, update
from ..viewpoints import path_names, squares_of
from .chosen import Chosen
from .options import RULES
from .rules import CameraRule, rule_cameras


@dataclass(frozen=True, eq=False)
class ChosenCameras:
    """From where each subject is seen.

    Attributes:
        poses: named as the scene names them.
        body_poses: of each, or one for all, where an armature drives the subject; empty: the subject's own.
        arc: the options that say the same to the command; None: there are none, a file of cameras says it.
        size_px: side of the square pictures; None: the model's own.
    """

    poses: tuple[ScenePose, ...]
    body_poses: tuple[tuple[float, ...], ...]
    arc: dict[str, Any] | None
    size_px: int | None

    @property
    def squares(self) -> list[SquareView]:
        """What the engine renders for each."""
        return squares_of(self.poses)


def chosen_cameras(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen, *, of_tests: bool = False) -> ChosenCameras:
    """The cameras of a choice, or its test cameras.

    Raises:
        SceneError: there are none, or one cannot be used.
        UsageError: one that has been deleted, or a rule that cannot be.
    """
    source = choice["test_cameras" if of_tests else "cameras"]
    side = choice["resolution"] or None
    if source in RULES or source == "PATH":
        update(scene)
        rule = path_rule(scene) if source == "PATH" else chosen_rule(scene, facts, choice, of_tests=of_tests)
        side = side or (scene.dnerf.size_px or None if source == "PATH" else None)
        cameras = rule_cameras(rule, facts.cameras)
        return ChosenCameras(
            tuple(rule_poses(cameras, side or facts.image_size_px)),
            _current(scene, facts),
            arc_options(rule) if rule.is_plain else None,
            side,
        )
    if source == "ANIMATION":
        poses, body_poses = _animation(scene, facts, choice, of_tests=of_tests)
    else:
        poses = [read_camera(item, scene, world_up=facts.cameras.world_up) for item in _objects(scene, choice, source, of_tests)]
        body_poses = _current(scene, facts)
    return ChosenCameras(tuple(poses), body_poses, None, side or one_side(squares_of(poses)))


def chosen_rule(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen, *, of_tests: bool = False) -> CameraRule:
    """The rule that a choice names, about its centre."""
    source = choice["test_cameras" if of_tests else "cameras"]
    return choice.rule(source, center_of(scene, facts, choice), of_tests=of_tests)


def path_rule(scene: bpy.types.Scene) -> CameraRule:
    """The arc or the orbit of the panel Cameras."""
    settings = scene.dnerf
    pitches = None if settings.own_pitch else (round(settings.pitch_first_deg, 6), round(settings.pitch_last_deg, 6))
    yaws = None if settings.own_yaw else (round(settings.yaw_first_deg, 6), round(settings.yaw_last_deg, 6))
    return CameraRule(settings.camera_path, settings.camera_count, yaws, pitches)


def center_of(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen) -> tuple[float, float, float] | None:
    """The centre of a rule in the model's world; None: the subject's own. The scene has been updated.

    Raises:
        SceneError: the object is not chosen, or the subject stands where it cannot.
        UsageError: the object has been deleted.
    """
    if choice["center"] == "SUBJECT":
        return None
    if choice["center"] == "POINT":
        point = choice["center_point"]
    elif "center_object" in choice.objects:
        point = tuple(choice.objects["center_object"].needed().matrix_world.translation)
    else:
        raise SceneError("centre: expected an object, found none; choose one, or take the subject for the centre")
    place = root_transform(subject_root(scene, create=False)).matrix @ engine_to_root(facts.cameras.world_up)
    x, y, z = (np.linalg.inv(place) @ np.array([*point, 1.0]))[:3].tolist()
    return round(x, 6) + 0.0, round(y, 6) + 0.0, round(z, 6) + 0.0


def rule_poses(cameras: Sequence[Camera], size_px: int) -> list[ScenePose]:
    """Cameras of a rule under the names that the command counts them by."""
    names = path_names(len(cameras))
    return [ScenePose(camera, size_px, size_px, name) for camera, name in zip(cameras, names, strict=True)]


def arc_options(rule: CameraRule) -> dict[str, Any]:
    """A plain rule as the options of the command's arc."""
    yaw, pitch = rule.yaw_deg, rule.pitch_deg
    if rule.kind == "ORBIT":
        yaw, pitch = (0.0, 360.0), None if pitch is None else (pitch[0], pitch[0])
    options = {"views": rule.count, "yaw": yaw, "pitch": pitch}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value is not None}


def one_side(squares: Sequence[SquareView]) -> int:
    """The side of the views of a data set, in pixels.

    Raises:
        SceneError: they have several.
    """
    sides = sorted({square.side_px for square in squares})
    if len(sides) > 1:
        raise SceneError(f"views: expected one size, found {sides[0]} and {sides[-1]} px; choose a size for all")
    return sides[0]


def _objects(scene: bpy.types.Scene, choice: Chosen, source: str, of_tests: bool) -> list[bpy.types.Object]:
    if source == "SELECTED":
        if not choice.selected:
            raise SceneError("cameras: expected selected cameras, found none selected; select one or more, or choose others")
        return [camera.needed() for camera in choice.selected]
    if source == "ALL":
        found = sorted((item for item in scene.objects if item.type == "CAMERA"), key=lambda item: item.name)
        if not found:
            raise SceneError(f"scene {scene.name!r}: expected cameras, found none; add some, or choose a rule")
        return found
    return [_one_camera(scene, choice, of_tests)]


def _one_camera(scene: bpy.types.Scene, choice: Chosen, of_tests: bool) -> bpy.types.Object:
    held = choice.objects.get("test_camera" if of_tests else "camera")
    if held is not None:
        return held.needed()
    if scene.camera is None:
        raise SceneError(f"scene {scene.name!r}: expected an active camera, found none; set one in the scene's properties")
    return scene.camera


def _animation(
    scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen, *, of_tests: bool
) -> tuple[list[ScenePose], tuple[tuple[float, ...], ...]]:
    """One camera along the scene's frames; the scene's own with the markers that bind others."""
    held, up = choice.objects.get("test_camera" if of_tests else "camera"), facts.cameras.world_up

    def read(frame: int) -> tuple[ScenePose, list[float] | None]:
        if held is None:
            pose = read_frame(scene, frame, world_up=up)
        else:
            seen = read_camera(held.needed(), scene, world_up=up)
            pose = ScenePose(seen.camera, seen.width_px, seen.height_px, f"f{frame:04d}")
        return pose, body_pose(scene, facts)

    step = choice["test_frame_step" if of_tests else "frame_step"]
    found = read_at_frames(scene, scene.frame_start, scene.frame_end, step, read)
    return [pose for pose, _ in found], tuple(tuple(body) for _, body in found if body is not None)


def _current(scene: bpy.types.Scene, facts: ModelFacts) -> tuple[tuple[float, ...], ...]:
    """The pose of the subject's body at the current frame, if an armature drives it."""
    pose = current_pose(scene, facts)
    return () if pose is None else (tuple(pose),)
