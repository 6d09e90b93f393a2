"""Semantic editing: a view's mask is repainted, and the subject changes until its labels agree; step by step, back and forward."""

import json
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet

from .. import icons, picture_overlay, session
from ..edit_view import VIEW_PROPERTY, EditView, edit_mask_image, edit_view, keep_edit_view, painted_mask
from ..lasting.identity import hold, window_showing
from ..model_facts import ModelFacts, chosen_model, known_facts, with_facts
from ..places import subjects_folder
from ..posing.driver import current_pose, pose_params
from ..scene.annotation import ids_of, open_mask, refill_mask, set_up_brush
from ..scene.cameras import ScenePose, read_camera, square_view
from ..scene.errors import SceneError
from ..scene.painted import is_painted
from ..scene.views import image_from_array
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
from .base import JobOperator, LineOperator, results_arrived
from .invert import show_picture
from .paint import open_for_painting
from .views import CollectedViews, render_poses

EDITING = "Editing the subject"
WEIGHTS = ("keep_inside", "label_weight", "rgb_weight", "perceptual_weight")
"""Of the request, and after `edit_` of the panel's properties."""


class DNERF_OT_edit_mask(JobOperator, bpy.types.Operator):
    """Render the subject from the active camera, in the pose it is in, and open its mask for painting; one painted already goes on"""

    bl_idname = "dnerf.edit_mask"
    bl_label = "Edit Mask"

    anew: bpy.props.BoolProperty(
        name="Anew", description="Begin with the subject's own mask where one is painted already, which stays as an image"
    )

    def act(self, context: bpy.types.Context) -> None:
        if context.scene.camera is None:
            raise SceneError(
                f"scene {context.scene.name!r}: expected an active camera, found none; place cameras, or invert a photo"
            )
        anew = self.anew
        with_facts(context.scene, "Rendering the view to edit", lambda scene, facts: render_edit_view(scene, facts, anew))


def render_edit_view(scene: bpy.types.Scene, facts: ModelFacts, anew: bool) -> None:
    """The step of the job after the model is known: the view, then its mask to paint on; or the mask that is painted already."""
    labels, held = facts.labels, hold(scene)
    if labels is None:
        raise SceneError(f"model {facts.name}: expected one with labels to edit by, found none; annotate and train first")
    camera = square_view(read_camera(scene.camera, scene, world_up=facts.cameras.world_up)).camera
    subject, stem, size_px = subject_token(scene), subject_stem(scene), facts.image_size_px
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
        add_shown(found, shown)
        keep_edit_view(found, wanted, image)
        _show_to_paint(found, image, labels)
        stays = "" if before is None else f"; what was painted before stays in {before.name!r}"
        session.current().finish(f"{stem}: paint on its mask, then press Apply Edit{stays}")

    render_poses(scene, facts, shown, done, "Rendering the view to edit")


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


class DNERF_OT_edit_label(LineOperator, bpy.types.Operator):
    """Paint this label"""

    bl_idname = "dnerf.edit_label"
    bl_label = "Paint Label"
    bl_options = {"INTERNAL"}

    label_id: bpy.props.IntProperty(min=0, max=255)

    def act(self, context: bpy.types.Context) -> None:
        facts = known_facts(context.scene)
        if facts is None or facts.labels is None:
            raise SceneError("edit: expected a model with labels, found none; press Edit Mask")
        set_up_brush(context.scene, facts.labels, self.label_id)
        context.scene.dnerf.painted_label_id = self.label_id


class DNERF_OT_apply_edit(JobOperator, bpy.types.Operator):
    """Change the subject so that it looks like the painted mask; a new subject file is written, and what shows the subject follows"""

    bl_idname = "dnerf.apply_edit"
    bl_label = "Apply Edit"

    repair: bpy.props.BoolProperty(
        name="Repair", description="Give pixels between two labels' colours a neighbour's label, instead of refusing them"
    )

    def act(self, context: bpy.types.Context) -> None:
        scene, repair = context.scene, self.repair
        shown = getattr(context.space_data, "image", None)
        view = edit_view(scene, shown if shown is not None and VIEW_PROPERTY in shown else None)
        if view.subject != subject_token(scene):
            raise UsageError("edit: expected the subject whose mask was painted, found another; press Edit Mask for this one")
        edit_mask_image(view)
        output = new_subject_path(subjects_folder(scene.dnerf.subjects_folder), edited_stem(subject_stem(scene)))
        with_facts(scene, EDITING, lambda found, facts: apply_edit(found, facts, view, output, repair))


def edited_stem(stem: str) -> str:
    """`s0003-edit` of `s0003`, and of `s0003-edit-001`, too."""
    return stem.rpartition("-edit-")[0] + "-edit" if "-edit-" in stem else f"{stem}-edit"


def apply_edit(scene: bpy.types.Scene, facts: ModelFacts, view: EditView, output: Path, repair: bool) -> None:
    """The step of the job after the model is known: send the mask."""
    if facts.labels is None:
        raise SceneError(f"model {facts.name}: expected one with labels to edit by, found none; choose the model of the mask")
    holder, held, settings = session.current(), hold(scene), edit_settings(scene)
    mask = edit_mask_image(view)
    painted = ids_of(mask, facts.labels, snap=repair)
    if painted.repaired_px:
        refill_mask(mask, painted.ids, facts.labels, safe=False)
    assert holder.job is not None and holder.client is not None
    holder.job.at_end = icons.drop_picture
    params = {
        "model": chosen_model(scene),
        **json.loads(view.subject),
        **pose_params(None if view.body_pose is None else list(view.body_pose)),
        "camera": view.camera.to_json(),
        "mask": holder.client.put_array(painted.ids),
        "output": str(output),
        **settings,
    }

    def done(result: dict[str, Any]) -> None:
        icons.drop_picture()
        found = held.needed(f"the edited subject is {result['subject_file']}")
        choose_subject(found, Path(result["subject_file"]))
        keep_scores(found, result)
        _follow(found, facts, view.subject, "Apply Edit", edited_line(result))

    holder.continue_job("edit", params, done, title=EDITING, on_part=show_picture, keeps_best=True)


def edit_settings(scene: bpy.types.Scene) -> dict[str, Any]:
    """The params that say how the subject is edited.

    Raises:
        UsageError: the network that is to compare pictures has no file.
    """
    settings = scene.dnerf
    params: dict[str, Any] = {name: round(getattr(settings, f"edit_{name}"), 6) for name in WEIGHTS}
    params |= {"margin": settings.edit_margin_px, "steps": settings.edit_steps}
    if settings.edit_perceptual_weight > 0:
        if not settings.edit_perceptual_file:
            raise UsageError(
                "edit: VGG16 file: expected a file, since Likeness is above 0, found none; choose it, or set Likeness to 0"
            )
        params["perceptual_file"] = bpy.path.abspath(settings.edit_perceptual_file)
    return params


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


class DNERF_OT_step_edit(JobOperator, bpy.types.Operator):
    """The subject before the last edit, or after it"""

    bl_idname = "dnerf.step_edit"
    bl_label = "Step Edit"

    step: bpy.props.IntProperty(name="Step", default=-1)

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
