"""The options that several commands share, each in one spelling; their bounds and defaults are those of the calls' fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dnerf_core import job_ranges
from dnerf_core.files.camera_files.turning import FILE_UPS
from dnerf_core.own_views import FRONT_YAW_DEG, yaw_text
from dnerf_core.ranges import Degrees, ranges_of
from dnerf_core.seeds import format_seeds
from headless.commands.ranged_options import option, option_of, type_of
from headless.commands.types import FilledPath, FormatsType, FramesType, ModelType, SeedsType, ShardType
from headless.runs.choices import DEFAULT_MODEL, DEFAULT_SEEDS
from headless.work.workers import MAX_DEFAULT_WORKERS

F = TypeVar("F", bound=Callable[..., Any])


def formats_option(names: Sequence[str], default: str, help_text: str, always: Sequence[str] = ()) -> Callable[[F], F]:
    """`--format`, `a,b` or given several times: a tuple of names, each once, in the order of `names`; those in `always` too."""

    def joined(ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in always or any(name in value for value in values))

    return option(
        "--format",
        "formats",
        type=FormatsType(names),
        multiple=True,
        callback=joined,
        default=(default,),
        metavar="LIST",
        help=help_text,
        show_default=default,
    )


def _remember(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """Keep the command's name, --json and --debug where the outermost edge finds them when a command fails."""
    ctx.meta["command"] = ctx.command.name
    ctx.meta["json" if param.name == "as_json" else "debug"] = value
    return value


_EAGER_FLAG: dict[str, Any] = {"is_flag": True, "is_eager": True, "callback": _remember}


def model_option(function: F) -> F:
    """`--model`: an embedded model's name or a model file."""
    text = "Take this model: an embedded one, or a model file."
    return option(
        "--model", "model_name", type=ModelType(), default=DEFAULT_MODEL, show_default=True, metavar="NAME|FILE", help=text
    )(function)


def subject_options(call: type, default: str = format_seeds(DEFAULT_SEEDS)) -> Callable[[F], F]:
    """`--seeds` and `--subjects`: which subjects; see `chosen_seeds`. `default` is what the help says of seeds not given."""
    text = "Take the subjects of these seeds, such as 0-7 or 0,3,9-12."

    def add(function: F) -> F:
        function = option_of(call, "subjects", metavar="N")(function)
        return option("--seeds", type=SeedsType(), metavar="LIST", help=text, show_default=default)(function)

    return add


def subject_file_option(function: F) -> F:
    """`--subject`, given any number of times: subject files instead of seeds; see `chosen_seeds`."""
    return option(
        "--subject",
        "subject_files",
        type=FilledPath(exists=True, dir_okay=False),
        multiple=True,
        metavar="FILE",
        help="Take this subject file instead of seeds, such as invert and edit write; may be given several times.",
    )(function)


def yaw_option(call: type) -> Callable[[F], F]:
    """`--yaw`: a range of turns, None where it is not given; the field's usual one stands in where the model tells none."""
    values = ranges_of(call)["yaw"]
    assert isinstance(values, Degrees)
    return option_of(call, "yaw", metavar="A:B", show_default=yaw_text(values.usual or FRONT_YAW_DEG))


def pitch_option(call: type) -> Callable[[F], F]:
    """`--pitch`: a range of elevations, None where it is not given: the model's own."""
    return option_of(call, "pitch", metavar="A:B", show_default="the model's own")


def camera_options(call: type) -> Callable[[F], F]:
    """`--views`, `--yaw`, `--pitch` and `--random-views`: where each subject is seen from; see `chosen_views`."""
    views = ranges_of(call)["views"]
    views_default = f"{getattr(views, 'usual', None)}, or 1 where yaw and pitch are single values"
    random_text = "Draw yaw and pitch at random, uniformly, by seed and view"
    random_text += "; the same as --view-distribution uniform." if "view_distribution" in ranges_of(call) else "."

    def add(function: F) -> F:
        for add_one in (
            option_of(call, "random_views", help=random_text),
            pitch_option(call),
            yaw_option(call),
            option_of(call, "views", show_default=views_default),
        ):
            function = add_one(function)
        return function

    return add


def cameras_up_option(function: F) -> F:
    """`--cameras-up`: which axis points up in the world of a file of cameras; None where it is not given."""
    text = "Turn the cameras of the file from a world with this axis up to the model's: x, y, z, -x, -y or -z."
    choice = click.Choice(FILE_UPS)
    shown = "taken as they are"
    return option("--cameras-up", type=choice, default=None, metavar="AXIS", help=text, show_default=shown)(function)


def pose_options(call: type) -> Callable[[F], F]:
    """`--pose`, `--frames` and `--random-poses`: what the subjects of a model that moves do."""
    drawn = "Give each view a pose by chance: a frame of --pose, or one within what joints can do."

    def add(function: F) -> F:
        return motion_options(option_of(call, "random_poses", help=drawn)(function))

    return add


def motion_options(function: F) -> F:
    """`--pose` and `--frames`: a motion that subjects follow."""
    text = "Take these frames of --pose, counted from 1."
    add = option("--frames", "pose_frames", type=FramesType(), default=None, metavar="A:B", help=text, show_default="all")
    return pose_option()(add(function))


def one_pose_options(shown_default: str, frame_text: str) -> Callable[[F], F]:
    """`pose_option`, and `--frames N`: the one frame of it that is taken."""
    add = option(
        "--frames", "pose_frames", type=FramesType(), default=None, metavar="N", help=frame_text, show_default="the only one"
    )
    return lambda function: pose_option(shown_default)(add(function))


def pose_option(shown_default: str = "the model's own") -> Callable[[F], F]:
    """`--pose`, `--bone-map` and `--write-bone-map`: a file of poses, or the name of a motion that the program brings."""
    taken = "Take the joints of --pose for the body's as this file says, which --write-bone-map wrote, instead of by their names."
    written = "Write which joints of --pose drive which of the body's to this file, to be edited for --bone-map."
    text = "Let subjects take the poses of this file (BVH, JSON, npz), or of a motion that the program brings, such as walk."

    def add(function: F) -> F:
        for name, help_text, shown in (("--write-bone-map", written, False), ("--bone-map", taken, "by their names")):
            file = FilledPath(dir_okay=False)
            function = option(name, type=file, default=None, metavar="FILE", help=help_text, show_default=shown)(function)
        pose = option("--pose", type=FilledPath(), default=None, metavar="FILE|NAME", help=text, show_default=shown_default)
        return pose(function)

    return add


def truncation_option(call: type) -> Callable[[F], F]:
    """`--truncation`: the factor psi that pulls a subject towards the mean."""
    return option_of(call, "truncation", metavar="PSI")


def resolution_option(call: type) -> Callable[[F], F]:
    """`--resolution`: the output's side in pixels."""
    return option_of(call, "resolution", metavar="PIXELS", show_default="the model's own")


def device_option(function: F) -> F:
    """`--device`: where the engine computes; of commands without a call, too."""
    values = job_ranges.DEVICE
    return option("--device", type=type_of(values), default=values.default, show_default=True, help=values.text)(function)


def workers_option(call: type) -> Callable[[F], F]:
    """`--workers`: how many views are rendered side by side; None where it is not given."""
    return option_of(call, "workers", show_default=f"one a core, up to {MAX_DEFAULT_WORKERS}")


def shard_option(function: F) -> F:
    """`--shard`: which part of the subjects; a pair (number, count)."""
    text = "Do part I of N of the subjects; the parts may run anywhere, at the same time, into one folder."
    return option("--shard", type=ShardType(), default="1/1", metavar="I/N", help=text)(function)


def extend_option(call: type, more: str = "subjects") -> Callable[[F], F]:
    """`--extend`: a folder of a smaller call grows."""
    text = f"Let a folder that the same call with fewer {more} filled grow; what is there stays as it is."
    return option_of(call, "extend", help=text)


def verify_option(call: type) -> Callable[[F], F]:
    """`--verify`: what is there is looked through first."""
    text = "First hold every file that is there against its check sum, recorded as it was written; damaged ones are named and made again."
    return option_of(call, "verify", help=text)


def exact_option(call: type) -> Callable[[F], F]:
    """`--exact`: the literal method's numbers."""
    text = "Read every sample in float32, as the papers write it: the fast path's reference, 10 to 25 times slower."
    return option_of(call, "exact", help=text)


def output_option(
    default: str | Path, text: str = "Write the results to this folder, which is made if it is not there."
) -> Callable[[F], F]:
    """`--output`: the folder that results go to."""
    return option(
        "--output",
        "-o",
        type=FilledPath(),
        default=str(default),
        show_default=True,
        metavar="FOLDER",
        help=text,
    )


def dry_run_options(call: type) -> Callable[[F], F]:
    """`--dry-run` and `--ignore-disk-space`."""
    text = "Say what would be made, how much disk and time it takes, measured by a view, and write nothing."
    ignored = "Begin even where the disk has less than half of what the call is estimated to write."

    def add(function: F) -> F:
        return option_of(call, "dry_run", help=text)(option_of(call, "ignore_disk_space", help=ignored)(function))

    return add


def output_style_options(function: F) -> F:
    """`--json` and `--debug`, which every command has."""
    json_text = "Print one JSON object a line on stdout, the last one the summary."
    return option("--json", "as_json", help=json_text, **_EAGER_FLAG)(debug_option(function))


def debug_option(function: F) -> F:
    """`--debug`."""
    return option("--debug", expose_value=False, help="Show the traceback of a failure.", **_EAGER_FLAG)(function)
