"""Composite with Scene: Blender renders the scene camera by camera, then the worker lays the subject into all of the pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError, counted
from dnerf_core.files.whole import remove_files

from .. import session
from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts, with_facts
from ..operators.base import WaitingOperator, results_arrived
from ..places import output_folder
from ..scene import views as scene_views
from ..scene.subject import update
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.subject_options import OneSubjectOptions
from ..scripting.which import ChosenSubject, chosen_subject
from ..viewpoints import selected_cameras
from .labels import LabelsBy, SceneLabels, scene_labels
from .rendering import SceneFiles, check_renderable
from .settings import CompositeOptions
from .shots import Shot, Target, chosen_targets, read_shot

TITLE = "Rendering the scene"
LAYING = "Laying the subject into the scene"


class DNERF_OT_composite(scripted(OneSubjectOptions, CompositeOptions), WaitingOperator, bpy.types.Operator):
    """Render this scene with the subject in it, in each pixel the nearer of both: image, labels of both, depth; Blender waits for it"""

    bl_idname = "dnerf.composite"
    bl_label = "Composite with Scene"

    def act(self, context: bpy.types.Context) -> None:
        """What a call does not name is the panel's."""
        scene = context.scene
        given = Given(self, scene.dnerf.composite, output="folder")
        subject = chosen_subject(scene, Given(self, scene.dnerf))
        check_renderable(scene)
        held = given.named(scene, "camera", "CAMERA")
        if held is not None and given.has("cameras"):
            raise UsageError("camera and cameras: expected one of them, found both; leave one out")
        source = given["cameras"] if held is None else "SELECTED"
        cameras = selected_cameras(context) if held is None else [held]
        chosen = Choice(
            subject,
            chosen_targets(scene, source, cameras),
            given["labels_by"],
            output_folder(given["output"], "composite: save to"),
        )
        with_facts(scene, TITLE, lambda found, facts: compose(found, facts, chosen), subject.model)


@dataclass(frozen=True)
class Choice:
    """What is to be composed, by what things are labelled, and where it goes."""

    subject: ChosenSubject
    targets: Sequence[Target]
    labels_by: LabelsBy
    folder: Path


def compose(scene: bpy.types.Scene, facts: ModelFacts, choice: Choice) -> None:
    """The steps of the job after the model is known: is the folder free for it; the scene's pictures; the subject in them."""
    holder, held, began = session.current(), hold(scene), time.monotonic()
    update(scene)
    labels = scene_labels(scene, facts.labels, choice.labels_by)
    first = read_shot(scene, facts, choice.targets[0])
    request = {
        **choice.subject.params,
        "output": str(choice.folder),
        "size_px": first.square.side_px,
        "label_set": labels.label_set.to_json(),
        "labels_by": choice.labels_by,
        **({"indices": list(labels.indices)} if labels.indices else {}),
        "blend_file": Path(bpy.data.filepath).name or "not saved",
        "blender": bpy.app.version_string,
    }
    stem = choice.subject.stem

    def checked(_: dict[str, Any]) -> None:
        assert holder.job is not None
        steps = render_targets(held, facts, choice.targets, lay)
        holder.job.begin_own_steps(steps, TITLE, len(choice.targets))

    def lay(shots: Sequence[Shot], files: Sequence[SceneFiles]) -> None:
        poses = [shot.pose for shot in shots if shot.pose is not None]
        more = {
            "cameras": [shot.camera_param() for shot in shots],
            "scenes": [shot.scene_param(rendered) for shot, rendered in zip(shots, files, strict=True)],
            **({"poses": poses} if poses else {}),
        }

        def take(part: dict[str, Any]) -> None:
            show(shots[int(part["index"])], part, f"{stem} {shots[int(part['index'])].name} composite", labels, shown)

        def done(result: dict[str, Any]) -> None:
            results_arrived("Composite with Scene")
            there = f"{counted(result['views'], 'view')} of {counted(result['subjects'], 'subject')}"
            seconds = time.monotonic() - began
            holder.finish(
                f"{counted(len(shots), 'view')} in {seconds:.1f} s, {result['written']} of them new in {choice.folder}: {there}"
            )

        shown = choice.targets[0].camera is not None  # those of every frame would fill the file
        holder.continue_job("composite", {**request, **more}, done, title=LAYING, on_part=take)

    holder.continue_job("composite", {**request, "cameras": [first.camera_param()], "check_only": True}, checked, title=TITLE)


def render_targets(held: Held, facts: ModelFacts, targets: Sequence[Target], then: Any) -> Iterator[None]:
    """Blender's own steps: a render of the scene each, whose files go when the job ends; at last `then` is called with all of them."""
    holder = session.current()
    job, client = holder.job, holder.ready_client()
    assert job is not None
    shots: list[Shot] = []
    files: list[SceneFiles] = []
    job.at_end = lambda: remove_files(path for rendered in files for path in (rendered.picture, rendered.passes))
    for target in targets:
        job.text = "cameras; Blender waits for its own render"
        yield
        scene = held.needed()
        check_renderable(scene)
        files.append(SceneFiles(client.new_file(".png"), client.new_file(".exr")))
        shots.append(read_shot(scene, facts, target, files[-1]))
        job.done += 1
    then(shots, files)


def show(shot: Shot, part: dict[str, Any], name: str, labels: SceneLabels, shown: bool) -> None:
    """Make Blender images of a view that came in, or let its arrays go."""
    holder = session.current()
    arrays: dict[str, Any] = {channel: shot.square.crop(holder.array(part[channel])) for channel in ("rgb", "mask", "depth")}
    if not shown:
        return
    scene_views.image_from_array(name, arrays["rgb"])
    scene_views.mask_image(f"{name} labels", arrays["mask"], labels.label_set)
    scene_views.depth_image(f"{name} depth", arrays["depth"])


CLASSES = (DNERF_OT_composite,)
