"""Label videos: every frame of the scene's range through its active camera, with its motion and the markers that bind cameras."""

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import counted

from .. import session
from ..lasting.identity import hold
from ..model_facts import ModelFacts, chosen_model, with_facts
from ..places import file_stem, output_folder
from ..posing.driver import body_pose
from ..scene.cameras import ScenePose, read_frame
from ..scene.errors import SceneError
from ..scene.frames import read_at_frames
from ..subjects import subject_stem, subject_token
from ..viewpoints import camera_params, squares_of
from .base import JobOperator, results_arrived

_LONGEST_PART = 24
"""Of a clip's name, its scene, subject and camera each: the name is that of a folder and of the files in it."""


class DNERF_OT_render_video(JobOperator, bpy.types.Operator):
    """Render the scene's frame range: an image sequence with masks, a lossless label video, and a preview"""

    bl_idname = "dnerf.render_video"
    bl_label = "Render Label Video"

    def act(self, context: bpy.types.Context) -> None:
        folder = output_folder(context.scene.dnerf.video_folder, "label video: save to")
        with_facts(context.scene, "Rendering the label video", lambda scene, facts: render_video(scene, facts, folder))


def render_video(scene: bpy.types.Scene, facts: ModelFacts, folder: Path) -> None:
    """The step of the job after the model is known: ask for the frames."""
    if facts.labels is None:
        raise SceneError(f"model {facts.name}: expected one with labels for a label video, found none; train it, or render views")

    def read(frame: int) -> tuple[ScenePose, list[float] | None, str]:
        pose = read_frame(scene, frame, world_up=facts.cameras.world_up)
        return pose, body_pose(scene, facts), scene.camera.name

    frames = read_at_frames(scene, scene.frame_start, scene.frame_end, scene.frame_step, read)
    poses, body_poses = [camera for camera, _, _ in frames], [pose for _, pose, _ in frames if pose is not None]
    clip = clip_name(scene, list(dict.fromkeys(camera for _, _, camera in frames)))
    squares = squares_of(poses)
    first = squares[0]
    params = {
        "model": chosen_model(scene),
        "subjects": [json.loads(subject_token(scene))],
        "cameras": camera_params(poses, squares),
        **({"poses": body_poses} if body_poses else {}),
        "size_px": first.side_px,
        "crop_px": [first.left_px, first.top_px, first.width_px, first.height_px],
        "sequence": True,
        "fps": frames_a_second(scene),
        "output": str(folder / clip),
        "name": clip,
        "previews": ["image", "overlay"],
        "replace": True,
    }
    held, into_sequencer, began = hold(scene), scene.dnerf.into_sequencer, time.monotonic()

    def done(result: dict[str, Any]) -> None:
        files = {kind: Path(path) for kind, path in result["files"].items()}
        scene_now = held.found()
        if into_sequencer and scene_now is not None:
            add_to_sequencer(scene_now, [files[kind] for kind in ("image", "labels") if kind in files])
            results_arrived("Render Label Video")
        session.current().finish(f"{counted(len(poses), 'frame')} in {time.monotonic() - began:.1f} s, saved in {folder / clip}")

    session.current().continue_job("video", params, done, title="Rendering the label video")


def clip_name(scene: bpy.types.Scene, cameras: list[str]) -> str:
    """What tells a clip from others: scene, subject, camera and range, such as `Scene_s0003_Camera_f0001-0250`; with a step `-s2` more.

    Args:
        cameras: names of those that see it, in their order.
    """
    seen_by = short_part(cameras[0] if len(cameras) == 1 else f"{len(cameras)}-cameras-{'+'.join(cameras)}")
    step = f"-s{scene.frame_step}" if scene.frame_step != 1 else ""
    frames = f"f{scene.frame_start:04d}-{scene.frame_end:04d}{step}"
    return f"{short_part(scene.name)}_{short_part(subject_stem(scene))}_{seen_by}_{frames}"


def short_part(text: str) -> str:
    """`text` in letters, digits, dots, hyphens and underscores of ASCII, a letter or digit first, as the worker takes a clip's name.

    What of it is cut off or stood in for is told apart by a sum.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", file_stem(text)).lstrip("._-")
    if plain == text and len(plain) <= _LONGEST_PART:
        return plain
    ending = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{plain[: _LONGEST_PART - 7] or 'x'}-{ending}"


def frames_a_second(scene: bpy.types.Scene) -> int:
    """The scene's rate as a whole number.

    Raises:
        SceneError: it is none.
    """
    rate = scene.render.fps / scene.render.fps_base
    if abs(rate - round(rate)) > 1e-3:
        raise SceneError(
            f"scene {scene.name!r}: expected a whole number of frames a second, found {rate:.3f}; set the frame rate"
        )
    return round(rate)


def add_to_sequencer(scene: bpy.types.Scene, videos: list[Path]) -> None:
    """Each video on a channel of its own, above what is there, from the scene's first frame on."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # the name before Blender 4.4
    channel = max((strip.channel for strip in strips), default=0)
    for number, video in enumerate(videos, start=1):
        strips.new_movie(video.stem, str(video), channel + number, scene.frame_start)


CLASSES = (DNERF_OT_render_video,)
