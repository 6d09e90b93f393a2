"""`dnerf-headless evaluate`: a model's masks against painted ones, or the demo's views against the exact truth."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dnerf_core.errors import AnnotationError, UsageError
from headless import options
from headless.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.model import Model

_FOLDER_REFUSES = ("seeds", "subjects", "views", "yaw", "pitch")


@dataclass(frozen=True)
class EvaluateCall:
    """The options of one call, as click gives them."""

    folders: tuple[Path, ...]
    model_name: str
    truth: bool
    video: bool
    seeds: tuple[int, ...] | None
    subjects: int | None
    views: int | None
    yaw: tuple[float, float] | None
    pitch: tuple[float, float] | None
    grid: Path | None
    skip_unpainted: bool
    device: str
    exact: bool


@click.command("evaluate", epilog="\b\nExample:\n  dnerf-headless evaluate --model demo-cars --truth --seeds 0-99 --json")
@click.argument("folders", nargs=-1, type=options.FilledPath(exists=True, file_okay=False), metavar="[FOLDER]...")
@options.model_option
@click.option("--truth", is_flag=True, help="Score against the exact truth, which is known for demo-cars only.")
@click.option("--video", is_flag=True, help="With --truth: the frames of an even arc, instead of random views.")
@options.subject_options("0-99, or 0 with --video")
@click.option(
    "--views",
    type=click.IntRange(1, options.MAX_VIEWS),
    metavar="N",
    help="Views of each subject.  [default: 1, or 61 with --video]",
)
@click.option(
    "--yaw",
    type=options.RangeType(360.0),
    metavar="A:B",
    help="Turn in degrees, one value or a range.  [default: -180:180, or -30:30 with --video]",
)
@click.option(
    "--pitch",
    type=options.RangeType(90.0),
    metavar="A:B",
    help="Elevation in degrees, one value or a range.  [default: 5:30, or the model's own with --video]",
)
@click.option(
    "--grid",
    type=options.FilledPath(dir_okay=False),
    metavar="FILE.png",
    help="Also draw the worst views and typical ones; a file of that name is replaced.",
)
@click.option("--skip-unpainted", is_flag=True, help="Leave out masks that are all background instead of refusing them.")
@options.device_option
@options.exact_option
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Score a model against painted masks, or the demo against the exact truth.

    FOLDER is what sample wrote, with its masks painted: mIoU (background counts as a class), accuracy and IoU of each class,
    over all pixels of all views. --truth adds the silhouette's IoU, PSNR and depth error of each view, and gives their means.
    """
    evaluate(EvaluateCall(**values), Reporter(as_json))  # type: ignore[arg-type]


def evaluate(call: EvaluateCall, reporter: Reporter) -> None:
    """Run one call of `evaluate`.

    Raises:
        DNeRFError: a wrong call, a model or an annotated folder that cannot be used, or a grid that cannot be written.
    """
    from headless.writers.files import check_writable

    check_call(call)
    if call.grid is not None:
        check_writable(call.grid)
    if call.truth:
        _against_truth(call, reporter)
    else:
        _against_folders(call, reporter)


def check_call(call: EvaluateCall) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: neither or both of a folder and `--truth`, or an option of the other kind.
    """
    if bool(call.folders) == call.truth:
        found = "both" if call.truth else "neither"
        raise UsageError(f"evaluate: expected either an annotated FOLDER or --truth, found {found}; give one of them")
    if call.video and not call.truth:
        raise UsageError("--video: expected with --truth, found an annotated folder; leave it out")
    if call.truth and call.skip_unpainted:
        raise UsageError("--skip-unpainted: expected with an annotated folder, found --truth; leave it out")
    for name in _FOLDER_REFUSES:
        if call.folders and getattr(call, name) is not None:
            raise UsageError(f"--{name}: expected with --truth, found an annotated folder, which has its own views; leave it out")


def _against_folders(call: EvaluateCall, reporter: Reporter) -> None:
    """Score the model's masks against painted ones."""
    from headless import models, scoring
    from headless.annotations import read_annotations
    from headless.writers.files import write_bytes_whole

    started = time.monotonic()
    annotations = read_annotations(call.folders, skip_unpainted=call.skip_unpainted)
    facts = models.describe_model(call.model_name)
    found = models.generator_sha256(facts.path)
    if found != annotations.generator_sha256:
        raise AnnotationError(
            f"{annotations.folders[0]}: expected views of the generator in {facts.path} ({found[:12]}), found "
            f"{annotations.generator_sha256[:12]}'s; name the model that was trained on this folder with --model"
        )
    model = models.load_model(call.model_name, call.device, exact=call.exact)
    scoring.require_labels(model, annotations.labels)
    told = _told(call, [str(folder) for folder in annotations.folders])
    views = len(annotations.images)
    reporter.start(f"evaluate: {views} views of {call.model_name} against painted masks", **told, views=views)
    if annotations.skipped:
        reporter.warning(f"{annotations.skipped} masks with nothing painted are left out")
    _warn_of_known_seeds(model, {seed for seed, _ in annotations.subjects}, reporter)
    scored = []
    with reporter.progress("views scored", views) as advance:
        for item in scoring.score_images(model, annotations.images, annotations.labels):
            scored.append(item)
            reporter.event("view", name=item.image.name, seed=item.image.subject[0], miou=scoring.rounded(item.miou))
            advance()
    if call.grid is not None:
        title = f"{call.model_name} against painted masks"
        write_bytes_whole(call.grid, scoring.mask_grid(title, model, scored, annotations.labels))
    result = scoring.segmentation_json(scoring.pooled(scored), annotations.labels)
    lines = [
        f"{call.model_name}: {len(scored)} views of {len(annotations.subjects)} subjects against painted masks",
        *scoring.score_table({"mIoU": result["miou"], "accuracy": result["accuracy"]}, result["iou_per_class"]),
    ]
    _finish(call, reporter, lines, told, result, views=len(scored), seconds=time.monotonic() - started)


def _against_truth(call: EvaluateCall, reporter: Reporter) -> None:
    """Score the demo's views against the exact truth."""
    from dnerf_core.demo.truth import require_truth, score_views, scored_labels, summarise
    from headless import models, scoring
    from headless.truth_scoring import TruthViews, truth_grid, view_json
    from headless.writers.files import write_bytes_whole

    started = time.monotonic()
    seeds = options.chosen_seeds(call.seeds, call.subjects, (0,) if call.video else tuple(range(100)))
    facts = models.describe_model(call.model_name)
    views = TruthViews.chosen(facts.config, video=call.video, count=call.views, yaw_deg=call.yaw, pitch_deg=call.pitch)
    options.check_total(len(seeds), views.count)
    total = len(seeds) * views.count
    model = models.load_model(call.model_name, call.device, exact=call.exact)
    require_truth(model)
    told = _told(call, "truth") | {"video": call.video}
    reporter.start(
        f"evaluate: {total} views of {call.model_name} against the truth",
        **told,
        seeds=options.format_seeds(seeds),
        views=total,
        cameras=views.to_json(),
    )
    labels = scored_labels(model)
    if labels is None:
        reason = "it has no semantic branch" if model.labels is None else f"its labels are {', '.join(model.labels.names)}"
        reporter.warning(f"{call.model_name}: masks are not scored, since {reason}")
    _warn_of_known_seeds(model, seeds, reporter)
    scored = []
    with reporter.progress("views scored", total) as advance:
        for item in score_views(model, seeds, lambda seed: views.cameras(model.config.cameras, seed)):
            scored.append(item)
            reporter.event("view", **view_json(item))
            advance()
    if call.grid is not None:
        write_bytes_whole(call.grid, truth_grid(f"{call.model_name} against the truth", model, scored))
    means, masks = summarise(scored)
    result = {
        "silhouette_iou": scoring.rounded(means.silhouette_iou),
        "psnr_db": scoring.rounded(means.psnr_db),
        "depth_error": scoring.rounded(means.depth_error),
        **scoring.segmentation_json(masks, labels),
    }
    rows = {
        "silhouette IoU": result["silhouette_iou"],
        "PSNR, dB": result["psnr_db"],
        "depth error, of the car's length": result["depth_error"],
        "mIoU": result["miou"],
        "accuracy": result["accuracy"],
    }
    lines = [
        f"{call.model_name}: {total} {'frames' if call.video else 'random views'} of {len(seeds)} subjects against the truth",
        *scoring.score_table(rows, result["iou_per_class"]),
    ]
    _finish(call, reporter, lines, told, result, views=total, seconds=time.monotonic() - started)


def _told(call: EvaluateCall, against: str | list[str]) -> dict[str, Any]:
    """What the first and the last message say of the call."""
    grid = None if call.grid is None else str(call.grid)
    return {"command": "evaluate", "output": grid, "model": call.model_name, "against": against}


def _finish(
    call: EvaluateCall,
    reporter: Reporter,
    lines: Sequence[str],
    told: dict[str, Any],
    result: dict[str, Any],
    *,
    views: int,
    seconds: float,
) -> None:
    grid = [] if call.grid is None else [f"look at {call.grid}"]
    reporter.summary(
        [*lines, *grid],
        **told,
        **result,
        views=views,
        seconds=round(seconds, 3),
    )


def _warn_of_known_seeds(model: Model, seeds: Iterable[int], reporter: Reporter) -> None:
    """A score on subjects that the branch was trained on says little about others."""
    record = (model.header.training or {}).get("semantic")
    text = record.get("seeds") if isinstance(record, dict) else None
    if not isinstance(text, str) or not text:
        return
    try:
        known = set(options.parse_seeds(text)) & set(seeds)
    except ValueError:
        return  # the record is for people; one in another form is not this command's business
    if known:
        reporter.warning(f"seeds {options.format_seeds(tuple(sorted(known)))}: the semantic branch was trained on these subjects")
