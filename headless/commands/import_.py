"""`dnerf-headless import`: a checkpoint with a generator becomes a model file; nothing of the checkpoint is executed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dnerf_core import model_facts
from dnerf_core.errors import OutputError, brief
from dnerf_core.files.whole import check_model_place, output_error
from headless.commands import options
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.release import ImportOptions

MAX_NEURAL_RESOLUTION = 2048


class _PointType(click.ParamType[tuple[float, float, float]]):
    """`X,Y,Z` as three finite numbers."""

    name = "point"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float, float]:
        if isinstance(value, tuple):
            return value
        try:
            x, y, z = (float(part) for part in str(value).split(","))
        except ValueError:
            x = y = z = math.nan
        if not all(math.isfinite(number) for number in (x, y, z)):
            self.fail(f"expected three numbers such as 0,0,0.2, found {brief(value)}", param, ctx)
        return x, y, z


@dataclass(frozen=True)
class ImportCall:
    """`dnerf-headless import` as it was called."""

    release: Path
    output: Path | None
    config: str | None
    network: str | None
    neural_resolution: int | None
    cameras_from: Path | None
    video_cameras: bool
    camera_radius: float | None
    camera_pivot: tuple[float, float, float] | None
    focal: float | None
    up: Literal["y", "z"] | None
    as_json: bool


@click.command("import", epilog="\b\nExample:\n  dnerf-headless import ffhqrebalanced512-128.pkl -o ffhq.safetensors")
@click.argument("release", type=options.FilledPath(exists=True, dir_okay=False), metavar="CHECKPOINT")
@click.option(
    "--output",
    "-o",
    type=options.FilledPath(),
    metavar="X.safetensors",
    help="The model file to write.  [default: the same name in the current folder]",
)
@click.option(
    "--config",
    metavar="NAME|FILE.json",
    help="Settings of weights that come without them: a release's name such as ffhq512-128, or a JSON file (training_options.json).",
)
@click.option(
    "--network", metavar="NAME", help="Which generator to take where a file holds several.  [default: the averaged one]"
)
@click.option(
    "--neural-resolution",
    type=click.IntRange(1, MAX_NEURAL_RESOLUTION),
    metavar="PIXELS",
    help="Side of the volume rendering.  [default: the checkpoint's]",
)
@click.option(
    "--cameras-from",
    type=options.FilledPath(exists=True, dir_okay=False),
    metavar="dataset.json",
    help="Take radius, focal length, pivot and the spread of yaw and pitch from a data set's camera labels.",
)
@click.option(
    "--video-cameras", is_flag=True, help="The cameras of the published video script: of cars a closer view than the trained one."
)
@click.option(
    "--camera-radius", type=options.FiniteFloat(1e-3, 1e6), metavar="R", help="Distance of the cameras from the world origin."
)
@click.option("--camera-pivot", type=_PointType(), metavar="X,Y,Z", help="The point that the cameras look at.")
@click.option("--focal", type=options.FiniteFloat(1e-3, 1e3), metavar="F", help="Focal length, as a share of the image's width.")
@click.option("--up", type=click.Choice(["y", "z"]), help="The axis that points up in the generator's world.")
@options.output_style_options
def command(**arguments: Any) -> None:
    """Turn a checkpoint with EG3D's or PanoHead's generator into a model file.

    CHECKPOINT is a release or a training's snapshot (.pkl), or what torch.save wrote of the generator (.pth, .pt); .safetensors and gzip
    are read too. Nothing of it is executed. The licence of the weights stays the one they were published under.
    """
    import_checkpoint(ImportCall(**arguments))


def import_checkpoint(call: ImportCall) -> None:
    """Write the model file.

    Raises:
        DNeRFError: the checkpoint cannot be used, an option does not fit it, or the output cannot be written.
    """
    reporter = Reporter(call.as_json)
    release = call.release
    target = default_target(release) if call.output is None else call.output
    try:
        taken = target.exists()
    except OSError as error:
        raise output_error(target, error) from error
    if taken:
        raise OutputError(f"{target}: expected a new file, it is there already; remove it, or choose another --output")
    reporter.start(f"import: {release} becomes {target}", command="import", release=str(release), output=str(target))
    started = time.monotonic()
    check_model_place(target)
    from dnerf_core.checkpoints.release import import_release

    import_release(release, target, _import_options(call))
    facts = model_facts.describe_model(str(target))
    seconds = time.monotonic() - started
    for remark in facts.source.get("remarks", []):
        reporter.warning(f"{release}: {remark}")
    size_mb = target.stat().st_size / 1e6
    reporter.summary(
        [
            f"{target}: {facts.config.name}, {facts.config.image_size} px, {size_mb:.0f} MB, in {seconds:.1f} s",
            f"next: dnerf-headless render --model {target}",
        ],
        command="import",
        output=str(target),
        name=facts.config.name,
        image_size=facts.config.image_size,
        sha256=facts.sha256,
        seconds=round(seconds, 3),
    )


def default_target(release: Path) -> Path:
    """The checkpoint's name with another ending, in the current folder."""
    from dnerf_core.checkpoints.mapped_file import file_stem

    return Path(f"{file_stem(release)}.safetensors")


def _import_options(call: ImportCall) -> ImportOptions:
    from dnerf_core.checkpoints.release import ImportOptions
    from dnerf_core.checkpoints.releases.camera_choice import CameraChoice

    cameras = CameraChoice(
        is_video=call.video_cameras,
        dataset=call.cameras_from,
        radius=call.camera_radius,
        pivot=call.camera_pivot,
        focal=call.focal,
        world_up=call.up,
    )
    return ImportOptions(config=call.config, network=call.network, neural_resolution=call.neural_resolution, cameras=cameras)
