"""What `invert` and `edit` do, once: the checked call, the search, the scores, and the record of how the subject was made.

The command line and the worker share it; how they load models, follow a search and write files beside the subject is their own.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_facts import ModelFacts
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import SubjectRecord, read_subject_file, record_of
from dnerf_core.editing.edit import Edit, edit_subject
from dnerf_core.editing.scores import TURNS_DEG, change_seen, turned_cameras
from dnerf_core.errors import UsageError
from dnerf_core.inversion.diversity import diversity
from dnerf_core.inversion.invert import Inversion, invert_mask, invert_picture
from dnerf_core.inversion.latents import WStatistics, w_statistics
from dnerf_core.inversion.perceptual import PerceptualLoss
from dnerf_core.inversion.pose import sphere_angles_deg
from dnerf_core.inversion.settings import inversion_steps
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from headless.cameras.picture_cameras import TakenBy, cameras_of_pictures
from headless.searches.calls import EditCall, InvertCall, edit_settings_of, fit_of, settings_of
from headless.searches.inversion_pictures import Picture, read_pictures
from headless.searches.likeness import poor_edit, poor_likeness

if TYPE_CHECKING:
    from dnerf_core.editing.settings import EditSettings
    from dnerf_core.inversion.descent import Watch
    from dnerf_core.inversion.settings import InversionSettings
    from dnerf_core.loaded_model import LoadedModel
    from dnerf_core.model import Model
    from dnerf_core.subject import LabeledView, Subject
    from dnerf_core.subject_key import SubjectKey

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
    def of(
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

    found: Inversion
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
    def of(cls, call: InvertCall) -> Recovery:
        """Check a call.

        Raises:
            UsageError: options that do not go together, or a model that has no labels to find a mask by.
            CheckpointError: a model file that cannot be used.
        """
        settings = settings_of(call)
        fit_of(call)
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

    def asked(self, picture: Picture) -> dict[str, Any]:
        """What decides the result: what a subject file has to have been made with to count as done."""
        return {
            "kind": self.call.kind,
            "source_sha256": picture.sha256,
            "model_sha256": self.facts.sha256,
            "vgg_sha256": self.perceptual_file_sha256,
            "fit": self.call.crop or self.call.fit,
            "given_camera": None if (camera := self.camera_of(picture)) is None else camera.to_json(),
            "variants": self.call.variants,
            "settings": recorded_settings(self.settings),
        }

    def steps(self, picture: Picture) -> int:
        """Steps that the search of a picture reports."""
        return inversion_steps(self.settings, self.facts.config, mask=picture.mask is not None, variants=self.call.variants)

    def find(self, picture: Picture, tools: Tools, watch: Watch) -> list[Inversion]:
        """The subjects of a picture, as many as the call has variants, best first."""
        model = cast("Model", tools.model)  # a search begins at the generator as it was loaded
        camera, statistics = self.camera_of(picture), tools.statistics
        if picture.mask is None:
            network = tools.perceptual
            return [
                invert_picture(
                    model, picture.rgb, self.settings, camera=camera, perceptual=network, statistics=statistics, watch=watch
                )
            ]
        variants = self.call.variants
        return invert_mask(
            model, picture.mask, self.settings, variants=variants, camera=camera, statistics=statistics, watch=watch
        )

    def score(self, picture: Picture, found: Inversion) -> Scored:
        """Render what was found as the picture sees it, and compare."""
        view = found.subject.render(found.camera)
        miou, psnr_db = None, found.psnr_db(picture.rgb) if picture.mask is None else math.inf
        if picture.mask is not None:
            assert view.mask is not None
            assert self.facts.labels is not None
            miou = segmentation_scores(confusion_matrix(picture.mask, view.mask, self.facts.labels.num_classes)).miou
        scores = {
            "miou": None if miou is None else round(miou, 5),
            "psnr_db": round(psnr_db, 3) if math.isfinite(psnr_db) else None,
            "yaw_deg": round(found.yaw_deg, 3),
            "pitch_deg": round(found.pitch_deg, 3),
        }
        return Scored(found, view, scores)

    def spread(self, found: list[Inversion]) -> dict[str, float] | None:
        """How different the variants are; None: there is one."""
        return dataclasses.asdict(diversity([one.subject for one in found])) if len(found) > 1 else None

    def record(self, picture: Picture, scored: Scored, spread: dict[str, float] | None, model: LoadedModel) -> SubjectRecord:
        """What the subject file holds."""
        found = scored.found
        made = self.asked(picture) | {
            "source": picture.path.name,
            "finished": found.finished,
            "scores": scored.scores,
            "diversity": spread,
        }
        return record_of(model, found.subject.ws, found.camera, made, found.tuned, found.subject.pose)

    def poor(self, scores: dict[str, Any], finished: bool) -> str | None:
        """What to warn of, by the scores of a search; None: nothing. One that was ended early promised nothing."""
        return poor_likeness(self.facts.config.name, scores) if finished else None


@dataclass(frozen=True, eq=False)
class EditedViews:
    """What other directions see, before and after an edit, in the order of `TURNS_DEG`."""

    before: list[LabeledView]
    after: list[LabeledView]


@dataclass(frozen=True, eq=False)
class Repainting:
    """A call of `edit` that has been checked.

    Attributes:
        key: the subject before.
        camera: where the mask was painted from.
        mask: repainted, uint8 [S, S] of label ids.
        mask_sha256: of its file, or of its values where it came as an array.
    """

    call: EditCall
    settings: EditSettings
    facts: ModelFacts
    key: SubjectKey
    camera: Camera
    mask: NDArray[np.uint8]
    mask_sha256: str

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What decides the result: what a subject file has to have been made with to count as done."""
        return {
            "kind": "edit",
            "of": list(self.key.identity),
            "model_sha256": self.facts.sha256,
            "vgg_sha256": None if self.call.perceptual_file is None else file_sha256(self.call.perceptual_file),
            "mask_sha256": self.mask_sha256,
            "mask_camera": self.camera.to_json(),
            "settings": dataclasses.asdict(self.settings),
        }

    def edit(self, subject: Subject, tools: Tools, watch: Watch) -> Edit:
        """The subject after the edit."""
        return edit_subject(
            subject,
            self.camera,
            self.mask,
            self.settings,
            perceptual=tools.perceptual,
            statistics=tools.statistics,
            watch=watch,
        )

    def look_round(self, subject: Subject, found: Edit) -> EditedViews:
        """Render both from the directions beside the painted view."""
        elsewhere = turned_cameras(self.camera, self.facts.config.cameras)
        return EditedViews([subject.render(other) for other in elsewhere], [found.subject.render(other) for other in elsewhere])

    def scores(self, found: Edit, views: EditedViews) -> dict[str, Any]:
        """How well the edit went, as JSON values."""
        assert self.facts.labels is not None
        changes = [change_seen(*pair) for pair in zip(views.before, views.after, TURNS_DEG, strict=True)]
        yaw_deg, pitch_deg = sphere_angles_deg(self.camera.cam2world, self.facts.config.cameras)
        return {
            "edited_px": int(found.region.edited.sum()),
            "labels": [label.name for label in self.facts.labels.labels if label.id in found.region.labels],
            **{name: _plain(value) for name, value in dataclasses.asdict(found.scores).items()},
            "other_views": [{name: _plain(value) for name, value in dataclasses.asdict(change).items()} for change in changes],
            "yaw_deg": round(yaw_deg, 3),
            "pitch_deg": round(pitch_deg, 3),
        }

    def record(self, found: Edit, scores: dict[str, Any], model: LoadedModel) -> SubjectRecord:
        """What the subject file holds; weights that were tuned for the subject before stay its own."""
        tuned = {} if self.key.file is None else read_subject_file(self.key.file.path).tuned
        made = self.asked | {"source": self.key.title, "finished": found.finished, "scores": scores}
        return record_of(model, found.subject.ws, self.camera, made, tuned, found.subject.pose)

    def poor(self, scores: dict[str, Any], finished: bool) -> str | None:
        """As `Recovery.poor`."""
        return poor_edit(self.facts.config.name, scores["edited_taken"]) if finished else None


def recorded_settings(settings: InversionSettings) -> dict[str, Any]:
    """The settings as a subject file records them, as JSON values under the names of `_RECORDED_NAMES`."""
    values = json.loads(json.dumps(dataclasses.asdict(settings)))
    return {_RECORDED_NAMES.get(name, name): value for name, value in values.items()}


def check_editing(call: EditCall) -> tuple[EditSettings, ModelFacts]:
    """The engine's settings of a call of `edit`, and its model, which has labels.

    Raises:
        UsageError: options that do not go together, or a model without a semantic branch.
        CheckpointError: a model file that cannot be used.
    """
    settings = edit_settings_of(call)
    facts = model_facts.describe_model(call.model_name)
    if not facts.has_semantics or facts.labels is None:
        raise UsageError(f"edit: expected a model with a semantic branch, found none in {facts.config.name}; train one first")
    return settings, facts


def _plain(value: float) -> float | None:
    """Rounded; None where there is nothing to say."""
    return round(value, 5) if math.isfinite(value) else None
