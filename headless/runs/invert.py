"""The job of `invert`: pictures in, subject files, strips, loss curves and cameras out, one picture after the other."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import model_facts
from dnerf_core.camera import Camera, cameras_to_json
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.errors import UsageError
from dnerf_core.files.whole import make_folder, remove_files, write_bytes_whole
from dnerf_core.inversion.diversity import Diversity, diversity
from dnerf_core.inversion.invert import Inversion, invert_mask, invert_picture
from dnerf_core.inversion.latents import WStatistics, w_statistics
from dnerf_core.inversion.settings import inversion_steps
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.model_facts import ModelFacts
from dnerf_core.perceptual import PerceptualLoss
from dnerf_core.subject import Subject
from dnerf_core.subject_file import record_of, write_subject_file
from headless import models
from headless.blend.given import read_one_camera
from headless.pictures.loss_curve import LossStage, write_loss_curve
from headless.pictures.turntable_strip import PhotoPair
from headless.searches.calls import InvertCall, fit_of, settings_of
from headless.searches.inversion_pictures import Picture, read_pictures
from headless.searches.likeness import poor_likeness, score_text
from headless.searches.made_subjects import check_inputs_stay, made_before, prepare_outputs
from headless.searches.search_watch import SearchWatch
from headless.searches.turntable import beside, write_subject_strip, write_subject_view
from headless.work.stopping import ending_early

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnerf_core.inversion.descent import Watch
    from dnerf_core.inversion.settings import InversionSettings
    from dnerf_core.model import Model
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
    settings, fit = settings_of(call), fit_of(call)
    facts = model_facts.describe_model(call.model_name)
    settings = settings.within(facts.config.cameras)
    if call.kind == "mask" and not facts.has_semantics:
        raise UsageError(f"--from mask: expected a model with a semantic branch, found none in {facts.config.name}; train one")
    camera = None if call.camera is None else read_one_camera(call.camera, facts.config.cameras.world_up, "picture")
    pictures = read_pictures(call, facts, fit)
    job = _Job(call, settings, camera, facts, reporter)
    outputs = [path for picture in pictures for path in job.outputs(picture)]
    check_inputs_stay([path for path in (*call.pictures, call.camera, call.vgg) if path is not None], outputs)
    make_folder(call.output)
    waiting = [picture for picture in pictures if not job.is_done(picture)]
    if waiting:
        prepare_outputs(outputs)
    reporter.start(
        f"{call.output}: {_count_text(call, len(pictures))}, {len(waiting)} to be inverted",
        command="invert",
        output=str(call.output),
        pictures=len(pictures),
        pictures_missing=len(waiting),
    )
    for picture in pictures:
        if picture.note is not None:
            reporter.warning(picture.note)
    if waiting:
        job.open()
        with ending_early() as asked:
            for picture in waiting:
                job.run(picture, asked)
                if asked():
                    break
        if asked():
            raise KeyboardInterrupt
    _tell_end(job, pictures, reporter, time.monotonic() - started, len(waiting))


class _Job:
    """The pictures of one call."""

    def __init__(
        self,
        call: InvertCall,
        settings: InversionSettings,
        camera: Camera | None,
        facts: ModelFacts,
        reporter: Reporter,
    ) -> None:
        self.call, self.settings, self.camera, self.facts, self.reporter = call, settings, camera, facts, reporter
        self.vgg_sha256 = None if call.vgg is None else file_sha256(call.vgg)
        self.results: dict[str, dict[str, Any]] = {}

    def open(self) -> None:
        """Load the model and what else every picture needs."""
        self.model: Model = models.load_model(self.call.model_name, self.call.device)
        self.statistics: WStatistics = w_statistics(self.model, self.settings.seed)
        vgg = self.call.vgg
        self.perceptual = None if vgg is None else PerceptualLoss.load(vgg, self.model.device)

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
        others = [beside(path.with_suffix(""), ending) for path in paths for ending in ENDINGS]
        return [*paths, *others, self.progress_path(picture)]

    def asked(self, picture: Picture) -> dict[str, Any]:
        """What decides the result: what a subject file has to have been made with to count as done."""
        return {
            "kind": self.call.kind,
            "source_sha256": picture.sha256,
            "model_sha256": self.facts.sha256,
            "vgg_sha256": self.vgg_sha256,
            "fit": self.call.crop or self.call.fit,
            "given_camera": None if self.camera is None else self.camera.to_json(),
            "variants": self.call.variants,
            "settings": json.loads(json.dumps(dataclasses.asdict(self.settings))),
        }

    def is_done(self, picture: Picture) -> bool:
        """Whether the picture's subject files are there; what they say is taken over.

        Raises:
            OutputError: files of that name that another call made.
        """
        paths = self.paths(picture)
        made = [found for path in paths if (found := made_before(path, self.asked(picture))) is not None]
        if len(made) != len(paths):
            return False
        told = [self._told(picture, path, True, one["scores"], None) for path, one in zip(paths, made, strict=True)]
        self.results[picture.stem] = _result(told, made[0]["diversity"])
        return True

    def run(self, picture: Picture, asked: Callable[[], bool]) -> None:
        """Invert one picture and write what was found."""
        started = time.monotonic()
        watch = SearchWatch(
            lambda ws: Subject(self.model, ws),
            picture.rgb,
            self.progress_path(picture),
            picture.path.name,
            labels=None if picture.mask is None else self.model.labels,
            camera=self.camera,
        )
        steps = inversion_steps(self.settings, self.model.config, mask=picture.mask is not None, variants=self.call.variants)
        try:
            with watch.watching(self.reporter, steps, asked) as look:
                found = self._found(picture, look)
            seconds = round(time.monotonic() - started, 3)
            spread = dataclasses.asdict(diversity([one.subject for one in found])) if len(found) > 1 else None
            told = [
                self._told(picture, path, one.finished, self._write(picture, one, path, spread), seconds)
                for one, path in zip(found, self.paths(picture), strict=True)
            ]
        finally:
            remove_files([watch.path])
        self._warn(picture, told[0])
        self.results[picture.stem] = _result(told, spread)
        self.reporter.event("inverted", **self.results[picture.stem])

    def _found(self, picture: Picture, look: Watch) -> list[Inversion]:
        camera, statistics = self.camera, self.statistics
        if picture.mask is None:
            network = self.perceptual
            return [
                invert_picture(
                    self.model, picture.rgb, self.settings, camera=camera, perceptual=network, statistics=statistics, watch=look
                )
            ]
        variants = self.call.variants
        return invert_mask(
            self.model, picture.mask, self.settings, variants=variants, camera=camera, statistics=statistics, watch=look
        )

    def _told(
        self, picture: Picture, path: Path, finished: bool, scores: dict[str, Any], seconds: float | None
    ) -> dict[str, Any]:
        """What is told of a subject file; `seconds` is None of one that was there already."""
        return {"picture": str(picture.path), "subject": str(path), "finished": finished, **scores, "seconds": seconds}

    def _write(self, picture: Picture, found: Inversion, path: Path, spread: dict[str, float] | None) -> dict[str, Any]:
        """Write one subject and all that belongs to it; returns its scores."""
        view = found.subject.render(found.camera)
        miou, psnr_db = None, found.psnr_db(picture.rgb) if picture.mask is None else math.inf
        shown = view.rgb
        if picture.mask is not None:
            assert view.mask is not None
            assert self.model.labels is not None
            miou = segmentation_scores(confusion_matrix(picture.mask, view.mask, self.model.labels.num_classes)).miou
            shown = self.model.labels.colorize(view.mask)
        scores = {
            "miou": None if miou is None else round(miou, 5),
            "psnr_db": round(psnr_db, 3) if math.isfinite(psnr_db) else None,
            "yaw_deg": round(found.yaw_deg, 3),
            "pitch_deg": round(found.pitch_deg, 3),
        }
        base = path.with_suffix("")
        title = f"{picture.path.name}: {score_text(scores)}"
        write_loss_curve(
            beside(base, "-loss.png"), beside(base, "-loss.csv"), title, [LossStage(s.stage, s.losses) for s in found.losses]
        )
        pair = PhotoPair(picture.rgb, shown, "photo" if picture.mask is None else "mask")
        write_subject_strip(beside(base, "-strip.png"), title, found.subject, found.yaw_deg, found.pitch_deg, pair)
        write_subject_view(base, view, self.model.labels)
        cameras = json.dumps(cameras_to_json([found.camera], [base.name]), indent=1)
        write_bytes_whole(beside(base, "-cameras.json"), cameras.encode())
        made = self.asked(picture) | {
            "source": picture.path.name,
            "finished": found.finished,
            "scores": scores,
            "diversity": spread,
        }
        # last, since its being there says that all is
        write_subject_file(path, record_of(self.model, found.subject.ws, found.camera, made, found.tuned, found.subject.pose))
        return scores

    def _warn(self, picture: Picture, best: dict[str, Any]) -> None:
        if not best["finished"]:
            self.reporter.warning(f"{picture.path}: ended early, {best['subject']} holds the best so far: {score_text(best)}")
        elif (poor := poor_likeness(self.model.config.name, best)) is not None:
            self.reporter.warning(f"{picture.path}: {poor}")


def _result(told: list[dict[str, Any]], spread: dict[str, float] | None) -> dict[str, Any]:
    """What is told of a picture: its best subject, and with variants of all of them."""
    if spread is None:
        return told[0]
    names = ("picture", "subject", "finished")
    first = {name: told[0][name] for name in names}
    return first | {"variants": told, "diversity": spread} | {name: v for name, v in told[0].items() if name not in names}


def _count_text(call: InvertCall, count: int) -> str:
    noun = "mask" if call.kind == "mask" else "picture"
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _tell_end(job: _Job, pictures: list[Picture], reporter: Reporter, seconds: float, made: int) -> None:
    results = [job.results[picture.stem] for picture in pictures]
    lines = []
    for result in results:
        lines += [f"{one['subject']}: {score_text(one)}" for one in result.get("variants", [result])]
        if "diversity" in result:
            lines.append(_diversity_text(Diversity(**result["diversity"])))
    strip = beside(job.paths(pictures[0])[0].with_suffix(""), ENDINGS[0])
    done = f"{made} inverted in {seconds:.1f} s" if made else "nothing to do, all there"
    lines += [f"{job.call.output}: {_count_text(job.call, len(pictures))}: {done}", f"look at {strip}"]
    scores = [result["psnr_db"] for result in results if result["psnr_db"] is not None]
    one = results[0] if len(results) == 1 else {"yaw_deg": None, "pitch_deg": None}
    reporter.summary(
        lines,
        command="invert",
        output=str(job.call.output),
        pictures=len(pictures),
        inverted=made,
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
