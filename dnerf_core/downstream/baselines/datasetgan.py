"""DatasetGAN (Zhang et al. 2021, arXiv 2104.06490) on a 3D GAN: labels out of the generator's 2D features, by a vote of pixel classifiers.

Deviations: the generator is the frozen 3D one that the semantic branch learns on; of each painted view a sample of pixels is trained on;
features are normalised, and the rate falls along a cosine, as the branch's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.downstream.baselines.gan_ensemble import PixelEnsemble, PixelTraining, train_pixels
from dnerf_core.downstream.baselines.gan_features import generator_view, view_features
from dnerf_core.downstream.images.augment import resized_ids
from dnerf_core.downstream.images.stream import drawn_number
from dnerf_core.errors import AnnotationError, CheckpointError
from dnerf_core.files.annotated_folder import AnnotatedImage, Annotations
from dnerf_core.labels import IGNORE_ID, LabelSet
from dnerf_core.model import Model
from dnerf_core.seeing.raw_view import RawView
from dnerf_core.subject import PartialView, Subject

REJECTED_SHARE = 0.1
"""Of the pictures, the most uncertain ones, that are left out (section 3.3)."""


@dataclass(frozen=True, eq=False)
class GanLabeller:
    """Trained classifiers of a generator's views.

    Attributes:
        labels: what their classes mean.
        size_px: side of the maps that they were trained on; views are labelled at the same.
    """

    ensemble: PixelEnsemble
    labels: LabelSet
    size_px: int

    def label(self, subject: Subject, camera: Camera) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The labels of a view, uint8 [S, S], and how far the classifiers disagree, float32 [S, S] in [0, 1]."""
        return self._labelled(subject, generator_view(subject, camera))

    def seen(self, subject: Subject, camera: Camera, size_px: int) -> PartialView:
        """A view's picture of that side with its labels and how far the classifiers disagree; its rays are read once for both."""
        raw = generator_view(subject, camera)
        mask, divergence = self._labelled(subject, raw)
        return PartialView(subject.channels(camera, size_px, ("rgb",), raw=raw).rgb, mask, None, divergence)

    def _labelled(self, subject: Subject, raw: RawView) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        labels, divergence = self.ensemble.labelled(view_features(subject, raw, self.size_px))
        return labels.cpu().numpy(), divergence.cpu().numpy()


def train_labeller(
    model: Model,
    annotations: Annotations,
    training: PixelTraining,
    size_px: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> GanLabeller:
    """Train the classifiers on painted views.

    Args:
        model: whose generator made the views, see `check_generator`.
        annotations: of `dnerf_core.files.annotated_folder.read_annotations`.
        size_px: side of the maps that are labelled; None: the model's image size, which masks are painted at.
        advance: called after each view and each classifier.

    Raises:
        CheckpointError: a subject's file cannot be used.
        AnnotationError: no pixel is painted.
    """
    size = size_px or model.config.image_size
    features, labels = [], []
    subjects: dict[object, Subject] = {}
    for number, image in enumerate(annotations.images):
        if image.subject not in subjects:
            subjects = {image.subject: opened(image, model)}  # one subject's planes at a time
        rows, ids = _painted_pixels(subjects[image.subject], image, size, training, number)
        features.append(rows)
        labels.append(ids)
        advance()
    found = torch.cat(labels)
    if not len(found):
        raise AnnotationError(f"{annotations.folders[0]}: expected painted pixels, found none; paint some first")
    ensemble = train_pixels(torch.cat(features), found, annotations.labels.num_classes, training, advance)
    return GanLabeller(ensemble, annotations.labels, size)


def opened(image: AnnotatedImage, model: Model) -> Subject:
    """The subject of a painted view, of the generator as it is.

    Raises:
        CheckpointError: its file has tuned weights, which other subjects do not have.
    """
    subject = image.subject.open(model)
    if subject.model is not model:
        raise CheckpointError(
            f"{image.subject.title}: expected a subject of the generator as it is, found tuned weights; sample without it"
        )
    return subject


def _painted_pixels(
    subject: Subject, image: AnnotatedImage, size_px: int, training: PixelTraining, number: int
) -> tuple[Tensor, Tensor]:
    """Features [M, D] and labels int64 [M] of pixels drawn of a view, on the model's device."""
    mask = mask_at(image.mask, size_px)
    painted = np.flatnonzero(mask.ravel() != IGNORE_ID)
    drawn = np.random.default_rng(drawn_number(training.seed, "pixels", number))
    chosen = np.sort(drawn.choice(painted, min(training.pixels_a_view, len(painted)), replace=False)) if len(painted) else painted
    rows = view_features(subject, generator_view(subject, image.camera), size_px).flatten(0, 1)
    return rows[torch.from_numpy(chosen).to(rows.device)], torch.from_numpy(mask.ravel()[chosen].astype(np.int64)).to(rows.device)


def mask_at(mask: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A square mask uint8 [S, S] brought to another side; where it is smaller each pixel has the label that has most of it."""
    if mask.shape[0] == size_px:
        return mask
    return resized_ids(torch.tensor(mask)[None], [size_px, size_px])[0].numpy()
