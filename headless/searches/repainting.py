"""What `edit` does, once: the checked call, the search, the scores, and the record of how the subject was made; see `recovering`."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_facts import ModelFacts
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import SubjectRecord, read_subject_file, read_subject_header, record_of
from dnerf_core.editing.edit import Edit, edit_subject
from dnerf_core.editing.scores import TURNS_DEG, change_seen, turned_cameras
from dnerf_core.errors import UsageError
from dnerf_core.files.photos import picture_size, read_label_mask
from dnerf_core.files.snapping import SnapTally
from dnerf_core.inversion.pose import camera_at, sphere_angles_deg
from dnerf_core.own_views import view_ranges
from dnerf_core.subject_key import SubjectKey, checked_subject_file
from headless.cameras.given import read_one_view
from headless.cameras.picture_cameras import cameras_of_pictures
from headless.runs.poses import one_pose
from headless.searches.calls import EditCall, edit_settings_of
from headless.searches.likeness import poor_edit

if TYPE_CHECKING:
    from dnerf_core.editing.settings import EditSettings
    from dnerf_core.inversion.descent import Watch
    from dnerf_core.loaded_model import LoadedModel
    from dnerf_core.subject import LabeledView, Subject
    from headless.searches.recovering import Tools


@dataclass(frozen=True, eq=False)
class EditedViews:
    """What other directions see, before and after an edit, in the order of `TURNS_DEG`."""

    before: list[LabeledView]
    after: list[LabeledView]


@dataclass(frozen=True)
class PaintedFrom:
    """Where a mask was painted from.

    Attributes:
        remarks: what is to be warned of.
        world_line: in which world a camera of another program is taken; None: nothing is to be told.
    """

    camera: Camera
    remarks: tuple[str, ...] = ()
    world_line: str | None = None


@dataclass(frozen=True, eq=False)
class Repainting:
    """A call of `edit` that has been checked.

    Attributes:
        key: the subject before.
        place: where the mask was painted from.
        mask: repainted, uint8 [S, S] of label ids.
        mask_sha256: of its file, or of its values where it came as an array.
        snapped: what is to be told of its pixels that were read by the nearest colour; None: nothing.
    """

    call: EditCall
    settings: EditSettings
    facts: ModelFacts
    key: SubjectKey
    place: PaintedFrom
    mask: NDArray[np.uint8]
    mask_sha256: str
    snapped: str | None = None

    @classmethod
    def checked(cls, call: EditCall, key: SubjectKey | None = None, mask_title: str = "mask") -> Repainting:
        """A call, its options, model, subject, camera and mask looked at.

        Args:
            key: the call's subject, of who has looked at its file already; None: it is looked at here.
            mask_title: how a message about a mask that is an array begins.

        Raises:
            UsageError: options that do not go together, a model without a semantic branch, or an array that is no mask of its size.
            DNeRFError: a file that cannot be used.
        """
        settings, facts = check_editing(call)
        key = subject_of(call, facts) if key is None else key
        snap = SnapTally() if call.snap_colors else None
        mask, mask_sha256 = mask_of(call, facts, mask_title, snap)
        place = painted_from(call, key, facts)
        return cls(call, settings, facts, key, place, mask, mask_sha256, None if snap is None else snap.line())

    @property
    def camera(self) -> Camera:
        """Where the mask was painted from."""
        return self.place.camera

    @cached_property
    def identity(self) -> dict[str, Any]:
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

    def look_round(self, subject: Subject, edited: Edit) -> EditedViews:
        """Render both from the directions beside the painted view."""
        elsewhere = turned_cameras(self.camera, self.facts.config.cameras)
        return EditedViews([subject.render(other) for other in elsewhere], [edited.subject.render(other) for other in elsewhere])

    def scores(self, edited: Edit, views: EditedViews) -> dict[str, Any]:
        """How well the edit went, as JSON values."""
        assert self.facts.labels is not None
        changes = [change_seen(*pair) for pair in zip(views.before, views.after, TURNS_DEG, strict=True)]
        yaw_deg, pitch_deg = sphere_angles_deg(self.camera.cam2world, self.facts.config.cameras)
        return {
            "edited_px": int(edited.region.edited.sum()),
            "labels": [label.name for label in self.facts.labels.labels if label.id in edited.region.labels],
            **{name: _plain(value) for name, value in dataclasses.asdict(edited.scores).items()},
            "other_views": [{name: _plain(value) for name, value in dataclasses.asdict(change).items()} for change in changes],
            "yaw_deg": round(yaw_deg, 3),
            "pitch_deg": round(pitch_deg, 3),
        }

    def record(self, edited: Edit, scores: dict[str, Any], model: LoadedModel) -> SubjectRecord:
        """What the subject file holds; weights that were tuned for the subject before stay its own."""
        tuned = {} if self.key.file is None else read_subject_file(self.key.file.path).tuned
        origin = self.identity | {"source": self.key.title, "finished": edited.finished, "scores": scores}
        return record_of(model, edited.subject.ws, self.camera, origin, tuned, edited.subject.pose, edited.subject.shape)

    def poor(self, scores: dict[str, Any], finished: bool) -> str | None:
        """As `recovering.Recovery.poor`."""
        return poor_edit(self.facts.config.name, scores["edited_taken"]) if finished else None


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


def subject_of(call: EditCall, facts: ModelFacts) -> SubjectKey:
    """The subject that a call names, in its pose.

    Raises:
        UsageError: a truncation beside a subject file, or poses that cannot be used.
        CheckpointError: a file that cannot be used.
    """
    given = one_pose(call, facts)
    pose = None if given is None else tuple(given.ravel().tolist())
    if not isinstance(call.subject, Path):
        return SubjectKey(call.subject, call.truncation, None, pose)
    if call.truncation != 1.0:
        raise UsageError("--truncation: expected a seed, found a subject file, which is not truncated; leave it out")
    return SubjectKey(0, 1.0, checked_subject_file(call.subject, facts.path), pose)


def painted_from(call: EditCall, key: SubjectKey, facts: ModelFacts) -> PaintedFrom:
    """Where the mask was painted from; by the name of its file, where `--camera` has several views.

    Raises:
        UsageError: it is given twice, or not at all, or the file of cameras cannot be used.
    """
    cameras = facts.config.cameras
    for name, value in (("--yaw", call.yaw), ("--pitch", call.pitch)):
        if value is not None and value[0] != value[1]:
            raise UsageError(f"{name}: expected one direction, found a range; give a single value")
    if call.camera is not None:
        if call.yaw is not None or call.pitch is not None:
            raise UsageError("--camera: expected it alone, found --yaw or --pitch beside it; give one of them")
        if not isinstance(call.camera, Path):
            return PaintedFrom(call.camera)
        if isinstance(call.mask, Path):
            sizes = {call.mask: picture_size(call.mask)}
            taken = cameras_of_pictures(call.camera, sizes, "pad", facts.config, "mask", call.cameras_up)
            return PaintedFrom(taken.cameras[call.mask], taken.remarks, taken.world_line)
        given = read_one_view(call.camera, facts.config, "mask", call.cameras_up)
        return PaintedFrom(given.cameras[0], given.remarks, given.world_line)
    own = None if key.file is None else read_subject_header(key.file.path).camera
    if call.yaw is None and call.pitch is None and own is not None:
        return PaintedFrom(own)
    if call.yaw is None:
        raise UsageError("--yaw: expected where the mask was painted from, found nothing; give --yaw and --pitch, or --camera")
    (yaw_deg, _), (pitch_deg, _) = view_ranges(cameras, call.yaw, call.pitch)
    return PaintedFrom(camera_at(math.radians(yaw_deg), math.radians(pitch_deg), cameras))


def mask_of(call: EditCall, facts: ModelFacts, where: str, snap: SnapTally | None = None) -> tuple[NDArray[np.uint8], str]:
    """The repainted mask of a call, uint8 [S, S] of label ids, and its sha256: of its file, or of an array's values.

    Args:
        where: how a message about an array begins.
        snap: read a file by the nearest label colour, and tell of it here.

    Raises:
        UsageError: an array of another kind.
        AnnotationError: a file that is no mask of the model's labels.
    """
    assert facts.labels is not None  # or the call was refused
    size_px = facts.config.image_size
    if isinstance(call.mask, Path):
        return read_label_mask(call.mask, size_px, "pad", facts.labels, snap), file_sha256(call.mask)
    mask = call.mask
    if mask.dtype != np.uint8 or mask.shape != (size_px, size_px):
        found = f"{mask.dtype} {list(mask.shape)}"
        raise UsageError(f"{where}: expected an array uint8 {[size_px, size_px]}, found {found}; correct the request")
    return mask, hashlib.sha256(np.ascontiguousarray(mask).tobytes()).hexdigest()


def _plain(value: float) -> float | None:
    """Rounded; None where there is nothing to say."""
    return round(value, 5) if math.isfinite(value) else None
