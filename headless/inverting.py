"""The job of `invert`: pictures in, subject files, strips, loss curves and cameras out, one picture after the other."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, cameras_to_json
from dnerf_core.errors import UsageError
from dnerf_core.inversion.diversity import Diversity, diversity
from dnerf_core.inversion.invert import Inversion, invert_mask, invert_picture
from dnerf_core.inversion.latents import WStatistics, w_statistics
from dnerf_core.inversion.settings import inversion_steps
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.perceptual import PerceptualLoss
from dnerf_core.subject import Subject
from dnerf_core.subject_file import record_of, write_subject_file
from headless import models
from headless.commands.invert import InvertCall, fit_of, settings_of
from headless.given_cameras import read_given_cameras
from headless.made_subjects import made_before
from headless.photos import background_color, read_label_mask, read_photo
from headless.search_watch import SearchWatch
from headless.stopping import ending_early
from headless.turntable import beside, write_subject_strip, write_subject_view
from headless.writers.files import make_folder, remove_files, write_bytes_whole
from headless.writers.loss_curve import LossStage, write_loss_curve
from headless.writers.turntable_strip import PhotoPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnerf_core.inversion.descent import Watch
    from dnerf_core.inversion.settings import InversionSettings
    from dnerf_core.model import Model
    from headless.reporting import Reporter
    from headless.squares import Fit

POOR_PSNR_DB = 20.0
"""A photo that is met less well than this is told to be none of what the model makes: docs/inversion.md has what was measured."""
POOR_MIOU = 0.5
"""The same of a mask."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture to invert.

    Attributes:
        path: of its file.
        stem: of the names of its outputs.
        sha256: of its file.
        rgb: the photo, or the mask in its labels' colours, uint8 [S, S, 3].
        mask: label ids uint8 [S, S]; None: it is a photo.
        note: what is to be told of it.
    """

    path: Path
    stem: str
    sha256: str
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    note: str | None


def invert(call: InvertCall, reporter: Reporter) -> None:
    """Run one call of `invert`.

    Raises:
        DNeRFError: a wrong call, pictures or a model that cannot be used, or results that cannot be written.
        KeyboardInterrupt: after Ctrl-C, when the best so far is written.
    """
    started = time.monotonic()
    settings, fit = settings_of(call), fit_of(call)
    facts = models.describe_model(call.model_name)
    if call.kind == "mask" and not facts.has_semantics:
        raise UsageError(f"--from mask: expected a model with a semantic branch, found none in {facts.config.name}; train one")
    camera = None if call.camera is None else _one_camera(call.camera, facts.config.cameras.world_up)
    pictures = read_pictures(call, facts, fit)
    make_folder(call.output)
    job = _Job(call, settings, camera, reporter)
    waiting = [picture for picture in pictures if not job.is_done(picture)]
    reporter.start(
        f"{call.output}: {len(pictures)} pictures, {len(waiting)} of them to be inverted",
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


def read_pictures(call: InvertCall, facts: models.ModelFacts, fit: Fit) -> list[Picture]:
    """All pictures of a call, checked before any work.

    Raises:
        UsageError: two whose outputs would have the same name.
        DNeRFError: one that cannot be used.
    """
    found: dict[str, Picture] = {}
    size_px, background = facts.config.image_size, background_color(facts.config.rays.white_back)
    for path in call.pictures:
        if path.stem in found:
            raise UsageError(
                f"{path}: expected pictures of different names, found {found[path.stem].path} as well; rename one, or call twice"
            )
        if call.kind == "mask":
            assert facts.labels is not None
            mask = read_label_mask(path, size_px, fit, facts.labels)
            found[path.stem] = Picture(path, path.stem, _sha256(path), facts.labels.colorize(mask), mask, None)
        else:
            photo = read_photo(path, size_px, fit, background)
            found[path.stem] = Picture(path, path.stem, _sha256(path), photo.rgb, None, photo.note)
    return list(found.values())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _one_camera(path: Path, world_up: Any) -> Camera:
    cameras = read_given_cameras(path, world_up).cameras
    if len(cameras) != 1:
        raise UsageError(f"--camera {path}: expected one view, found {len(cameras)}; keep the one of the picture")
    return cameras[0]


class _Job:
    """The pictures of one call."""

    def __init__(self, call: InvertCall, settings: InversionSettings, camera: Camera | None, reporter: Reporter) -> None:
        self.call, self.settings, self.camera, self.reporter = call, settings, camera, reporter
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

    def asked(self, picture: Picture) -> dict[str, Any]:
        """What decides the result, besides the model: what a subject file has to have been made with to count as done."""
        settings = json.loads(json.dumps(dataclasses.asdict(self.settings)))
        camera = None if self.camera is None else self.camera.to_json()
        fit = self.call.crop or self.call.fit
        return {"kind": self.call.kind, "source_sha256": picture.sha256, "fit": fit, "given_camera": camera, "settings": settings}

    def is_done(self, picture: Picture) -> bool:
        """Whether the picture's subject files are there; what they say is taken over.

        Raises:
            OutputError: files of that name that another call made.
        """
        made = [made_before(path, self.asked(picture)) for path in self.paths(picture)]
        if not made or made[0] is None or not all(made):
            return False
        self.results[picture.stem] = made[0]["told"]
        return True

    def run(self, picture: Picture, asked: Callable[[], bool]) -> None:
        """Invert one picture and write what was found."""
        started = time.monotonic()
        watch = SearchWatch(
            lambda ws: Subject(self.model, ws),
            picture.rgb,
            self.call.output / f"{picture.stem}-progress.png",
            picture.path.name,
            labels=None if picture.mask is None else self.model.labels,
            camera=self.camera,
        )
        steps = inversion_steps(self.settings, self.model.config, mask=picture.mask is not None, variants=self.call.variants)
        with watch.watching(self.reporter, steps, asked) as look:
            found = self._found(picture, look)
        seconds = time.monotonic() - started
        spread = diversity([one.subject for one in found]) if len(found) > 1 else None
        told = [self._write(picture, one, path, seconds) for one, path in zip(found, self.paths(picture), strict=True)]
        self._warn(picture, told, found[0].finished)
        first = dict(told[0])
        if spread is not None:
            first = {"variants": told, "diversity": dataclasses.asdict(spread)} | first
        self.results[picture.stem] = first
        self.reporter.event("inverted", **first)
        remove_files([watch.path])

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

    def _write(self, picture: Picture, found: Inversion, path: Path, seconds: float) -> dict[str, Any]:
        """Write one subject and all that belongs to it; returns what is told of it."""
        view = found.subject.render(found.camera)
        miou = None
        shown = view.rgb
        if picture.mask is not None:
            assert view.mask is not None
            assert self.model.labels is not None
            miou = segmentation_scores(confusion_matrix(picture.mask, view.mask, self.model.labels.num_classes)).miou
            shown = self.model.labels.colorize(view.mask)
        told = {
            "picture": str(picture.path),
            "subject": str(path),
            "finished": found.finished,
            "miou": miou,
            "psnr_db": None if picture.mask is not None else round(found.psnr_db(picture.rgb), 3),
            "yaw_deg": round(found.yaw_deg, 3),
            "pitch_deg": round(found.pitch_deg, 3),
            "seconds": round(seconds, 3),
        }
        base = path.with_suffix("")
        title = f"{picture.path.name}: {score_text(told)}"
        write_loss_curve(
            beside(base, "-loss.png"), beside(base, "-loss.csv"), title, [LossStage(s.stage, s.losses) for s in found.losses]
        )
        pair = PhotoPair(picture.rgb, shown)
        write_subject_strip(beside(base, "-strip.png"), title, found.subject, found.yaw_deg, found.pitch_deg, pair)
        write_subject_view(base, view, self.model.labels)
        cameras = json.dumps(cameras_to_json([found.camera], [base.name]), indent=1)
        write_bytes_whole(beside(base, "-cameras.json"), cameras.encode())
        made = self.asked(picture) | {"source": picture.path.name, "finished": found.finished, "told": told}
        # last, since its being there says that all is
        write_subject_file(path, record_of(self.model, found.subject.ws, found.camera, made, found.tuned))
        return told

    def _warn(self, picture: Picture, told: list[dict[str, Any]], finished: bool) -> None:
        best = told[0]
        if not finished:
            self.reporter.warning(f"{picture.path}: ended early, {best['subject']} holds the best so far: {score_text(best)}")
        elif best["psnr_db"] is not None and best["psnr_db"] < POOR_PSNR_DB:
            self.reporter.warning(
                f"{picture.path}: the best likeness is poor, {score_text(best)}, expected {POOR_PSNR_DB:g} dB or more; it may be nothing "
                f"that {self.model.config.name} makes, or be taken from beyond --yaw, or need --crop to stand as the model's subjects do"
            )
        elif best["miou"] is not None and best["miou"] < POOR_MIOU:
            self.reporter.warning(
                f"{picture.path}: the best likeness is poor, {score_text(best)}, expected {POOR_MIOU:g} or more; it may be nothing that "
                f"{self.model.config.name} makes, or be seen from beyond --yaw, or need --crop to stand as the model's subjects do"
            )


def score_text(told: dict[str, Any]) -> str:
    """A result in a few words."""
    score = f"PSNR {told['psnr_db']:.1f} dB" if told["psnr_db"] is not None else f"mIoU {told['miou']:.3f}"
    return f"{score}, yaw {told['yaw_deg']:.1f}, pitch {told['pitch_deg']:.1f} degrees"


def _tell_end(job: _Job, pictures: list[Picture], reporter: Reporter, seconds: float, made: int) -> None:
    results = [job.results[picture.stem] for picture in pictures]
    lines = [f"{result['subject']}: {score_text(result)}" for result in results]
    lines += [_diversity_text(Diversity(**result["diversity"])) for result in results if "diversity" in result]
    strip = beside(job.paths(pictures[0])[0].with_suffix(""), "-strip.png")
    done = f"{made} inverted in {seconds:.1f} s" if made else "nothing to do, all there"
    lines += [f"{job.call.output}: {len(pictures)} pictures: {done}", f"look at {strip}"]
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
