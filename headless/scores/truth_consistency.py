"""What `evaluate --truth --consistent` adds: masks as rendered and consistent ones, both against the truth and against each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.demo.truth import ObservedView
from dnerf_core.labels import LabelSet
from dnerf_core.metrics import confusion_matrix, segmentation_scores
from dnerf_core.model import Model
from dnerf_core.multiview.consistency import Agreement, reprojection_agreement
from dnerf_core.multiview.consistency_pairs import compared_views, directions_from
from dnerf_core.multiview.consistent_views import LabelChanges, Relabelling, voting_cameras
from headless.scores.scoring import rounded, segmentation_json
from headless.scores.truth_scoring import TruthViews


@dataclass(eq=False)
class _ComparedViews:
    """Those views of the subject in work that are compared with each other, with both kinds of masks."""

    seed: int
    relabelling: Relabelling
    compared: frozenset[int]
    cameras: list[Camera] = field(default_factory=list)
    depths: list[NDArray[np.float32]] = field(default_factory=list)
    rendered: list[NDArray[np.uint8]] = field(default_factory=list)
    consistent: list[NDArray[np.uint8]] = field(default_factory=list)


class ConsistentScores:
    """Scores of consistent masks beside those of the masks as rendered, view by view; only numbers are kept of a subject that is done.

    Masks are those of `render --consistent` with the same yaw and pitch. Agreement is that of `evaluate --consistency`, of the same pairs.
    """

    def __init__(self, model: Model, views: TruthViews, labels: LabelSet) -> None:
        """model: one whose labels, these, are the truth's."""
        self._model, self._views, self._labels = model, views, labels
        self._classes = labels.num_classes
        self._confusion = np.zeros((self._classes, self._classes), dtype=np.int64)
        self._agreements = {kind: Agreement.empty(self._classes) for kind in ("rendered", "consistent")}
        self._changes = LabelChanges()
        self._subject: _ComparedViews | None = None

    def observe(self, seen: ObservedView) -> None:
        """Take the next view; a subject's views come in a row."""
        if self._subject is None or self._subject.seed != seen.seed:
            self._finish_subject()
            self._subject = self._start_subject(seen)
        subject, view = self._subject, seen.rendered
        assert view.mask is not None
        mask = subject.relabelling.mask(view.camera, view.mask, view.depth_planar)
        self._changes = self._changes.plus(LabelChanges.between(view.mask, mask))
        self._confusion += confusion_matrix(seen.true_mask, mask, self._classes)
        if seen.view in subject.compared:
            subject.cameras.append(view.camera)
            subject.depths.append(view.depth_planar)
            subject.rendered.append(view.mask)
            subject.consistent.append(mask)

    def _start_subject(self, seen: ObservedView) -> _ComparedViews:
        config, views = self._model.config.cameras, self._views
        positions = np.array([camera.position for camera in views.cameras(config, seen.seed)])
        compared = compared_views(directions_from(np.array(config.pivot), positions))
        relabelling = Relabelling(self._model, seen.subject, voting_cameras(config, views.yaw_deg, views.pitch_deg))
        return _ComparedViews(seen.seed, relabelling, frozenset(compared))

    def _finish_subject(self) -> None:
        subject, self._subject = self._subject, None
        if subject is None:
            return
        pairs = list(itertools.permutations(range(len(subject.cameras)), 2))
        for kind, masks in (("rendered", subject.rendered), ("consistent", subject.consistent)):
            agreement = reprojection_agreement(subject.cameras, subject.depths, masks, self._classes, pairs)
            self._agreements[kind] = self._agreements[kind].plus(agreement)

    def to_json(self) -> dict[str, Any]:
        """After the last view, as JSON values; null where nothing was compared, as with one view of each subject."""
        self._finish_subject()
        against_truth = segmentation_json(segmentation_scores(self._confusion), self._labels)
        rendered, consistent = self._agreements["rendered"], self._agreements["consistent"]
        share = self._changes.share
        return {
            **{f"{key}_consistent": value for key, value in against_truth.items()},
            "agreement": rounded(rendered.miou),
            "agreement_consistent": rounded(consistent.miou),
            "agreement_accuracy": rounded(rendered.accuracy),
            "agreement_accuracy_consistent": rounded(consistent.accuracy),
            "covisible": rounded(rendered.covisible),
            "relabelled": None if share is None else rounded(share),
        }

    @staticmethod
    def table(result: dict[str, Any]) -> list[str]:
        """Lines for people, of what `to_json` gave and the scores of the masks as rendered, in one mapping."""
        names = {
            "mIoU": "miou",
            "accuracy": "accuracy",
            "agreement, mIoU": "agreement",
            "agreement, accuracy": "agreement_accuracy",
        }
        width = max(map(len, names))
        lines = ["", f"{'masks':<{width}}  as rendered  consistent"]
        for name, key in names.items():
            cells = [result[key], result[f"{key}_consistent"]]
            texts = ["-" if value is None else f"{value:.4f}" for value in cells]
            lines.append(f"{name:<{width}}  {texts[0]:>11}  {texts[1]:>10}")
        share = result["relabelled"]
        return lines if share is None else [*lines, f"{100 * share:.3g}% of the part pixels changed label"]
