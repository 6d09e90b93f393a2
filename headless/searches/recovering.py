"""What `invert` does, once: the checked call, the search, the scores, and the record of how the subject was made. And what searches load.

The command line and the worker share it, as they do `repainting`; how they load models, follow a search and write files beside
the subject is their own.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dnerf_core.camera import Camera
from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_facts import ModelFacts
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import SubjectRecord, record_of
from dnerf_core.errors import UsageError
from dnerf_core.files.squares import Fit, format_square
from dnerf_core.inversion.diversity import diversity
from dnerf_core.inversion.invert import Inversion, invert_mask, invert_picture
from dnerf_core.inversion.latents import WStatistics, w_statistics
from dnerf_core.inversion.perceptual import PerceptualLoss
from dnerf_core.inversion.settings import inversion_steps
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from headless.cameras.picture_cameras import TakenBy, cameras_of_pictures
from headless.runs.poses import one_pose
from headless.searches.calls import InvertCall, fit_of, settings_of
from headless.searches.inversion_pictures import Picture, read_pictures
from headless.searches.likeness import poor_likeness

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.inversion.descent import Watch
    from dnerf_core.inversion.settings import InversionSettings
    from dnerf_core.loaded_model import LoadedModel
    from dnerf_core.model import Model
    from dnerf_core.subject import LabeledView

_RECORDED_NAMES = {"perceptual_weight": "perceptual"}
"""Settings of an inversion that a subject file records by another name than their own: the one that earlier files have, which by it go on
counting as done. For the same reason the sha256 of `perceptual_file` is recorded as `vgg_sha256`."""


@dataclass(frozen=True, eq=False)
class Tools:
    """What searches are done with, made once for any number of them.

    Attributes:
        statistics: of the model's w, by the seed that the settings name.
        perceptual: None: no network is named.
    """

    model: LoadedModel
    statistics: WStatistics
    perceptual: PerceptualLoss | None

    @classmethod
    def load(
        cls, model: LoadedModel, perceptual_file: Path | None, statistics: WStatistics | None = None, *, seed: int = 0
    ) -> Tools:
        """Load what a call names beside its model.

        Args:
            statistics: None: measured here, by `seed`.

        Raises:
            CheckpointError: `perceptual_file` cannot be used.
        """
        perceptual = None if perceptual_file is None else PerceptualLoss.load(perceptual_file, model.device)
        return cls(model, w_statistics(model, seed) if statistics is None else statistics, perceptual)


@dataclass(frozen=True, eq=False)
class Scored:
    """A subject that was found, its view from the camera that was found, and how well that fits the picture, as JSON values."""

    inversion: Inversion
    view: LabeledView
    scores: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Recovery:
    """A call of `invert` that has been checked.

    Attributes:
        settings: with the directions of the model where the call names none.
    """

    call: InvertCall
    settings: InversionSettings
    facts: ModelFacts

    @classmethod
    def checked(cls, call: InvertCall) -> Recovery:
        """A call, its options and its model looked at.

        Raises:
            UsageError: options that do not go together, or a model that has no labels to find a mask by.
            CheckpointError: a model file that cannot be used.
        """
        settings = settings_of(call)
        facts = model_facts.describe_model(call.model_name)
        if call.kind == "mask" and not facts.has_semantics:
            raise UsageError(
                f"--kind mask: expected a model with a semantic branch, found none in {facts.config.name}; train one"
            )
        return cls(call, settings.within(facts.config.cameras), facts)

    @cached_property
    def perceptual_file_sha256(self) -> str | None:
        """Of the perceptual network's file."""
        return None if self.call.perceptual_file is None else file_sha256(self.call.perceptual_file)

    @cached_property
    def pose(self) -> NDArray[np.float32] | None:
        """The pose [*pose_shape] that the call names; None: it names none.

        Raises:
            UsageError: a model whose subjects have none, a motion that cannot be used, or one of several frames.
        """
        return one_pose(self.call, self.facts)

    @property
    def finds_pose(self) -> bool:
        """Whether the pose is looked for, too."""
        return self.pose is None and self.facts.config.latent.pose_shape is not None

    @cached_property
    def pictures(self) -> list[Picture]:
        """All pictures of the call; see `read_pictures`."""
        return read_pictures(self.call, self.facts, fit_of(self.call))

    @cached_property
    def taken(self) -> TakenBy:
        """Where the pictures were taken from, as far as the call says it.

        Raises:
            UsageError: the file of cameras cannot be used, or has none for a picture.
        """
        camera = self.call.camera
        if camera is None:
            return TakenBy({})
        if not isinstance(camera, Path):
            return TakenBy({picture.path: camera for picture in self.pictures})
        sizes = {picture.path: picture.size_px for picture in self.pictures}
        return cameras_of_pictures(camera, sizes, fit_of(self.call), self.facts.config, "picture", self.call.cameras_up)

    def camera_of(self, picture: Picture) -> Camera | None:
        """Where a picture was taken from; None: it is found."""
        return self.taken.cameras.get(picture.path)

    def identity(self, picture: Picture) -> dict[str, Any]:
        """What decides the result: what a subject file has to have been made with to count as done."""
        return {
            "kind": self.call.kind,
            "source_sha256": picture.sha256,
            "model_sha256": self.facts.sha256,
            "vgg_sha256": self.perceptual_file_sha256,
            "fit": recorded_fit(fit_of(self.call)),
            "given_camera": None if (camera := self.camera_of(picture)) is None else camera.to_json(),
            "variants": self.call.variants,
            "settings": recorded_settings(self.settings),
            **({} if self.pose is None else {"given_pose": self.pose.ravel().tolist()}),
        }

    def steps(self, picture: Picture) -> int:
        """Steps that the search of a picture reports."""
        return inversion_steps(
            self.settings, self.facts.config, mask=picture.mask is not None, variants=self.call.variants, posed=self.finds_pose
        )

    def find(self, picture: Picture, tools: Tools, watch: Watch) -> list[Inversion]:
        """The subjects of a picture, as many as the call has variants, best first."""
        model = cast("Model", tools.model)  # a search begins at the generator as it was loaded
        camera, statistics = self.camera_of(picture), tools.statistics
        pose = None if self.pose is None else model.pose(self.pose.ravel().tolist())
        if picture.mask is None:
            network = tools.perceptual
            return [
                invert_picture(
                    model,
                    picture.rgb,
                    self.settings,
                    camera=camera,
                    pose=pose,
                    perceptual=network,
                    statistics=statistics,
                    watch=watch,
                )
            ]
        variants = self.call.variants
        return invert_mask(
            model, picture.mask, self.settings, variants=variants, camera=camera, pose=pose, statistics=statistics, watch=watch
        )

    def score(self, picture: Picture, inversion: Inversion) -> Scored:
        """Render what was found as the picture sees it, and compare."""
        view = inversion.subject.render(inversion.camera)
        miou, psnr_db = None, inversion.psnr_db(picture.rgb) if picture.mask is None else math.inf
        if picture.mask is not None:
            assert view.mask is not None
            assert self.facts.labels is not None
            miou = segmentation_scores(confusion_matrix(picture.mask, view.mask, self.facts.labels.num_classes)).miou
        scores = {
            "miou": None if miou is None else round(miou, 5),
            "psnr_db": round(psnr_db, 3) if math.isfinite(psnr_db) else None,
            "yaw_deg": round(inversion.yaw_deg, 3),
            "pitch_deg": round(inversion.pitch_deg, 3),
        }
        return Scored(inversion, view, scores)

    def spread(self, inversions: list[Inversion]) -> dict[str, float] | None:
        """How different the variants are; None: there is one."""
        return dataclasses.asdict(diversity([one.subject for one in inversions])) if len(inversions) > 1 else None

    def record(self, picture: Picture, scored: Scored, spread: dict[str, float] | None, model: LoadedModel) -> SubjectRecord:
        """What the subject file holds."""
        inversion = scored.inversion
        origin = self.identity(picture) | {
            "source": picture.path.name,
            "finished": inversion.finished,
            "scores": scored.scores,
            "diversity": spread,
        }
        return record_of(model, inversion.subject.ws, inversion.camera, origin, inversion.tuned, inversion.subject.pose)

    def poor(self, scores: dict[str, Any], finished: bool) -> str | None:
        """What to warn of, by the scores of a search; None: nothing. One that was ended early promised nothing."""
        return poor_likeness(self.facts.config.name, scores) if finished else None


def recorded_settings(settings: InversionSettings) -> dict[str, Any]:
    """The settings as a subject file records them, as JSON values under the names of `_RECORDED_NAMES`."""
    values = json.loads(json.dumps(dataclasses.asdict(settings)))
    return {_RECORDED_NAMES.get(name, name): value for name, value in values.items()}


def recorded_fit(fit: Fit) -> str:
    """How pictures became square as a subject file records it: `pad`, `crop`, or a square as X,Y,SIDE."""
    return fit if isinstance(fit, str) else format_square(fit)
