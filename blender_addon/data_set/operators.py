"""Data sets: rendered by the worker, as commands to copy, as cameras alone; and a rule's cameras placed in the scene."""

import time
from typing import Any

import bpy

from dnerf_core.errors import counted

from .. import session
from ..model_facts import ModelFacts, chosen_model, with_facts, with_known_facts
from ..operators.base import LineOperator, WaitingOperator, results_arrived
from ..operators.cloud import cloud_from_result
from ..operators.views import image_editor_area
from ..places import absolute_path
from ..posing.driver import current_pose, pose_params
from ..preferences import preferences
from ..scene.errors import SceneError
from ..scene.rigs import place_cameras
from ..scripting.clouds import panel_views
from ..scripting.options import flag_option, path_option, scripted, whole_option
from ..scripting.subject_options import SubjectsOptions
from .cameras import chosen_cameras
from .chosen import Chosen, chosen
from .nerf_cameras import check_ours, transforms_path, write_cloud, write_transforms
from .options import RULES, DataSetOptions
from .requests import SAVE_TO, DataSet, commands, data_sets

COLLECTION_NAME = "DatasetNeRF data set cameras"
RENDERING = "Rendering the data set"


class ScriptedOptions(DataSetOptions, SubjectsOptions):
    """What a script may give beside the panel's options: objects by their names, and what the panel takes from elsewhere."""

    center_object: bpy.props.StringProperty(name="Centre object", description="The name of what the cameras stand about")
    camera: bpy.props.StringProperty(name="Camera", description="The name of the one camera, or the animated one")
    test_camera: bpy.props.StringProperty(name="Test camera", description="The name of the one test camera, or the animated one")
    workers: whole_option("Workers", "Views rendered side by side; left out: as the machine has cores and memory")
    ignore_disk_space: flag_option("Ignore disk space", "Begin even where the disk is far too small by the estimate")
    pose_frames: bpy.props.IntVectorProperty(
        name="Pose frames", description="First and last frame of the pose's file, from 1", size=2, options={"HIDDEN"}
    )
    bone_map: path_option("Bone map", "A file that says which joints of the pose's file drive which of the body's")


class CloudOption:
    """What Cameras Only also writes."""

    with_cloud: bpy.props.BoolProperty(
        name="points3d.ply", description="Also write the subject's cloud, which splatting begins with"
    )


class DNERF_OT_render_data_set(scripted(ScriptedOptions), WaitingOperator, bpy.types.Operator):
    """Render a data set: every subject from every camera, as dnerf-headless render does; the same again finishes what is missing"""

    bl_idname = "dnerf.render_data_set"
    bl_label = "Render Data Set"

    def act(self, context: bpy.types.Context) -> None:
        choice = chosen(context, self)
        absolute_path(choice["output"], SAVE_TO)  # what cannot be is told before the worker starts
        with_facts(context.scene, RENDERING, lambda scene, facts: render_sets(data_sets(scene, facts, choice)), choice.model)


def render_sets(wanted: list[DataSet]) -> None:
    """Steps of the job that runs: one data set after the other."""
    results: list[dict[str, Any]] = []
    began = time.monotonic()

    def ask_next() -> None:
        if len(results) == len(wanted):
            session.current().finish(outcome_line(wanted, results, time.monotonic() - began))
            return
        item = wanted[len(results)]
        title = f"{RENDERING}: {item.title}" if item.title else RENDERING
        session.current().continue_job("data_set", item.request, take, title=title)

    def take(result: dict[str, Any]) -> None:
        results.append(result)
        ask_next()

    ask_next()


def outcome_line(wanted: list[DataSet], results: list[dict[str, Any]], seconds: float) -> str:
    """What came of it, with what the engine warned of."""
    parts = []
    for item, result in zip(wanted, results, strict=True):
        name = f"{item.title}: " if item.title else ""
        done = "nothing to do, all there" if result["nothing_to_do"] else f"{result['views_written']} written"
        counts = f"{counted(result['views'], 'view')} of {counted(result['subjects'], 'subject')}"
        parts.append(f"{name}{counts}, {done} in {result['output']}")
    warnings = list(dict.fromkeys(warning for result in results for warning in result["warnings"]))
    return "; ".join([f"{'; '.join(parts)}, {seconds:.1f} s", *warnings])


class DNERF_OT_copy_data_set_command(scripted(ScriptedOptions), WaitingOperator, bpy.types.Operator):
    """Copy the command that makes the same data set; cameras that no option says are written to a file beside the folder"""

    bl_idname = "dnerf.copy_data_set_command"
    bl_label = "Copy Command"

    def act(self, context: bpy.types.Context) -> None:
        choice = chosen(context, self)

        def copy(scene: bpy.types.Scene, facts: ModelFacts) -> None:
            wanted = data_sets(scene, facts, choice)
            text = commands([item.request for item in wanted], preferences().device)
            scene.dnerf.data_set.command = text
            bpy.context.window_manager.clipboard = text
            session.current().finish(f"{counted(len(wanted), 'command')} copied")

        with_known_facts(context.scene, "Copying the command", copy, choice.model)


class DNERF_OT_place_data_set_cameras(scripted(ScriptedOptions), WaitingOperator, bpy.types.Operator):
    """Place one camera for each of the rule's; those placed before are replaced, but not those that you have changed since"""

    bl_idname = "dnerf.place_data_set_cameras"
    bl_label = "Place Cameras"

    def act(self, context: bpy.types.Context) -> None:
        choice = chosen(context, self)
        if choice["cameras"] not in RULES:
            raise SceneError("cameras: expected a rule, such as Sphere, found cameras of the scene; choose a rule to place")
        with_known_facts(context.scene, "Placing the cameras", lambda scene, facts: place(scene, facts, choice), choice.model)


def place(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen) -> None:
    """The rule's cameras, one object each."""
    found = chosen_cameras(scene, facts, choice)
    names = [f"data set {pose.name}" for pose in found.poses]
    cameras, size_px = [pose.camera for pose in found.poses], found.poses[0].width_px
    placed = place_cameras(scene, cameras, names, COLLECTION_NAME, size_px, world_up=facts.cameras.world_up)
    results_arrived("Place Cameras")
    session.current().finish(f"{counted(len(placed), 'camera')} placed in {placed[0].users_collection[0].name!r}")


class DNERF_OT_write_cameras(scripted(ScriptedOptions, CloudOption), WaitingOperator, bpy.types.Operator):
    """Write the cameras alone as transforms.json, for NeRF programs, without rendering; with test cameras as two files"""

    bl_idname = "dnerf.write_cameras"
    bl_label = "Cameras Only"

    def act(self, context: bpy.types.Context) -> None:
        choice = chosen(context, self)
        folder = absolute_path(choice["output"], SAVE_TO)
        parts = [""] if choice["test_cameras"] == "NONE" else ["train", "test"]
        check_ours(folder, parts, with_cloud=choice["with_cloud"])
        with_facts(
            context.scene,
            "Writing the cameras",
            lambda scene, facts: write_cameras(scene, facts, choice, parts),
            choice.model,
        )


def write_cameras(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen, parts: list[str]) -> None:
    """The step of the job after the model is known: the files, and where it is chosen the cloud."""
    folder = absolute_path(choice["output"], SAVE_TO)
    subject = choice.subjects.get("seeds", [0])[0]
    sizes = []
    for part in parts:
        found = chosen_cameras(scene, facts, choice, of_tests=part == "test")
        cameras = [square.camera for square in found.squares]
        write_transforms(
            transforms_path(folder, part),
            cameras,
            found.size_px or facts.image_size_px,
            folder / part / "images",
            subject,
            aabb_scale=choice["aabb_scale"] or None,
            with_cloud=choice["with_cloud"],
        )
        sizes.append(f"{counted(len(cameras), 'camera')} in {transforms_path(folder, part)}")
    line = "; ".join(sizes)
    if not choice["with_cloud"]:
        session.current().finish(line)
        return
    model = choice.model or chosen_model(scene)
    params = {
        "model": model,
        **first_subject(choice),
        **panel_views(scene).params(scene, facts),
        **pose_params(current_pose(scene, facts)),
    }

    def done(result: dict[str, Any]) -> None:
        cloud = cloud_from_result(result)
        path = write_cloud(folder, cloud, facts.cameras.world_up)
        session.current().finish(f"{line}; {len(cloud):,} points in {path}")

    session.current().continue_job("pointcloud", params, done, title="Writing the cloud")


def first_subject(choice: Chosen) -> dict[str, Any]:
    """The part of a request for one subject that says the first of a choice."""
    if "subject_files" in choice.subjects:
        return {"subject_file": choice.subjects["subject_files"][0]}
    seed = choice.subjects.get("seeds", [0])[0]
    return {"seed": seed, "truncation": choice.subjects.get("truncation", 1.0)}


class DNERF_OT_show_data_set(LineOperator, bpy.types.Operator):
    """Show the data set's contact sheet in an Image Editor"""

    bl_idname = "dnerf.show_data_set"
    bl_label = "Show Contact Sheet"

    def act(self, context: bpy.types.Context) -> None:
        choice = chosen(context)
        folder = absolute_path(choice["output"], SAVE_TO)
        path = (folder if choice["test_cameras"] == "NONE" else folder / "train") / "contact-sheet.png"
        if not path.is_file():
            raise SceneError(f"{path}: expected the picture of a data set that is whole, found none; render the data set")
        image = bpy.data.images.load(str(path), check_existing=True)
        image.reload()
        area = image_editor_area(context)
        area.spaces.active.image = image
        area.spaces.active.mode = "VIEW"


CLASSES = (
    DNERF_OT_render_data_set,
    DNERF_OT_copy_data_set_command,
    DNERF_OT_place_data_set_cameras,
    DNERF_OT_write_cameras,
    DNERF_OT_show_data_set,
)
