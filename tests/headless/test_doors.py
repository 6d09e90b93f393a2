"""One range, one default and one record by every door: the command line, the worker, the panel, and the calls themselves."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from dnerf_core import job_ranges
from dnerf_core.camera import arc_cameras, cameras_from_json
from dnerf_core.checkpoints.subject_file import read_subject_header, record_of, write_subject_file
from dnerf_core.editing.settings import EditSettings
from dnerf_core.errors import UsageError
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.model import Model
from dnerf_core.ranges import Choice, Choices, Degrees, Flag, Number, Range, Rate, Share, Whole, defaults_of, ranges_of
from dnerf_core.semantic.config import BranchTrainingConfig
from dnerf_core.subject_key import SubjectKey
from dnerf_core.work.command_words import command_text, render_words
from headless.annotating.training_plan import TrainCall
from headless.cli import group
from headless.datasets.channels import CHANNELS, DEFAULT_CHANNELS
from headless.datasets.formats.registry import FORMATS
from headless.downstream.points.plan import TrainPointnetCall
from headless.downstream.segmenter_plan import TrainSegmenterCall
from headless.downstream.segmenting.plan import SegmentCall
from headless.reproducing.call import ReproduceCall
from headless.runs.downstream.world import WorldCall
from headless.runs.evaluating.call import EvaluateCall
from headless.runs.import_ import ImportCall
from headless.runs.mesh import MeshCall
from headless.runs.pointcloud import PointCloudCall
from headless.runs.render import RenderCall
from headless.runs.sampling.call import SampleCall
from headless.runs.sampling.next_views import NextCall
from headless.runs.subject_cloud import SubjectCloudCall
from headless.runs.video import VideoCall
from headless.runs.views import ViewsCall
from headless.searches.calls import EditCall, InvertCall, edit_settings_of, settings_of
from headless.worker import annotating, clips, clouds, editing, inverting, previews, segmenting, views
from headless.worker.folders import data_sets
from headless.worker.params import Params
from tests.headless.inversion_cases import SEED, said, write_pictures
from tests.headless.test_edit import repaint
from tests.headless.tiny_engine import TINY
from tests.headless.worker_talk import Talk, named

CALLS: dict[str, Any] = {
    "render": RenderCall,
    "sample": SampleCall,
    "video": VideoCall,
    "pointcloud": PointCloudCall,
    "mesh": MeshCall,
    "world": WorldCall,
    "train": TrainCall,
    "evaluate": EvaluateCall,
    "invert": InvertCall,
    "edit": EditCall,
    "import": ImportCall,
    "train-segmenter": TrainSegmenterCall,
    "train-pointnet": TrainPointnetCall,
    "segment": SegmentCall,
    "reproduce": ReproduceCall,
}
IN_MEMORY: dict[str, Any] = {"views": ViewsCall, "subject_cloud": SubjectCloudCall}
"""Of runs that no command has."""
OF_ANOTHER_CALL: dict[str, set[str]] = {"sample": {"folders", *ranges_of(NextCall)}}
"""What a command asks for beside its call: of `sample --next`."""
FIELDS = [(job, name) for job, call in CALLS.items() for name in ranges_of(call)]
CAMERA = arc_cameras(TINY.cameras, (20.0, 20.0), count=1)[0]
FLOAT32_MOST = 3.4e38
INT32_MOST = 2**31 - 1


def probes(values: Range) -> tuple[list[Any], list[Any]]:
    """Values that a range holds, its ends among them, and values just beyond."""
    if isinstance(values, Whole):
        beyond = [] if values.high is None else [values.high + 1]
        return [values.low, 10**9 if values.high is None else values.high], [values.low - 1, *beyond, values.low + 0.5]
    if isinstance(values, Number):
        beyond = [] if values.high is None else [values.high * 2]
        lowest = values.low + 1e-9 if values.above else values.low
        kept_out = values.low if values.above else values.low - 1e-3
        return [lowest, 1e30 if values.high is None else values.high], [kept_out, *beyond]
    if isinstance(values, Degrees):
        return [[-values.limit, values.limit]], [[-values.limit - 1, 0.0], [0.0, values.limit + 1]]
    if isinstance(values, Choice):
        return list(values.choices), ["nothing of these"]
    if isinstance(values, Choices):
        return [list(values.choices), [values.choices[-1]]], [[], ["nothing of these"], values.choices[0]]
    if isinstance(values, Rate):
        return [values.low, values.high, Fraction(24000, 1001)], [values.low - 1, values.high + 1, 23.976, "24/0", "24:1"]
    if isinstance(values, Share):
        return [0, 0.5, 1, values.max_count], [-1, 1.5, values.max_count + 1]
    return [True], [1]


# --- the calls


@pytest.mark.parametrize(("job", "name"), FIELDS)
def test_a_call_cannot_be_made_with_a_value_out_of_range(job: str, name: str) -> None:
    call, values = CALLS[job], ranges_of(CALLS[job])[name]
    given: dict[str, Any] = {field.name: None for field in dataclasses.fields(call) if field.name not in defaults_of(call)}
    given |= {"subject": 3} if "subject" in given else {}
    held, refused = probes(values)
    for value in held:
        call(**given, **{name: value})
    for value in refused:
        with pytest.raises(UsageError, match=f"^{name}: expected "):
            call(**given, **{name: value})
    assert defaults_of(call)[name] == values.default


def test_the_defaults_are_the_engines() -> None:
    assert settings_of(InvertCall(pictures=())) == InversionSettings()
    assert edit_settings_of(EditCall(subject=3, mask=Path("a.png"))) == EditSettings()
    train, engine = TrainCall(folders=(), output=Path("x")), BranchTrainingConfig()
    assert (train.steps, train.learning_rate, train.seed) == (engine.steps, engine.learning_rate, engine.seed)


@pytest.mark.parametrize(("job", "name"), [(job, name) for job, call in IN_MEMORY.items() for name in ranges_of(call)])
def test_a_call_in_memory_cannot_be_made_with_a_value_out_of_range(job: str, name: str) -> None:
    call, values = IN_MEMORY[job], ranges_of(IN_MEMORY[job])[name]
    given: dict[str, Any] = {"subject": SubjectKey(3, 1.0), "cameras": [CAMERA]}
    held, refused = probes(values)
    for value in held:
        assert getattr(call(**given, **{name: value}), name) == value
    for value in refused:
        with pytest.raises(UsageError, match=f"^{name}: expected "):
            call(**given, **{name: value})
    assert defaults_of(call)[name] == values.default


# --- the command line


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The least that each command wants."""
    folder = tmp_path_factory.mktemp("needed")
    file = folder / "any"
    file.write_bytes(b"any")
    return {
        "train": [str(folder), "-o", "x.safetensors"],
        "evaluate": [str(folder)],
        "invert": [str(file)],
        "edit": ["3", "--mask", str(file)],
        "import": [str(file)],
        "train-segmenter": [str(folder), "-o", "x.safetensors"],
        "train-pointnet": [str(folder), "-o", "x.safetensors"],
        "segment": [str(file), "--network", str(file)],
        "reproduce": ["table1"],
    }


def command_of(job: str) -> click.Command:
    found = group.get_command(click.Context(group), job)
    assert found is not None
    return found


def read(job: str, *args: str) -> Any:
    """The call that a command line means."""
    values = command_of(job).make_context(job, list(args)).params
    others = {"as_json", "debug"} | OF_ANOTHER_CALL.get(job, set())
    return CALLS[job](**{name: value for name, value in values.items() if name not in others})


def text_of(value: Any) -> str:
    return ":".join(map(repr, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(("job", "name"), FIELDS)
def test_an_option_takes_what_its_field_does(job: str, name: str, needed: dict[str, list[str]]) -> None:
    values, least = ranges_of(CALLS[job])[name], needed.get(job, [])
    assert getattr(read(job, *least), name) == values.default
    (option,) = [param for param in command_of(job).params if param.name == name]
    if isinstance(values, Flag):
        assert isinstance(option, click.Option) and option.is_flag
        return
    held, refused = probes(values)
    for value in held:
        found = getattr(read(job, *least, f"{option.opts[0]}={text_of(value)}"), name)
        assert found == (tuple(value) if isinstance(value, list) else value)
    for value in refused:
        with pytest.raises(click.UsageError):
            read(job, *least, f"{option.opts[0]}={text_of(value)}")


# --- the worker

NAMES = {("video", "resolution"): "size_px", ("pointcloud", "resolution"): "size_px"}
"""What a request calls a field, where it is not the field's name."""
METHODS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "sample": (annotating.sample, {"model": "m", "seeds": [0], "output": "/out"}),
    "data_set": (data_sets.data_set, {"model": "m", "seeds": [0], "output": "/out"}),
    "train": (annotating.train, {"folders": ["/in"], "output": "/out"}),
    "invert": (inverting.invert, {"model": "m", "photo": "/a.png", "output": "OUT"}),
    "edit": (editing.edit, {"model": "m", "seed": 3, "camera": CAMERA.to_json(), "mask": "/a.png", "output": "OUT"}),
    "video": (
        clips.video,
        {"model": "m", "subjects": [{"seed": 3}], "cameras": [CAMERA.to_json()], "output": "/out", "name": "n"},
    ),
    "pointcloud": (clouds.pointcloud, {"model": "m", "seed": 3, "cameras": [CAMERA.to_json()]}),
    "render": (views.render, {"model": "m", "seed": 3, "cameras": [CAMERA.to_json()]}),
    "segment": (segmenting.segment, {"network": "/n.safetensors", "points": "c000001.npy"}),
    "preview": (previews.preview, {"model": "m", "seed": 3, "camera": CAMERA.to_json()}),
}
PLANNING = {"dry_run", "ignore_disk_space"}
"""A client asks for a few views at a time, whose cost it sees."""
MADE_BY_THE_CLIENT = {
    # the device is the worker's; where subjects are seen from, and by how many, comes as cameras
    "sample": {"device", "workers", "verify", "extend"} | PLANNING,
    "train": {"device"},
    "invert": {"device", "variants", "fit"},
    "edit": {"device", "truncation", "yaw", "pitch"},
    "segment": {"device", "size", "mirrored"},  # a client that shows pictures has its own readers of them
    "video": {"device", "workers", "subjects", "between", "frames", "yaw", "pitch", "truncation", "exact", "verify", "extend"}
    | PLANNING,
    "pointcloud": {
        "device",
        "workers",
        "subjects",
        "views",
        "yaw",
        "pitch",
        "random_views",
        "truncation",
        "exact",
        "color",
        "verify",
        "extend",
    }
    | PLANNING,
}
"""Fields that a request does not have by itself: `fit`, `seed` and `truncation` are read with others, see below."""
READ = [
    *(
        (job, NAMES.get((job, name), name), ranges_of(CALLS[job])[name])
        for job, left_out in MADE_BY_THE_CLIENT.items()
        for name in ranges_of(CALLS[job])
        if name not in left_out
    ),
    *(("data_set", name, ranges_of(RenderCall)[name]) for name in data_sets.RANGED),
    ("data_set", "formats", job_ranges.FORMATS),
    ("data_set", "reject_uncertain", job_ranges.REJECT_UNCERTAIN),
    *((job, "seed", job_ranges.SEED) for job in ("edit", "render", "preview", "pointcloud")),
    *((job, "truncation", job_ranges.TRUNCATION) for job in ("edit", "render", "preview", "pointcloud")),
    *((job, "size_px", job_ranges.RESOLUTION) for job in ("render", "preview")),
    ("render", "channels", ranges_of(ViewsCall)["channels"]),
]


def answer(job: str, tmp_path: Path, name: str, value: Any) -> str:
    """What the worker says of a request with a value, and with another that no method knows, which is looked at last."""
    method, least = METHODS[job]
    given = {key: str(tmp_path / "x.safetensors") if item == "OUT" else item for key, item in least.items()}
    request = SimpleNamespace(params=given | {name: value, "of nobody": 1})
    with pytest.raises(UsageError) as error:
        method(request, SimpleNamespace(device="cpu"))
    return str(error.value)


@pytest.mark.parametrize(("job", "name", "values"), READ)
def test_a_request_takes_what_the_field_does(job: str, name: str, values: Range, tmp_path: Path) -> None:
    held, refused = probes(values)
    for value in held:
        assert "found 'of nobody'; leave it out" in answer(job, tmp_path, name, value)
    for value in refused:
        assert answer(job, tmp_path, name, value).startswith(f"params: {name}: expected {values.expected}, found ")


def test_a_requests_defaults_are_the_fields() -> None:
    output = Path("/out/x.safetensors")
    found: list[tuple[Any, set[str]]] = [
        (annotating.sample_call(Params(METHODS["sample"][1]), "auto"), {"model_name", "seeds", "output"}),
        (data_sets.render_call(Params(METHODS["data_set"][1]), "auto"), {"model_name", "seeds", "output"}),
        (annotating.train_call(Params(METHODS["train"][1]), "auto"), set()),
        (inverting.invert_call(Params(METHODS["invert"][1]), "auto", output), {"model_name", "output"}),
        (EditCall(mask=Path("/a.png"), **editing.edit_fields(Params(METHODS["edit"][1]))), {"model_name", "camera"}),
    ]
    for call, given in found:
        usual = {name: value for name, value in defaults_of(call).items() if name not in given}
        assert {name: getattr(call, name) for name in usual} == usual
    assert Params({"seed": 3}).subject() == SubjectKey(3, job_ranges.TRUNCATION.default or 0.0)


REQUESTS: list[dict[str, Any]] = [
    {"seeds": [0]},
    {"seeds": [0, 1, 2, 7], "views": 7, "yaw": [-30.0, 30.5], "pitch": [-10.1, 25.0], "truncation": 0.7},
    {"subjects": 3, "views": 4, "yaw": [0.0, 360.0], "resolution": 64, "exact": True, "masks": "palette"},
    {"subject_files": ["FILE", "OTHER FILE"], "cameras": "FILE", "cameras_up": "-y", "depth_format": "npy"},
    {"seeds": [5], "cameras": "FILE", "pose": "FILE", "pose_frames": [2, 9], "bone_map": "FILE", "channels": ["rgb", "joints"]},
    {"seeds": [5], "pose": "walk", "random_poses": True, "channels": ["rgb", "mask", "depth", "uncertainty"]},
    {"subjects": 9, "splits": "train=0.8,test=0.2", "formats": ["coco", "nerfstudio"], "coco_instances": "connected"},
    {"subjects": 9, "formats": ["webdataset"], "shard_views": 12, "reject_uncertain": 0.125, "consistent": True},
    {"seeds": [4], "formats": ["nerfstudio"], "nerfstudio_images": "rgba", "aabb_scale": 16, "extend": True, "verify": True},
    {"seeds": [4], "random_views": True, "view_distribution": "uniform", "workers": 2, "ignore_disk_space": True},
]


@pytest.mark.parametrize("request_fields", REQUESTS)
def test_the_command_of_a_request_is_the_same_call(request_fields: dict[str, Any], tmp_path: Path) -> None:
    """What the panel shows, to be copied, against what the worker does."""
    for name in ("FILE", "OTHER FILE"):
        (tmp_path / name).write_text("{}")

    def there(value: Any) -> Any:
        if isinstance(value, list):
            return [there(item) for item in value]
        return str(tmp_path / value) if value in ("FILE", "OTHER FILE") else value

    request = {"model": "my cars.safetensors", **{name: there(value) for name, value in request_fields.items()}}
    request["output"] = str(tmp_path / "a set")
    words = render_words({**request, "device": "cpu"})
    assert words[:2] == ["dnerf-headless", "render"]
    assert shlex.split(command_text(words, windows=False)) == words
    params = Params(request)
    assert read("render", *words[2:]) == data_sets.render_call(params, "cpu")
    params.close()


# --- the panel

OPEN = "0 stands for what is not given"
PANEL: dict[str, tuple[Range, str]] = {
    "seed": (job_ranges.SEED, ""),
    "truncation": (ranges_of(RenderCall)["truncation"], ""),
    "edit_steps": (ranges_of(EditCall)["steps"], ""),
    "edit_keep_inside": (ranges_of(EditCall)["keep_inside"], ""),
    "edit_margin_px": (ranges_of(EditCall)["margin"], ""),
    "edit_label_weight": (ranges_of(EditCall)["label_weight"], ""),
    "edit_rgb_weight": (ranges_of(EditCall)["rgb_weight"], ""),
    "edit_perceptual_weight": (ranges_of(EditCall)["perceptual_weight"], ""),
    "camera_count": (ranges_of(RenderCall)["views"], ""),
    "yaw_first_deg": (ranges_of(RenderCall)["yaw"], ""),
    "yaw_last_deg": (ranges_of(RenderCall)["yaw"], ""),
    "pitch_first_deg": (ranges_of(RenderCall)["pitch"], ""),
    "pitch_last_deg": (ranges_of(RenderCall)["pitch"], ""),
    "size_px": (ranges_of(RenderCall)["resolution"], OPEN),
    "preview_size_px": (ranges_of(RenderCall)["resolution"], OPEN),
    "cloud_views": (ranges_of(PointCloudCall)["views"], ""),
    "cloud_points": (ranges_of(PointCloudCall)["points"], OPEN),
    "annotation_subjects": (ranges_of(SampleCall)["subjects"], ""),
    "annotation_views": (ranges_of(SampleCall)["views"], ""),
    "training_steps": (ranges_of(TrainCall)["steps"], ""),
}
DATA_SET: dict[str, tuple[Range, str]] = {
    "subjects": (ranges_of(RenderCall)["subjects"], OPEN),
    "truncation": (ranges_of(RenderCall)["truncation"], ""),
    "resolution": (ranges_of(RenderCall)["resolution"], OPEN),
    "shard_views": (ranges_of(RenderCall)["shard_views"], OPEN),
    "aabb_scale": (ranges_of(RenderCall)["aabb_scale"], OPEN),
    "reject_uncertain": (job_ranges.REJECT_UNCERTAIN, ""),
}
"""Of `dnerf.render_data_set`, whose panel has the same."""
OF_CAMERAS = {
    *("count", "test_count", "camera_seed", "test_camera_seed", "yaw", "pitch"),
    *("radius", "fov_deg", "center_point", "frame_step", "test_frame_step"),
}
"""Of its cameras' rules, which the command gets as a file."""
OF_NO_JOB = {"annotation_index", "view_index", "pose_row_index", "painted_label_id", "picture_share"}
INVERT_PHOTO: dict[str, tuple[Range, str]] = {
    "yaw": (ranges_of(InvertCall)["yaw"], ""),
    "steps": (ranges_of(InvertCall)["steps"], OPEN),
    "tuning": (ranges_of(InvertCall)["tuning"], ""),
    "seed": (ranges_of(InvertCall)["seed"], ""),
}
"""Of its dialog, which has no panel's settings."""


@pytest.fixture(scope="module")
def addon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Blender with the add-on; skips where it is not installed as a module."""
    bpy = pytest.importorskip("bpy", reason="bpy is not installed here")
    from tests.blender.addon import enabled_addon, interpreter_script

    with enabled_addon(interpreter_script(tmp_path_factory.mktemp("python"))):
        yield bpy


def check_property(found: Any, values: Range, left_open: str, *, of_operator: bool = False) -> None:
    """A property's bounds and default against a range; operators refuse what is out of bounds themselves, which Blender would clip."""
    bounds = (found.soft_min, found.soft_max) if of_operator else (found.hard_min, found.hard_max)
    if isinstance(values, Degrees):
        assert bounds == (-values.limit, values.limit)
        if values.usual is not None:
            assert (
                (tuple(found.default_array) == values.usual)
                if of_operator
                else found.default == values.usual["last" in found.identifier]
            )
        return
    assert isinstance(values, Whole | Number)
    most = INT32_MOST if isinstance(values, Whole) else FLOAT32_MOST
    high = most if values.high is None else min(values.high, most)
    usual = values.default if isinstance(values, Number) or values.default is not None else values.usual
    assert bounds[0] == (0 if left_open else values.low)
    assert bounds[1] >= high if values.high is None else bounds[1] == pytest.approx(high)
    assert found.default == pytest.approx(0 if left_open else usual)


def test_the_panels_bounds_and_defaults_are_the_fields(addon: Any) -> None:
    settings = type(addon.context.scene.dnerf).bl_rna.properties
    numbers = {item.identifier for item in settings if item.type in ("INT", "FLOAT")}
    assert numbers == {*PANEL, *OF_NO_JOB}
    for name, (values, left_open) in PANEL.items():
        check_property(settings[name], values, left_open)
    photo = addon.ops.dnerf.invert_photo.get_rna_type().properties
    assert {item.identifier for item in photo if item.type in ("INT", "FLOAT") and not item.is_hidden} == {*INVERT_PHOTO}
    for name, (values, left_open) in INVERT_PHOTO.items():
        check_property(photo[name], values, left_open, of_operator=True)
    for name in ("kind", "fit"):
        values = ranges_of(InvertCall)[name]
        assert isinstance(values, Choice)
        assert (tuple(photo[name].enum_items.keys()), photo[name].default) == (values.choices, values.default)
    sets = addon.ops.dnerf.render_data_set.get_rna_type().properties
    assert {item.identifier for item in sets if item.type in ("INT", "FLOAT") and not item.is_hidden} == {*DATA_SET, *OF_CAMERAS}
    for name, (values, left_open) in DATA_SET.items():
        check_property(sets[name], values, left_open, of_operator=True)
    for name in ("masks", "depth_format", "coco_instances", "nerfstudio_images"):
        values = ranges_of(RenderCall)[name]
        assert isinstance(values, Choice)
        assert tuple(sets[name].enum_items.keys()) == values.choices
        assert sets[name].default == (values.default or values.choices[0])
    assert tuple(sets["channels"].enum_items.keys()) == job_ranges.CHANNELS.choices == CHANNELS
    assert ("folder", *sets["formats"].enum_items.keys()) == job_ranges.FORMATS.choices == FORMATS
    assert sets["channels"].default_flag == {*DEFAULT_CHANNELS}
    fields = {item.name for item in dataclasses.fields(RenderCall)}
    own = (
        {item.identifier for item in sets}
        - OF_CAMERAS
        - {"rna_type", "cameras", "test_cameras", "camera", "test_camera", "model"}
    )
    assert own - fields == {"wait", "own_angles", "upper", "center", "center_object", "outwards"}, "named as the call's fields"
    device = addon.context.preferences.addons["blender_addon"].preferences.bl_rna.properties["device"]
    assert (tuple(device.enum_items.keys()), device.default) == (job_ranges.DEVICE.choices, job_ranges.DEVICE.default)


# --- the record of how a subject was made


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    talk = Talk()
    yield talk
    talk.client.stop()


def made(path: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """What a subject file says of how it was made, and apart its scores, whose last digits are the threads'."""
    found = dict(read_subject_header(path).made)
    scores = found.pop("scores")
    numbers = {name: value for name, value in scores.items() if isinstance(value, int | float)}
    return found | {"scores": [*scores]}, numbers


@pytest.mark.parametrize("kind", ["image", "mask"])
def test_an_inversion_is_recorded_the_same(talk: Talk, trained_model: Path, tmp_path: Path, kind: str) -> None:
    write_pictures(tmp_path, trained_model)
    picture = tmp_path / ("photo.png" if kind == "image" else "mask.png")
    numbers = {"steps": 8, "candidates": 3, "starts": 2, "prior": 0.001, "seed": 1}
    options = [text for name, value in numbers.items() for text in (f"--{name}", str(value))]
    asked = ["--kind", kind, "--crop", "-4,0,120", "--yaw", "-200:40", "--pitch", "5:20", "--device", "cpu"]
    call = said("invert", picture, "--model", trained_model, *options, *asked, "-o", tmp_path / "out")
    assert call.code == 0, call.err
    request = {"model": str(trained_model), "photo": str(picture), "kind": kind, "fit": [-4, 0, 120], **numbers}
    output = tmp_path / "worker.safetensors"
    talk.call("invert", **request, yaw=[-200, 40], pitch=[5, 20], output=str(output)).done()
    (ours, scores), (workers, others) = made(tmp_path / "out" / f"{picture.stem}.safetensors"), made(output)
    assert workers == ours
    assert others == pytest.approx(scores, abs=0.2)


@pytest.mark.parametrize("from_file", [False, True])
def test_an_edit_is_recorded_the_same(talk: Talk, trained_model: Path, tmp_path: Path, from_file: bool) -> None:
    write_pictures(tmp_path, trained_model)
    repaint(tmp_path / "mask.png", tmp_path / "painted.png")
    (camera,) = cameras_from_json((tmp_path / "cameras.json").read_text()).values()
    file, engine = tmp_path / "seven.safetensors", Model.load(trained_model)
    write_subject_file(file, record_of(engine, engine.subject(SEED).ws, None, {}))
    numbers = {"steps": 6, "margin": 100, "edited_weight": 4.0, "prior": 0.01, "keep_inside": 0.25}
    options = [text for name, value in numbers.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    asked = ["--mask", tmp_path / "painted.png", "--camera", tmp_path / "cameras.json", "--device", "cpu"]
    subject = file if from_file else str(SEED)
    call = said("edit", subject, "--model", trained_model, *options, *asked, "-o", tmp_path / "out")
    assert call.code == 0, call.err
    of = {"subject_file": str(file)} if from_file else {"seed": SEED}
    request = {"model": str(trained_model), **of, "camera": named([camera])[0], "mask": str(tmp_path / "painted.png"), **numbers}
    output = tmp_path / "worker.safetensors"
    talk.call("edit", **request, output=str(output)).done()
    (ours, scores), (workers, others) = made(tmp_path / "out" / "painted.safetensors"), made(output)
    assert workers == ours
    assert others == pytest.approx(scores, abs=0.5)
