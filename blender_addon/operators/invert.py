"""A subject out of a photo, or out of a mask: found by the worker, with its camera."""

from pathlib import Path
from typing import Any

import bpy

from dnerf_core import job_ranges
from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError

from .. import icons, session
from ..lasting.identity import hold
from ..model_facts import ModelFacts, chosen_model, with_facts
from ..own_yaw import own_yaw_property, own_yaw_switch_property
from ..places import file_stem, subjects_folder
from ..ranged import degrees_property, whole_property
from ..scene.rigs import place_cameras
from ..scene.views import image_from_array
from ..subjects import choose_subject, new_subject_path
from .base import JobOperator, results_arrived

COLLECTION_NAME = "DatasetNeRF recovered camera"
CAMERA_NAME = "Recovered camera"
DIALOG_WIDTH_PX = 400
PICTURE_NAME = "DatasetNeRF search"
"""The image that shows what the search sees."""


class DNERF_OT_invert_photo(JobOperator, bpy.types.Operator):
    """Find the subject of a photo, and the camera that it was taken with"""

    bl_idname = "dnerf.invert_photo"
    bl_label = "Invert Photo"

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    kind: bpy.props.EnumProperty(
        name="Kind",
        items=[
            ("image", "Photo", "A photo: shape and colours are found"),
            ("mask", "Mask", "A painted mask in the labels' colours: the shape is found, colours are open"),
        ],
    )
    fit: bpy.props.EnumProperty(
        name="Fit",
        items=[
            ("pad", "Pad", "All of the picture, between bars where it is not square"),
            ("crop", "Crop", "The square at its centre"),
        ],
    )
    own_yaw: own_yaw_property(job_ranges.SEARCH_YAW)
    own_yaw_switch: own_yaw_switch_property()
    yaw_first_deg: degrees_property(
        job_ranges.SEARCH_YAW,
        "Yaw",
        0,
        description="First turn at which the camera is looked for, degrees",
    )
    yaw_last_deg: degrees_property(job_ranges.SEARCH_YAW, "to", 1, description="Last turn, degrees")
    steps: whole_property(
        job_ranges.SEARCH_STEPS, "Steps", description="How long the search is", left_open="the engine's own number"
    )
    tuning_steps: whole_property(
        job_ranges.TUNING,
        "Tuning steps",
        description="Afterwards the generator's weights are tuned to the photo for so many steps; the file becomes as large as the model",
    )
    search_seed: whole_property(job_ranges.SEARCH_SEED, "Search seed", description="Another one starts from elsewhere")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped: only the options are left to choose
            return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH_PX)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        photo = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not photo.is_file():
            raise UsageError(f"photo: expected a file, found none{f' at {photo}' if self.filepath else ''}; choose a picture")
        output = new_subject_path(subjects_folder(context.scene.dnerf.subjects_folder), file_stem(photo.stem))
        params = {
            "photo": str(photo),
            "kind": self.kind,
            "fit": self.fit,
            "seed": self.search_seed,
            "output": str(output),
            **({} if self.own_yaw else {"yaw": [self.yaw_first_deg, self.yaw_last_deg]}),
            **({"steps": self.steps} if self.steps else {}),
            "tuning": self.tuning_steps,
        }
        with_facts(context.scene, "Finding the subject", lambda scene, facts: invert(scene, facts, params))


def invert(scene: bpy.types.Scene, facts: ModelFacts, params: dict[str, Any]) -> None:
    """The step of the job after the model is known: search."""
    held = hold(scene)
    job = session.current().job
    assert job is not None
    job.at_end = icons.drop_picture

    def done(result: dict[str, Any]) -> None:
        found = held.needed(f"the subject is in {result['subject_file']}")
        camera = Camera.from_json(result["camera"], "the recovered camera")
        place_cameras(found, [camera], [CAMERA_NAME], COLLECTION_NAME, facts.image_size_px, world_up=facts.cameras.world_up)
        found.dnerf.edit_scores = ""
        choose_subject(found, Path(result["subject_file"]))
        results_arrived("Invert Photo")
        session.current().finish(found_line(result))

    session.current().continue_job(
        "invert",
        {"model": chosen_model(scene), **params},
        done,
        title="Finding the subject",
        on_part=show_picture,
        keeps_best=True,
    )


def found_line(result: dict[str, Any]) -> str:
    """What came of a search."""
    likeness = f"{result['psnr_db']:.1f} dB" if result["psnr_db"] is not None else ""
    likeness = f"mIoU {result['miou']:.3f}" if result["miou"] is not None else likeness or "no score"
    early = "" if result["finished"] else ", stopped early"
    notes = "".join(f"; {note}" for note in result["warnings"])
    where = f"yaw {result['yaw_deg']:.1f}, pitch {result['pitch_deg']:.1f}"
    return f"{Path(result['subject_file']).name}: {likeness}, {where}, in {result['seconds']:.1f} s{early}{notes}"


def show_picture(part: dict[str, Any]) -> None:
    """A search has come this far: its picture, as an image and in the panel."""
    rgb = session.current().array(part["rgb"])
    image_from_array(PICTURE_NAME, rgb)
    icons.keep_picture(rgb)


CLASSES = (DNERF_OT_invert_photo,)
