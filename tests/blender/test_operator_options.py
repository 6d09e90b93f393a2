"""Every operator that begins a job waits and has the options of its call; what a script gives counts, and the panel stays as it is."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import os
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from dnerf_core import job_ranges  # noqa: E402
from dnerf_core.ranges import Choice, Choices, Degrees, Flag, Number, Rate, Share, Whole, ranges_of  # noqa: E402
from headless.annotating.training_plan import TrainCall  # noqa: E402
from headless.downstream.segmenting.plan import SegmentCall  # noqa: E402
from headless.runs.adding.call import AddViewsCall  # noqa: E402
from headless.runs.compositing.call import CompositeCall  # noqa: E402
from headless.runs.info import InfoCall  # noqa: E402
from headless.runs.mesh import MeshCall  # noqa: E402
from headless.runs.pointcloud import PointCloudCall  # noqa: E402
from headless.runs.render import RenderCall  # noqa: E402
from headless.runs.sampling.call import SampleCall  # noqa: E402
from headless.runs.video import VideoCall  # noqa: E402
from headless.searches.calls import EditCall, InvertCall  # noqa: E402
from tests.blender.addon import REPOSITORY, enabled_addon, interpreter_script  # noqa: E402

needs_engine = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)

# --- the calls

ELSEWHERE = {
    "device": "it is of the preferences",
    "dry_run": "jobs here are begun, and the panel says what they are",
    "write_bone_map": "the panel Pose has the map of an armature",
    "cameras_up": "cameras are Blender's, whose world is z up",
}
"""Fields of calls that no operator has."""
ARMATURE = dict.fromkeys(("pose", "pose_frames", "bone_map"), "the armature of the panel Pose says it")
OWN_FOLDER = {
    **dict.fromkeys(("extend", "verify", "ignore_disk_space"), "there is no folder of the command's"),
    **dict.fromkeys(("workers", "exact"), "the worker holds its models and knows its machine"),
}
OF_FILES = dict.fromkeys(("formats", "splits"), "it comes into the scene, and no files are written")
ARC = dict.fromkeys(("views", "random_views", "view_distribution"), "`cameras` with a rule's `count` and seed say it")
ONE = {"subject": "`seed` or `subject_file`: no property is a number or a path"}
RULE = {
    *("count", "own_angles", "camera_seed", "upper", "radius", "fov_deg", "center", "center_object", "center_point", "outwards"),
    *("camera", "frame_step"),
}
"""Options of cameras in the scene, which no call has."""
SCENE_CAMERAS = {"path": "the scene's cameras", "between": "the scene's cameras", "frames": "the scene's range"}


@dataclasses.dataclass(frozen=True)
class Door:
    """An operator that begins a job, and the call that it is.

    Attributes:
        left_out: fields that it has no option for, and why.
        more: options that are no fields.
        typed_otherwise: options of another type than the field, and why.
    """

    call: type
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    more: frozenset[str] | set[str] = frozenset()
    typed_otherwise: dict[str, str] = dataclasses.field(default_factory=dict)


_CAMERAS = {"cameras": "a choice of the scene's cameras, or a rule"}
_DATA_SET = Door(
    RenderCall,
    {**ARC, "engine": "the worker is one machine", "shard": "the worker is one machine", "blend": "Blender has its own"},
    {*RULE, "test_cameras", "test_count", "test_camera", "test_camera_seed", "test_frame_step"},
    _CAMERAS,
)
_CLOUD = Door(
    PointCloudCall,
    {
        **ARMATURE,
        **OWN_FOLDER,
        **OF_FILES,
        **dict.fromkeys(("from_folder", "category", "output", "color"), "it comes into the scene, and no files are written"),
        "random_views": "views all around are evenly spaced",
    },
    typed_otherwise=_CAMERAS,
)
_PATH_FIELDS = ("model_name", "views", "yaw", "pitch", "resolution")
DOORS: dict[str, Door] = {
    "load_model": Door(InfoCall, {"verify": "the command looks through files"}),
    "render_views": Door(
        AddViewsCall,
        {**{name: OWN_FOLDER[name] for name in ("workers", "exact")}, "camera_names": "the scene's", "pose": ARMATURE["pose"]}
        | {"subject": "`seeds`, `subjects` or `subject_files`: several"},
        {*RULE, "seeds", "subjects", "subject_files", "truncation", "yaw", "pitch"},
        _CAMERAS,
    ),
    "render_data_set": _DATA_SET,
    "copy_data_set_command": _DATA_SET,
    "place_data_set_cameras": _DATA_SET,
    "write_cameras": dataclasses.replace(_DATA_SET, more={*_DATA_SET.more, "with_cloud"}),
    "render_video": Door(
        VideoCall,
        {
            **ARMATURE,
            **OWN_FOLDER,
            **SCENE_CAMERAS,
            **dict.fromkeys(("yaw", "pitch", "resolution"), "the scene's cameras and render size"),
            "splits": "a folder a clip",
        },
        {"into_sequencer"},
    ),
    "fuse_cloud": dataclasses.replace(_CLOUD, more={"annotations"}),
    "fuse_frames": _CLOUD,
    "make_asset": _CLOUD,
    "import_mesh": Door(
        MeshCall,
        {
            **ARMATURE,
            **OWN_FOLDER,
            "formats": OF_FILES["formats"],
            "output": "it comes into the scene",
            "random_views": "views all around are evenly spaced",
            "rigged": "what moves is rigged",
            "level": "the engine's own",
            "min_piece": "the engine's own",
        },
        {"separate"},
        _CAMERAS,
    ),
    "sample_views": Door(
        SampleCall,
        {**{name: OWN_FOLDER[name] for name in ("extend", "verify", "ignore_disk_space", "workers")}}
        | {name: "a file's whole motion" for name in ("pose_frames", "bone_map")},
    ),
    "train": Door(TrainCall),
    "invert_photo": Door(
        InvertCall,
        {
            "pictures": "`filepath`, as Blender's file browser names it, and one",
            "variants": "one subject becomes the panel's",
            "pose_frames": "a file of the one pose",
            "bone_map": "a file of the body's own joints",
        },
        {"filepath", "filter_image", "filter_folder", "own_yaw", "own_yaw_switch"},
    ),
    "apply_edit": Door(
        EditCall,
        {**ARMATURE, **ONE, **dict.fromkeys(("yaw", "pitch"), "`camera` says it")},
        {"seed", "subject_file", "repair"},
    ),
    "segment_selected": Door(
        SegmentCall,
        {"paths": "`object`, or what is selected", "output": "the objects are labelled", "size": "of pictures"}
        | {"mirrored": "of pictures"},
        {"object"},
    ),
    "composite": Door(
        CompositeCall,
        {
            **ONE,
            **{name: OWN_FOLDER[name] for name in ("workers", "exact")},
            **dict.fromkeys(("pose", "poses"), ARMATURE["pose"]),
            **dict.fromkeys(
                ("resolution", "camera_names", "scenes", "label_set", "indices", "blend_file", "blender"), "the scene says it"
            ),
            "channels": "all that there are of a composite",
        },
        {"camera", "seed", "truncation", "subject_file"},
        _CAMERAS,
    ),
}
OF_NO_CALL = {
    "place_cameras": {"model", "path", "views", "yaw", "pitch", "resolution"},
    "animate_camera": {"model", "path", "yaw", "pitch", "resolution"},
    "open_annotations": {"folder"},
    "prefill": {"folder", "view", "model"},
    "edit_mask": {"model", "seed", "truncation", "subject_file", "camera", "anew"},
    "step_edit": {"step"},
    "add_person": {"model", "pose"},
    "open_files": {"filepath", "directory", "files", "filter_glob"},
    "use_subject": set(),
    "restart_worker": set(),
}
"""Operators that begin jobs which are no command of their own: their options."""
NOT_WAITING = {"drop_photo": "it opens the dialog of invert_photo"}
OPTION_NAMES = {"model_name": "model"}
"""As in requests to the worker."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The add-on as scripts have it: operators wait."""
    with enabled_addon(interpreter_script(tmp_path_factory.mktemp("engine")), waits=True) as module:
        yield module


def operators() -> dict[str, type]:
    """The registered operators of the extension, by name."""
    from blender_addon.registration import CLASSES

    found = [item for item in CLASSES if issubclass(item, bpy.types.Operator)]
    assert len(found) > 50 and all(item.__name__ == f"DNERF_OT_{item.bl_idname.removeprefix('dnerf.')}" for item in found)
    return {item.bl_idname.removeprefix("dnerf."): item for item in found}


def options_of(name: str) -> dict[str, Any]:
    """An operator's properties, without those that every waiting one has."""
    found = getattr(bpy.ops.dnerf, name).get_rna_type().properties
    return {item.identifier: item for item in found if item.identifier not in ("rna_type", "wait")}


def calls_in_functions() -> dict[str, set[str]]:
    """Of each top function of the extension, and of each operator's class, the names that are called in it."""
    found: dict[str, set[str]] = {}
    for path in (REPOSITORY / "blender_addon").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                calls = [item.func for item in ast.walk(node) if isinstance(item, ast.Call)]
                names = {call.id for call in calls if isinstance(call, ast.Name)}
                names |= {call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr == "start_job"}
                found.setdefault(node.name, set()).update(names)
    return found


def begin_jobs() -> set[str]:
    """The operators whose code reaches `start_job`, through functions of the extension."""
    calls = calls_in_functions()

    def reached(name: str, seen: set[str]) -> set[str]:
        for called in calls.get(name, set()) - seen:
            seen.add(called)
            reached(called, seen)
        return seen

    return {name for name, item in operators().items() if "start_job" in reached(item.__name__, set())}


def test_every_operator_that_begins_a_job_waits(session: ModuleType) -> None:
    from blender_addon.operators.base import JobOperator, WaitingOperator

    waiting = {name for name, item in operators().items() if issubclass(item, WaitingOperator)}
    jobs = {name for name, item in operators().items() if issubclass(item, JobOperator)}
    assert len(begin_jobs()) >= 20 and begin_jobs() <= waiting
    assert jobs - waiting == {*NOT_WAITING}
    assert waiting == {*DOORS, *OF_NO_CALL}, "each is in one of the tables above"
    assert {name for name in operators() if "wait" in getattr(bpy.ops.dnerf, name).get_rna_type().properties} == waiting


@pytest.mark.parametrize("name", [*DOORS])
def test_its_options_are_the_fields_of_its_call(session: ModuleType, name: str) -> None:
    door, options = DOORS[name], options_of(name)
    fields = {OPTION_NAMES.get(item.name, item.name) for item in dataclasses.fields(door.call)}
    left_out = {**{name: why for name, why in ELSEWHERE.items() if name in fields}, **door.left_out}
    assert fields - {*options} == {*left_out}
    assert {*options} - fields == {*door.more}
    for field in dataclasses.fields(door.call):
        option = options.get(OPTION_NAMES.get(field.name, field.name))
        if option is not None and option.identifier not in door.typed_otherwise:
            check_type(operators()[name], option, field)
    assert {*door.typed_otherwise} <= fields & {*options}


@pytest.mark.parametrize("name", [*OF_NO_CALL])
def test_the_options_of_others_are_these(session: ModuleType, name: str) -> None:
    options = options_of(name)
    assert {*options} == OF_NO_CALL[name]
    for field in dataclasses.fields(RenderCall):
        if name in ("place_cameras", "animate_camera") and field.name in _PATH_FIELDS and field.name in options:
            check_type(operators()[name], options[field.name], field)


def check_type(operator: Any, option: Any, field: dataclasses.Field[Any]) -> None:
    """An option's type, its choices, and what it holds its numbers against, where the engine does not, against the field."""
    values, text = field.metadata.get("range"), str(field.type)
    values = (
        {"channels": job_ranges.CHANNELS, "formats": job_ranges.FORMATS}.get(field.name, values) if values is None else values
    )
    kinds = {Whole: "INT", Number: "FLOAT", Share: "FLOAT", Degrees: "FLOAT", Flag: "BOOLEAN", Rate: "STRING"}
    lengths = {"Square | None": ("INT", 3), "tuple[int, int] | None": ("INT", 2)}
    if isinstance(values, Choice | Choices):
        assert option.type == "ENUM" and option.is_enum_flag == isinstance(values, Choices), option.identifier
        choices = [choice for choice in values.choices if choice != "folder"]  # which is always written
        assert option.enum_items.keys() == choices, option.identifier
    elif values is not None:
        assert option.type == kinds[type(values)], option.identifier
        assert getattr(option, "array_length", 0) == (2 if isinstance(values, Degrees) else 0), option.identifier
    elif text in lengths:
        assert (option.type, option.array_length) == lengths[text]
    else:
        expected = "BOOLEAN" if text == "bool" else "FLOAT" if text == "float" else "STRING"
        assert option.type == expected, (option.identifier, text)
    limits = operator.limits.get(option.identifier)
    if limits is not None and isinstance(values, Whole | Number | Degrees):
        low, high = (-values.limit, values.limit) if isinstance(values, Degrees) else (values.low, values.high)
        most = 2**31 - 1 if isinstance(values, Whole) else high
        assert limits == (limits[0], most if high is None else min(high, most)) and limits[0] in (low, 0), option.identifier
    assert option.type not in ("INT", "FLOAT") or option.hard_min < -1e6, f"{option.identifier}: Blender would clip it in silence"


def test_the_fields_that_are_left_out_have_a_reason() -> None:
    for door in DOORS.values():
        fields = {OPTION_NAMES.get(item.name, item.name) for item in dataclasses.fields(door.call)}
        assert {*door.left_out} <= fields, "an exception that nothing needs any more"
        assert all(door.left_out.values())
    assert ranges_of(TrainCall)["steps"] == job_ranges.TRAIN_STEPS


# --- what the guide says

WHICH = {"model", "seeds", "subjects", "subject_files", "truncation"}
WHICH_ONE = {"model", "seed", "subject_file", "truncation"}
OF_THE_BROWSER = {"filter_image", "filter_folder", "filter_glob", "directory", "files", "own_yaw", "own_yaw_switch"}
"""What Blender's dialogs need, and scripts do not."""


def said_options(cell: str, table: str) -> set[str]:
    """The options that a cell of the guide names: in code, by what `which` stands for, and by a link to the table of data sets."""
    found = {*re.findall(r"`(\w+)`", cell)}
    if cell.startswith("which one"):
        found |= WHICH_ONE
    elif cell.startswith("which"):
        found |= WHICH
    return found | ({*re.findall(r"`([a-z_]+)[`=]", table)} if "(#a-data-set)" in cell else set())


def test_the_guide_names_every_option(session: ModuleType) -> None:
    text = (REPOSITORY / "docs" / "blender-scripting.md").read_text(encoding="utf-8")
    head, table = text.partition("\n## ")[0], text.partition("| option of `render_data_set` | |")[2].partition("\n## ")[0]
    told: set[str] = set()
    for names, cell in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|$", head, flags=re.MULTILINE):
        found, row = said_options(cell, table), re.findall(r"`(\w+)`", names)
        told |= {*row}
        options = {name: {*options_of(name)} - OF_THE_BROWSER for name in row}
        assert {name: options[name] - found for name in row} == {name: set() for name in row}, "not in the guide"
        if "(#a-data-set)" not in cell:
            assert found <= set().union(*options.values()), f"{names}: no such option"
    assert told == {*DOORS, *OF_NO_CALL}
