"""Label videos: every frame of the scene's range through its active camera, with its motion and the markers that bind cameras.

Seed, truncation, pose and model may be animated. A video is of one model, so where that changes a new one begins.
"""

import hashlib
import itertools
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError, brief, counted
from dnerf_core.job_ranges import FPS

from .. import session
from ..interchange.edits import keep_render, own_edit, takes_rate
from ..interchange.strips import Video, add_videos
from ..lasting.identity import hold
from ..model_facts import ModelFacts, chosen_model, facts_from_result, is_panels, keep_facts
from ..places import file_stem, output_folder
from ..posing.driver import body_pose
from ..scene.cameras import ScenePose, read_frame
from ..scene.errors import SceneError
from ..scene.frames import evaluated, frame_rate, frames_between, rate_param, read_at_frames
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.subject_options import SubjectsOptions
from ..scripting.video_options import VideoOptions
from ..scripting.which import WAYS, ChosenSubject, chosen_subjects, model_given
from ..subjects import subject_stem, subject_token
from ..viewpoints import camera_params, squares_of
from .base import WaitingOperator, results_arrived

_LONGEST_PART = 24
"""Of a clip's name, its scene, subject and camera each: the name is that of a folder and of the files in it."""
_SHOWN = ("image", "palette")
"""The videos that an edit gets: the one of ids is nearly black, and data."""
TITLE = "Rendering the label video"


class DNERF_OT_render_video(scripted(SubjectsOptions, VideoOptions), WaitingOperator, bpy.types.Operator):
    """Render the scene's frame range: an image sequence with masks, a lossless label video, and previews"""

    bl_idname = "dnerf.render_video"
    bl_label = "Render Label Video"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = Given(self, scene.dnerf, output="video_folder")
        rate = rate_given(given["fps"]) if given.has("fps") else frame_rate(scene)
        render_video(scene, wanted_runs(scene, given), VideoChoice(rate, given))


@dataclass(frozen=True)
class Run:
    """Frames that follow each other and are of one model: the first and the last.

    Attributes:
        subject: that a script gives; None: the scene's at each frame.
    """

    model: str
    first: int
    last: int
    subject: ChosenSubject | None = None


class VideoChoice:
    """How the clips are, where they go, and whether an edit gets them.

    Attributes:
        folder: made where it is missing.
        more: what a request has of a script.
    """

    def __init__(self, rate: int | Fraction, given: Given) -> None:
        """Raises:
        UsageError, OutputError: there can be no such folder.
        """
        self.rate, self.folder = rate, output_folder(given["output"], "label video: save to")
        self.into_sequencer: bool = given["into_sequencer"]
        self.more: dict[str, Any] = given.alone("legend")


def rate_given(text: str) -> int | Fraction:
    """A frame rate that a script gives.

    Raises:
        UsageError: it is none.
    """
    rate = FPS.take(text)
    if rate is None:
        raise UsageError(f"fps: expected {FPS.expected}, found {brief(text)}; correct it")
    return rate


def wanted_runs(scene: bpy.types.Scene, given: Given) -> list[Run]:
    """A clip each: of the scene's subject as it is animated, or of every subject that a script gives.

    Raises:
        UsageError, SceneError: as `model_runs` and `chosen_subjects`.
    """
    several = any(map(given.has, (*WAYS, "truncation")))
    if not several and not given.has("model"):
        return model_runs(scene)
    frames = frames_between(scene.frame_start, scene.frame_end, scene.frame_step)
    if not several:
        return [Run(model_given(scene, given), frames[0], frames[-1])]
    return [Run(subject.model, frames[0], frames[-1], subject) for subject in chosen_subjects(scene, given)]


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """What a video's request says of a frame.

    Attributes:
        number: the scene's.
        body_pose: numbers of the pose that the subject's body is in; None: its own.
        camera_name: of the camera that sees it.
        subject, stem: see `subjects`.
    """

    number: int
    pose: ScenePose
    body_pose: list[float] | None
    camera_name: str
    subject: str
    stem: str


def render_video(scene: bpy.types.Scene, runs: Sequence[Run], choice: VideoChoice) -> None:
    """The job: a clip for each run, one after the other.

    Raises:
        WorkerError: no worker can be had, or it is busy.
    """
    held, began, holder = hold(scene), time.monotonic(), session.current()
    folder = choice.folder
    videos: list[Video] = []
    folders: list[Path] = []
    frames_done: list[int] = []
    sizes_px: list[tuple[int, int]] = []

    def ask(index: int) -> None:
        title = TITLE if len(runs) == 1 else f"{TITLE}: {index + 1} of {len(runs)}"
        params = {"model": runs[index].model}

        def model_known(result: dict[str, Any]) -> None:
            found = held.needed()
            if is_panels(found, runs[index].model):
                keep_facts(found, result)
            make_clip(found, facts_from_result(result), index, title)

        if index == 0:
            holder.start_job(title, "model", params, model_known)
        else:
            holder.continue_job("model", params, model_known, title=title)

    def make_clip(found: bpy.types.Scene, facts: ModelFacts, index: int, title: str) -> None:
        run = runs[index]
        frames = seen_frames(found, facts, run)
        clip = clip_name(found, [frame.camera_name for frame in frames], [frame.stem for frame in frames], (run.first, run.last))
        params = clip_params(run.model, frames) | {
            "fps": rate_param(choice.rate),
            "output": str(folder / clip),
            "name": clip,
            **choice.more,
        }

        def done(result: dict[str, Any]) -> None:
            files = {kind: Path(path) for kind, path in result["files"].items()}
            videos.extend(Video(files[kind], run.first, kind) for kind in _SHOWN if kind in files)
            folders.append(folder / clip)
            frames_done.append(len(frames))
            sizes_px.append((frames[0].pose.width_px, frames[0].pose.height_px))
            if index + 1 < len(runs):
                ask(index + 1)
            else:
                finish()

        holder.continue_job("video", params, done, title=title)

    def finish() -> None:
        scene_now, where = held.found(), ""
        if scene_now is not None and choice.into_sequencer:
            where = show_in_edit(scene_now, videos, sizes_px[0])
            results_arrived("Render Label Video")
        rendered = f"{counted(sum(frames_done), 'frame')} in {time.monotonic() - began:.1f} s"
        each = "one a subject" if runs[0].subject is not None else "since the model changes"
        models = f", in {len(runs)} videos, {each}" if len(runs) > 1 else ""
        holder.finish(f"{rendered}{models}, saved in {folders[0] if len(folders) == 1 else folder}{where}")

    ask(0)


def model_runs(scene: bpy.types.Scene) -> list[Run]:
    """The scene's range in runs of frames of one model; frames are looked at only where something of the scene itself is animated.

    Raises:
        UsageError: no model is chosen, or its file has gone.
        SceneError: no frames, or too many.
    """
    frames = frames_between(scene.frame_start, scene.frame_end, scene.frame_step)
    if scene.animation_data is None:
        return [Run(chosen_model(scene), frames[0], frames[-1])]
    models = read_at_frames(scene, scene.frame_start, scene.frame_end, scene.frame_step, lambda _: chosen_model(evaluated(scene)))
    runs = []
    for model, group in itertools.groupby(zip(models, frames, strict=True), key=lambda pair: pair[0]):
        numbers = [number for _, number in group]
        runs.append(Run(model, numbers[0], numbers[-1]))
    return runs


def seen_frames(scene: bpy.types.Scene, facts: ModelFacts, run: Run) -> list[SeenFrame]:
    """Every frame of a run as it is animated.

    Raises:
        SceneError: a model without labels, or a frame that cannot be seen, with its number.
    """
    if facts.labels is None:
        raise SceneError(f"model {facts.name}: expected one with labels for a label video, found none; train it, or render views")

    def read(number: int) -> SeenFrame:
        pose, now = read_frame(scene, number, world_up=facts.cameras.world_up), evaluated(scene)
        body, camera = body_pose(scene, facts), scene.camera.name
        if run.subject is not None:
            return SeenFrame(number, pose, body, camera, run.subject.token, run.subject.stem)
        return SeenFrame(number, pose, body, camera, subject_token(now), subject_stem(now))

    return read_at_frames(scene, run.first, run.last, scene.frame_step, read)


def clip_params(model: str, frames: Sequence[SeenFrame]) -> dict[str, Any]:
    """The part of a request to `video` that the frames say."""
    poses = [frame.pose for frame in frames]
    squares = squares_of(poses)
    first = squares[0]
    subjects = [frame.subject for frame in frames]
    body_poses = [frame.body_pose for frame in frames if frame.body_pose is not None]
    return {
        "model": model,
        "subjects": [json.loads(subject) for subject in (subjects if len(set(subjects)) > 1 else subjects[:1])],
        "cameras": camera_params(poses, squares),
        "frame_numbers": [frame.number for frame in frames],
        **({"poses": body_poses} if body_poses else {}),
        "size_px": first.side_px,
        "crop_px": [first.left_px, first.top_px, first.width_px, first.height_px],
        "sequence": True,
        "previews": ["image", "overlay", "palette"],
        "replace": True,
    }


def show_in_edit(scene: bpy.types.Scene, videos: Sequence[Video], size_px: tuple[int, int]) -> str:
    """Put the videos into the edit that the panel says; returns what the status line goes on with."""
    settings = scene.dnerf
    if settings.edit_place == "OWN":
        edit = own_edit(scene, size_px)
        add_videos(edit, videos)
        slower = "" if takes_rate(edit, scene) else ", whose frame rate is another"
        return f"; in the edit of the scene {edit.name!r}{slower}"
    if settings.edit_renders:
        scene.render.use_sequencer = True
        add_videos(scene, videos)
        return "; in this scene's edit, which is what it renders now"
    renders_edit = keep_render(scene)
    added = add_videos(scene, videos, muted=renders_edit)
    if renders_edit:
        return f"; in this scene's edit{', muted, since that is what it renders' if added else ''}"
    return "; in this scene's edit, which it does not render (Post Processing > Sequencer is off)"


def clip_name(
    scene: bpy.types.Scene, cameras: Sequence[str], stems: Sequence[str] = (), ends: tuple[int, int] | None = None
) -> str:
    """What tells a clip from others: scene, subject, camera and range, such as `Scene_s0003_Camera_f0001-0250`; with a step `-s2` more.

    Args:
        cameras: names of those that see its frames, in their order.
        stems: of the subjects of its frames; none: the scene's as it is now.
        ends: its first and last frame; None: the scene's.
    """
    first, last = ends or (scene.frame_start, scene.frame_end)
    step = f"-s{scene.frame_step}" if scene.frame_step != 1 else ""
    seen_by, shown = _several(cameras, "cameras"), _several(stems or [subject_stem(scene)], "subjects")
    return f"{short_part(scene.name)}_{short_part(shown)}_{short_part(seen_by)}_f{first:04d}-{last:04d}{step}"


def _several(names: Sequence[str], what: str) -> str:
    """The name of all frames, or how many there are of them."""
    each = list(dict.fromkeys(names))
    return each[0] if len(each) == 1 else f"{len(each)}-{what}-{'+'.join(each)}"


def short_part(text: str) -> str:
    """`text` in letters, digits, dots, hyphens and underscores of ASCII, a letter or digit first, as the worker takes a clip's name.

    What of it is cut off or stood in for is told apart by a sum.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", file_stem(text)).lstrip("._-")
    if plain == text and len(plain) <= _LONGEST_PART:
        return plain
    ending = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{plain[: _LONGEST_PART - 7] or 'x'}-{ending}"


CLASSES = (DNERF_OT_render_video,)
