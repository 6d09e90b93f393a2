"""A subject out of a photo, or out of a mask: found by the worker, with its camera."""

from pathlib import Path
from typing import Any

import bpy

from dnerf_core.camera import Camera
from dnerf_core.errors import UsageError

from .. import icons, session
from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts, is_panels, with_facts
from ..places import file_stem, subjects_folder
from ..scene.cameras import read_camera, square_view
from ..scene.rigs import place_cameras
from ..scene.views import image_from_array
from ..scripting.given import Given, plain
from ..scripting.options import scripted
from ..scripting.search_options import PictureOptions
from ..scripting.which import model_given
from ..subjects import choose_subject, new_subject_path
from .base import WaitingOperator, results_arrived

OF_SEARCH = ("pitch", "space", "starts", "candidates", "prior", "perceptual_weight", "snap_colors")
"""Options of a search that a script alone gives."""

COLLECTION_NAME = "DatasetNeRF recovered camera"
CAMERA_NAME = "Recovered camera"
DIALOG_WIDTH_PX = 400
PICTURE_NAME = "DatasetNeRF search"
"""The image that shows what the search sees."""


class PhotoOptions:
    """Which picture: by the names that Blender's file browser fills in."""

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})


class DNERF_OT_invert_photo(scripted(PhotoOptions, PictureOptions, remembers=True), WaitingOperator, bpy.types.Operator):
    """Find the subject of a photo, and the camera that it was taken with"""

    bl_idname = "dnerf.invert_photo"
    bl_label = "Invert Photo"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped: only the options are left to choose
            return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH_PX)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        photo = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not photo.is_file():
            raise UsageError(f"photo: expected a file, found none{f' at {photo}' if self.filepath else ''}; choose a picture")
        scene = context.scene
        given = Given(self, scene.dnerf, output="subjects_folder")
        output = new_subject_path(subjects_folder(given["output"]), file_stem(photo.stem))
        params = {
            "model": model_given(scene, given),
            "photo": str(photo),
            "kind": self.kind,
            "fit": list(self.crop) if given.has("crop") else self.fit,
            "seed": self.seed,
            "output": str(output),
            **({} if self.own_yaw else {"yaw": list(plain(self.yaw))}),
            **({"steps": self.steps} if self.steps else {}),
            "tuning": self.tuning,
            **given.alone(*OF_SEARCH),
            **{name: str(given.file(name)) for name in ("pose", "perceptual_file") if given.has(name)},
        }
        camera = given.named(scene, "camera", "CAMERA")
        with_facts(scene, "Finding the subject", lambda scene, facts: invert(scene, facts, params, camera), params["model"])


def invert(scene: bpy.types.Scene, facts: ModelFacts, params: dict[str, Any], seen_by: Held | None = None) -> None:
    """The step of the job after the model is known: search.

    Args:
        seen_by: the camera that took the picture; None: it is found.
    """
    held = hold(scene)
    if seen_by is not None:
        pose = read_camera(seen_by.needed(), scene, world_up=facts.cameras.world_up)
        params = {**params, "camera": square_view(pose).camera.to_json()}
    job = session.current().job
    assert job is not None
    job.at_end = icons.drop_picture

    def done(result: dict[str, Any]) -> None:
        found = held.needed(f"the subject is in {result['subject_file']}")
        camera = Camera.from_json(result["camera"], "the recovered camera")
        place_cameras(found, [camera], [CAMERA_NAME], COLLECTION_NAME, facts.image_size_px, world_up=facts.cameras.world_up)
        if is_panels(found, params["model"]):
            found.dnerf.edit_scores = ""
            choose_subject(found, Path(result["subject_file"]))
        results_arrived("Invert Photo")
        session.current().finish(found_line(result))

    session.current().continue_job(
        "invert",
        params,
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
