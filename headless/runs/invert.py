"""The job of `invert`: pictures in, subject files, strips, loss curves and cameras out, one picture after the other."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.camera import cameras_to_json
from dnerf_core.checkpoints.subject_file import write_subject_file
from dnerf_core.files.whole import check_writable, make_folder, remove_files, write_bytes_whole
from dnerf_core.inversion.diversity import Diversity
from dnerf_core.subject import Subject
from headless import models
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.pictures.turntable_strip import PhotoPair
from headless.searches.calls import InvertCall
from headless.searches.inversion_pictures import Picture
from headless.searches.likeness import score_text
from headless.searches.made_subjects import check_inputs_stay, earlier_result, prepare_outputs
from headless.searches.recovering import Recovery, Scored, Tools
from headless.searches.search_watch import SearchWatch
from headless.searches.turntable import with_ending, write_subject_strip, write_subject_view
from headless.work.at_work import at_work, call_digest
from headless.work.stopping import ending_early

if TYPE_CHECKING:
    from collections.abc import Callable

    from headless.work.reporting import Reporter

ENDINGS = ("-strip.png", "-view.png", "-mask.png", "-cameras.json", "-loss.png", "-loss.csv")
"""Of the files beside a subject file."""


def invert(call: InvertCall, reporter: Reporter) -> None:
    """Run one call of `invert`.

    Raises:
        DNeRFError: a wrong call, pictures or a model that cannot be used, or results that cannot be written.
        KeyboardInterrupt: after Ctrl-C, when the best so far is written.
    """
    started = time.monotonic()
    recovery = Recovery.checked(call)
    pictures, taken = recovery.pictures, recovery.taken
    job = _Job(recovery, reporter)
    outputs = [path for picture in pictures for path in job.outputs(picture)]
    check_inputs_stay([path for path in (*call.pictures, call.camera, call.perceptual_file) if isinstance(path, Path)], outputs)
    make_folder(call.output)
    waiting = [picture for picture in pictures if not job.is_done(picture)]
    if waiting:
        check_writable(outputs[0])
    reporter.start(
        f"{call.output}: {_count_text(call, len(pictures))}, {len(waiting)} to be inverted",
        command="invert",
        output=str(call.output),
        pictures=len(pictures),
        pictures_missing=len(waiting),
    )
    for note in (*(picture.note for picture in pictures), *taken.remarks):
        if note is not None:
            reporter.warning(note)
    if waiting:
        tools = Tools.load(models.load_model(call.model_name, call.device), call.perceptual_file, seed=call.seed)
        with ending_early() as stop:
            for picture in waiting:
                identity = call_digest(json.dumps(recovery.identity(picture), sort_keys=True))
                with at_work(call.output, identity, reporter.warning, file_name=picture.stem):
                    if not job.is_done(picture):
                        prepare_outputs(job.outputs(picture))
                        job.run(picture, tools, stop)
                if stop():
                    break
        if stop():
            raise KeyboardInterrupt
    _tell_end(job, pictures, reporter, time.monotonic() - started, len(waiting))


class _Job:
    """The pictures of one call."""

    def __init__(self, recovery: Recovery, reporter: Reporter) -> None:
        self.recovery, self.call, self.reporter = recovery, recovery.call, reporter
        self.results: dict[str, dict[str, Any]] = {}

    def paths(self, picture: Picture) -> list[Path]:
        """The subject files of a picture, one a variant."""
        if self.call.variants == 1:
            return [self.call.output / f"{picture.stem}.safetensors"]
        return [self.call.output / f"{picture.stem}-{number + 1}.safetensors" for number in range(self.call.variants)]

    def progress_path(self, picture: Picture) -> Path:
        """Of the picture that shows how far it is."""
        return self.call.output / f"{picture.stem}-progress.png"

    def outputs(self, picture: Picture) -> list[Path]:
        """Every file that is written for a picture."""
        paths = self.paths(picture)
        others = [with_ending(path.with_suffix(""), ending) for path in paths for ending in ENDINGS]
        return [*paths, *others, self.progress_path(picture)]

    def is_done(self, picture: Picture) -> bool:
        """Whether the picture's subject files are there; what they say is taken over.

        Raises:
            OutputError: files of that name that another call made.
        """
        paths = self.paths(picture)
        identity = self.recovery.identity(picture)
        earlier = [record for path in paths if (record := earlier_result(path, identity)) is not None]
        if len(earlier) != len(paths):
            return False
        variants = [_variant(picture, path, True, one["scores"], None) for path, one in zip(paths, earlier, strict=True)]
        self.results[picture.stem] = _result(variants, earlier[0]["diversity"])
        return True

    def run(self, picture: Picture, tools: Tools, stop: Callable[[], bool]) -> None:
        """Invert one picture and write what was found."""
        started = time.monotonic()
        recovery, model = self.recovery, tools.model
        watch = SearchWatch(
            lambda ws: Subject(model, ws),
            picture.rgb,
            self.progress_path(picture),
            picture.path.name,
            labels=None if picture.mask is None else model.labels,
            camera=recovery.camera_of(picture),
        )
        try:
            with watch.watching(self.reporter, recovery.steps(picture), stop) as look:
                inversions = recovery.find(picture, tools, look)
            seconds = round(time.monotonic() - started, 3)
            spread = recovery.spread(inversions)
            variants = []
            for inversion, path in zip(inversions, self.paths(picture), strict=True):
                scored = recovery.score(picture, inversion)
                self._write_pictures(picture, scored, path)
                # last, since its being there says that all is
                write_subject_file(path, recovery.record(picture, scored, spread, model))
                variants.append(_variant(picture, path, inversion.finished, scored.scores, seconds))
        finally:
            remove_files([watch.path])
        self._warn(picture, variants[0])
        self.results[picture.stem] = _result(variants, spread)
        self.reporter.event("inverted", **self.results[picture.stem])

    def _write_pictures(self, picture: Picture, scored: Scored, path: Path) -> None:
        """Write all that belongs to a subject file."""
        inversion, view, labels = scored.inversion, scored.view, self.recovery.facts.labels
        shown = view.rgb
        if picture.mask is not None:
            assert view.mask is not None
            assert labels is not None
            shown = labels.colorize(view.mask)
        base = path.with_suffix("")
        title = f"{picture.path.name}: {score_text(scored.scores)}"
        write_loss_curve(
            with_ending(base, "-loss.png"),
            with_ending(base, "-loss.csv"),
            title,
            [LossStage(s.stage, s.losses) for s in inversion.losses],
        )
        pair = PhotoPair(picture.rgb, shown, "photo" if picture.mask is None else "mask")
        write_subject_strip(
            with_ending(base, "-strip.png"), title, inversion.subject, inversion.yaw_deg, inversion.pitch_deg, pair
        )
        write_subject_view(base, view, labels)
        cameras = json.dumps(cameras_to_json([inversion.camera], [base.name]), indent=1)
        write_bytes_whole(with_ending(base, "-cameras.json"), cameras.encode())

    def _warn(self, picture: Picture, best: dict[str, Any]) -> None:
        if not best["finished"]:
            self.reporter.warning(f"{picture.path}: ended early, {best['subject']} holds the best so far: {score_text(best)}")
        elif (poor := self.recovery.poor(best, best["finished"])) is not None:
            self.reporter.warning(f"{picture.path}: {poor}")


def _variant(picture: Picture, path: Path, finished: bool, scores: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    """What messages say of a subject file; `seconds` is None of one that was there already."""
    return {"picture": str(picture.path), "subject": str(path), "finished": finished, **scores, "seconds": seconds}


def _result(variants: list[dict[str, Any]], spread: dict[str, float] | None) -> dict[str, Any]:
    """What messages say of a picture: its best subject, and with variants of all of them."""
    if spread is None:
        return variants[0]
    names = ("picture", "subject", "finished")
    first = {name: variants[0][name] for name in names}
    return first | {"variants": variants, "diversity": spread} | {name: v for name, v in variants[0].items() if name not in names}


def _count_text(call: InvertCall, count: int) -> str:
    noun = "mask" if call.kind == "mask" else "picture"
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _tell_end(job: _Job, pictures: list[Picture], reporter: Reporter, seconds: float, inverted: int) -> None:
    results = [job.results[picture.stem] for picture in pictures]
    lines = [] if job.recovery.taken.world_line is None else [job.recovery.taken.world_line]
    for result in results:
        lines += [f"{one['subject']}: {score_text(one)}" for one in result.get("variants", [result])]
        if "diversity" in result:
            lines.append(_diversity_text(Diversity(**result["diversity"])))
    strip = with_ending(job.paths(pictures[0])[0].with_suffix(""), ENDINGS[0])
    done = f"{inverted} inverted in {seconds:.1f} s" if inverted else "nothing to do, all there"
    lines += [f"{job.call.output}: {_count_text(job.call, len(pictures))}: {done}", f"look at {strip}"]
    scores = [result["psnr_db"] for result in results if result["psnr_db"] is not None]
    one = results[0] if len(results) == 1 else {"yaw_deg": None, "pitch_deg": None}
    reporter.summary(
        lines,
        command="invert",
        output=str(job.call.output),
        pictures=len(pictures),
        inverted=inverted,
        results=results,
        psnr_db=round(math.fsum(scores) / len(scores), 3) if scores else None,
        yaw_deg=one["yaw_deg"],
        pitch_deg=one["pitch_deg"],
        seconds=round(seconds, 3),
    )


def _diversity_text(spread: Diversity) -> str:
    return (
        f"variants: latents {spread.latent:.2f} of random subjects' distance apart, colours {spread.color:.1f} of 255, "
        f"labels of other views {100 * spread.labels:.1f}% of the object's pixels"
    )
