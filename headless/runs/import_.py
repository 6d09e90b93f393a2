"""A checkpoint with a family's generator becomes a model file: what a call asks for, and the run. Nothing of it is executed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import OutputError
from dnerf_core.files.whole import check_writable, output_error
from dnerf_core.ranges import Choice, Number, Ranged, Whole, ranged
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.checkpoints.release import ImportOptions

NEURAL_RESOLUTION = Whole(1, 2048, None, "Render volumes at this many pixels a side.")
CAMERA_RADIUS = Number(1e-3, 1e6, None, "Put the cameras this far from the world's origin.")
FOCAL = Number(1e-3, 1e3, None, "Give the cameras this focal length, as a share of the image's width.")
UP = Choice(("y", "z"), None, "Say which axis points up in the generator's world.")


@dataclass(frozen=True, kw_only=True)
class ImportCall(Ranged):
    """What one call of `import` asks for; None: what the checkpoint says.

    Attributes:
        release: the checkpoint.
        output: None: see `default_target`.
    """

    release: Path
    output: Path | None = None
    config: str | None = None
    network: str | None = None
    neural_resolution: int | None = ranged(NEURAL_RESOLUTION)
    cameras_from: Path | None = None
    video_cameras: bool = ranged(job_ranges.OFF)
    camera_radius: float | None = ranged(CAMERA_RADIUS)
    camera_pivot: tuple[float, float, float] | None = None
    focal: float | None = ranged(FOCAL)
    up: Literal["y", "z"] | None = ranged(UP)


def import_checkpoint(call: ImportCall, reporter: Reporter) -> None:
    """Write the model file.

    Raises:
        DNeRFError: the checkpoint cannot be used, an option does not fit it, or the output cannot be written.
    """
    release = call.release
    target = default_target(release) if call.output is None else call.output
    try:
        is_taken = target.exists()
    except OSError as error:
        raise output_error(target, error) from error
    if is_taken:
        raise OutputError(f"{target}: expected a new file, it is there already; remove it, or choose another --output")
    reporter.start(f"import: {release} becomes {target}", command="import", release=str(release), output=str(target))
    started = time.monotonic()
    check_writable(target)
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
    from dnerf_core.checkpoints.inert.mapped_file import file_stem

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
