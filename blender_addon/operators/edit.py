"""Semantic editing: a view's mask is repainted, and the subject changes until its labels agree; step by step, back and forward."""

from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet

from .. import icons, picture_overlay, session
from ..edit_view import VIEW_PROPERTY, EditView, edit_mask_image, edit_view, keep_edit_view, painted_mask
from ..lasting.identity import Held, hold, window_showing
from ..model_facts import ModelFacts, is_panels, known_facts, with_facts
from ..places import subjects_folder
from ..posing.driver import current_pose
from ..scene.annotation import open_mask, set_up_brush
from ..scene.cameras import ScenePose, read_camera, square_view
from ..scene.errors import SceneError
from ..scene.painted import is_painted
from ..scene.views import image_from_array
from ..scripting.edit_sources import MaskFile, MaskImage, MaskSource, camera_given, edit_given, edit_settings
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.parts import PartByName
from ..scripting.search_options import EditOptions, EditViewOptions
from ..scripting.which import ChosenSubject, chosen_subject
from ..shown_views import ShownViews, add_shown
from ..subjects import (
    can_step,
    choose_subject,
    keep_scores,
    new_subject_path,
    step_subject,
    subject_stem,
    subject_token,
)
from .anew import TITLE, render_anew
from .base import LineOperator, WaitingOperator, results_arrived
from .invert import show_picture
from .paint import open_for_painting
from .views import CollectedViews, render_poses

EDITING = "Editing the subject"


class AnewOption:
    """Whether a mask that is painted already is gone on with."""

    anew: bpy.props.BoolProperty(
        name="Anew", description="Begin with the subject's own mask where one is painted already, which stays as an image"
    )


class RepairOption:
    """What becomes of pixels that have no label's colour."""

    repair: bpy.props.BoolProperty(
        name="Repair", description="Give pixels between two labels' colours a neighbour's label, instead of refusing them"
    )


class DNERF_OT_edit_mask(scripted(EditViewOptions, AnewOption), WaitingOperator, bpy.types.Operator):
    """Render the subject from the active camera, in the pose it is in, and open its mask for painting; one painted already goes on"""

    bl_idname = "dnerf.edit_mask"
    bl_label = "Edit Mask"

    def act(self, context: bpy.types.Context) -> None:
        scene, anew = context.scene, self.anew
        given = Given(self, scene.dnerf)
        subject, camera = chosen_subject(scene, given), camera_given(scene, given)
        with_facts(
            scene,
            "Rendering the view to edit",
            lambda scene, facts: render_edit_view(scene, facts, subject, camera, anew),
            subject.model,
        )


def render_edit_view(scene: bpy.types.Scene, facts: ModelFacts, chosen: ChosenSubject, seen_by: Held, anew: bool) -> None:
    """The step of the job after the model is known: the view, then its mask to paint on; or the mask that is painted already."""
    labels, held = facts.labels, hold(scene)
    if labels is None:
        raise SceneError(f"model {facts.name}: expected one with labels to edit by, found none; annotate and train first")
    camera = square_view(read_camera(seen_by.needed(), scene, world_up=facts.cameras.world_up)).camera
    subject, stem, size_px = chosen.token, chosen.stem, facts.image_size_px
    pose = ScenePose(camera, size_px, size_px, f"{stem}_edit")
    numbers = current_pose(scene, facts)
    body_pose = None if numbers is None else tuple(numbers)
    wanted = EditView(subject, camera, f"{stem} edit mask", body_pose, model=facts.sha256)
    painted = None if anew else painted_mask(wanted)
    if painted is not None:
        view, image = painted
        keep_edit_view(scene, view, image)
        _show_to_paint(scene, image, labels)
        session.current().finish(f"{image.name}: it goes on as it was painted; press Apply Edit when it is done")
        return
    shown = ShownViews(subject, stem, (pose,), overlay=False, depth=False, body_poses=(body_pose,))

    def done(collected: CollectedViews) -> None:
        found = held.needed()
        (view,) = collected.in_order()
        assert view.mask is not None and view.rgb is not None  # the model has labels
        before = _make_room(wanted.image)
        image = open_mask(wanted.image, view.mask, labels)
        image[picture_overlay.PICTURE_PROPERTY] = image_from_array(f"{stem} edit picture", view.rgb)
        picture_overlay.drop_over(image)
        if is_panels(found, chosen.model):
            add_shown(found, shown)
        keep_edit_view(found, wanted, image)
        _show_to_paint(found, image, labels)
        stays = "" if before is None else f"; what was painted before stays in {before.name!r}"
        session.current().finish(f"{stem}: paint on its mask, then press Apply Edit{stays}")

    render_poses(scene, facts, shown, done, "Rendering the view to edit", model=chosen.model)


def _make_room(name: str) -> bpy.types.Image | None:
    """The mask of that name that has been painted on, if there is one: it is going to have another name, and its picture has already."""
    before = bpy.data.images.get(name)
    if before is None or not is_painted(before):
        return None
    picture = before.get(picture_overlay.PICTURE_PROPERTY)
    if picture is not None:
        picture.name = f"{picture.name} painted"
    return before


def _show_to_paint(scene: bpy.types.Scene, image: bpy.types.Image, labels: LabelSet) -> None:
    results_arrived("Edit Mask")
    window = window_showing(scene)
    if not bpy.app.background and window is not None:  # without a window of the scene there is nothing to paint in
        with bpy.context.temp_override(window=window):
            open_for_painting(bpy.context, image, labels)


class DNERF_OT_edit_label(PartByName, LineOperator, bpy.types.Operator):
    """Paint this label"""

    bl_idname = "dnerf.edit_label"
    bl_label = "Paint Label"
    bl_options = {"INTERNAL"}

    label_id: bpy.props.IntProperty(min=0, max=255)

    def act(self, context: bpy.types.Context) -> None:
        facts = known_facts(context.scene)
        if facts is None or facts.labels is None:
            raise SceneError("edit: expected a model with labels, found none; press Edit Mask")
        label_id = self.chosen_part(facts.labels, self.label_id, ignored=True)
        set_up_brush(context.scene, facts.labels, label_id)
        context.scene.dnerf.painted_label_id = label_id


class DNERF_OT_apply_edit(scripted(EditOptions, RepairOption), WaitingOperator, bpy.types.Operator):
    """Change the subject so that it looks like the painted mask; a new subject file is written, and what shows the subject follows"""

    bl_idname = "dnerf.apply_edit"
    bl_label = "Apply Edit"

    def act(self, context: bpy.types.Context) -> None:
        scene = context.scene
        given = edit_given(self, scene)
        subject = chosen_subject(scene, given)
        if given.has("mask"):
            source: MaskSource = MaskFile(given.file("mask"), camera_given(scene, given))
        else:
            source = self._painted(context, given, subject)
        output = new_subject_path(subjects_folder(given["output"]), edited_stem(subject.stem))
        settings = edit_settings(given)
        with_facts(
            scene,
            EDITING,
            lambda found, facts: apply_edit(found, facts, subject, source, {**settings, "output": str(output)}),
            subject.model,
        )

    def _painted(self, context: bpy.types.Context, given: Given, subject: ChosenSubject) -> MaskImage:
        if given.has("camera"):
            raise UsageError("camera: expected mask beside it, found none; give the mask's file, or leave it out")
        shown = getattr(context.space_data, "image", None)
        view = edit_view(context.scene, shown if shown is not None and VIEW_PROPERTY in shown else None)
        if view.subject != subject.token:
            raise UsageError("edit: expected the subject whose mask was painted, found another; press Edit Mask for this one")
        edit_mask_image(view)
        return MaskImage(view, self.repair or self.snap_colors)


def edited_stem(stem: str) -> str:
    """`s0003-edit` of `s0003`, and of `s0003-edit-001`, too."""
    return stem.rpartition("-edit-")[0] + "-edit" if "-edit-" in stem else f"{stem}-edit"


def apply_edit(
    scene: bpy.types.Scene, facts: ModelFacts, subject: ChosenSubject, source: MaskSource, settings: dict[str, Any]
) -> None:
    """The step of the job after the model is known: send the mask.

    Args:
        settings: the params that say how the subject is edited, and where it goes.
    """
    if facts.labels is None:
        raise SceneError(f"model {facts.name}: expected one with labels to edit by, found none; choose the model of the mask")
    holder, held = session.current(), hold(scene)
    params = {**subject.params, **settings, **source.params(scene, facts, facts.labels)}
    assert holder.job is not None
    holder.job.at_end = icons.drop_picture

    def done(result: dict[str, Any]) -> None:
        icons.drop_picture()
        found = held.needed(f"the edited subject is {result['subject_file']}")
        if not is_panels(found, subject.model):
            holder.finish(edited_line(result))
            return
        choose_subject(found, Path(result["subject_file"]))
        keep_scores(found, result)
        _follow(found, facts, subject.token, "Apply Edit", edited_line(result))

    holder.continue_job("edit", params, done, title=EDITING, on_part=show_picture, keeps_best=True)


def edited_line(result: dict[str, Any]) -> str:
    """What came of an edit."""
    scores = result["scores"]
    early = "" if result["finished"] else ", stopped early"
    outside = "" if scores["psnr_outside_db"] is None else f", {scores['psnr_outside_db']:.1f} dB outside the edited parts"
    name = Path(result["subject_file"]).name
    return f"{name}: {scores['edited_taken']:.0%} of the painted pixels taken{outside}, in {result['seconds']:.1f} s{early}"


def _follow(scene: bpy.types.Scene, facts: ModelFacts, before: str, what: str, line: str) -> None:
    """Last steps of the job that has changed the subject: what shows it is rendered anew. One step of undo takes all of it back."""
    holder = session.current()
    assert holder.job is not None
    holder.job.undo_step = what  # also where it is cancelled: the subject is another one already
    render_anew(scene, facts, before, lambda: holder.finish(line))


class StepOption:
    """How many edits on, or before."""

    step: bpy.props.IntProperty(name="Step", default=-1)


class DNERF_OT_step_edit(scripted(StepOption), WaitingOperator, bpy.types.Operator):
    """The subject before the last edit, or after it"""

    bl_idname = "dnerf.step_edit"
    bl_label = "Step Edit"

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return "The subject after the next edit" if properties.step > 0 else "The subject before the last edit"

    def act(self, context: bpy.types.Context) -> None:
        scene, step = context.scene, self.step
        if not can_step(scene, step):
            raise UsageError("edits: expected a step to go to, found none; apply an edit first")
        with_facts(scene, TITLE, lambda found, facts: step_edit(found, facts, step))


def step_edit(scene: bpy.types.Scene, facts: ModelFacts, step: int) -> None:
    """The step of the job after the model is known: the other subject, and what shows it."""
    before = subject_token(scene)
    step_subject(scene, step)
    what = "Step Forward" if step > 0 else "Step Back"
    _follow(scene, facts, before, what, f"{subject_stem(scene)}: {'the edit again' if step > 0 else 'as it was before the edit'}")


CLASSES = (DNERF_OT_edit_mask, DNERF_OT_edit_label, DNERF_OT_apply_edit, DNERF_OT_step_edit)
