"""What a data set is to a segmenter: images and masks by number, which subject each shows, and in which split it is."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.errors import AnnotationError
from dnerf_core.files.opening.decoding import PICTURE_ERRORS, reason_of
from dnerf_core.files.opening.whole_png import check_png
from dnerf_core.labels import LabelSet, check_ids

MAX_SIDE_PX = 16384
"""Of a picture: a small file may claim a very large one."""


@dataclass(frozen=True)
class ViewFacts:
    """What is known of a view without its pixels.

    Attributes:
        name: the stem of its files.
        subject: what tells its subject from others, such as "seed 3"; the same in all data sets, whichever model made them.
        split: the split that it was dealt to; "": none.
    """

    name: str
    subject: str
    split: str


class LabeledSet(ABC):
    """A data set of images with masks.

    Attributes:
        place: where it lies, for messages.
        kind: which form it has: "folder", "webdataset" or "painted".
        labels: what its masks' ids mean.
        views: its views in a fixed order.
    """

    kind: str

    def __init__(self, place: Path, labels: LabelSet, views: Sequence[ViewFacts]) -> None:
        self.place, self.labels, self.views = place, labels, tuple(views)

    @abstractmethod
    def data(self, index: int) -> tuple[bytes, bytes]:
        """The files' bytes of a view, image and mask, which tell whether a set has changed.

        Raises:
            AnnotationError: a file cannot be read.
        """

    @abstractmethod
    def mask(self, index: int, data: bytes) -> NDArray[np.uint8]:
        """The label ids uint8 [H, W] of a view's mask file; 255 is ignored.

        Raises:
            AnnotationError: it is no mask of this set's labels.
        """

    def pair(self, index: int, data: tuple[bytes, bytes] | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The image uint8 [H, W, 3], RGB, and the mask uint8 [H, W] of a view.

        Args:
            data: its files' bytes, where they have been read already.

        Raises:
            AnnotationError: a file cannot be read, is damaged, or they are of different sizes.
        """
        image_data, mask_data = self.data(index) if data is None else data
        where = f"{self.place}: {self.views[index].name}"
        image, mask = decoded_image(image_data, f"{where}: image"), self.mask(index, mask_data)
        if image.shape[:2] != mask.shape:
            sizes = " and ".join(f"{array.shape[1]} x {array.shape[0]} px" for array in (image, mask))
            raise AnnotationError(f"{where}: expected image and mask of one size, found {sizes}; make the view again")
        return image, mask


def decoded_image(data: bytes, where: str) -> NDArray[np.uint8]:
    """A PNG's pixels uint8 [H, W, 3], RGB.

    Raises:
        AnnotationError: it is none, or damaged.
    """
    return _decoded(data, where, "RGB")


def decoded_ids(data: bytes, labels: LabelSet, where: str) -> NDArray[np.uint8]:
    """The label ids uint8 [H, W] of a gray PNG.

    Raises:
        AnnotationError: it is none, or damaged, or has an id that is no label's.
    """
    ids = _decoded(data, where, "L")
    check_ids(ids, labels.num_classes, where, "make the data set again")
    return ids


def _decoded(data: bytes, where: str, mode: str) -> NDArray[np.uint8]:
    kind = {"RGB": "an 8-bit RGB PNG", "L": "an 8-bit gray PNG"}[mode]
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if max(image.size) > MAX_SIDE_PX:
                raise ValueError(f"{image.width} x {image.height} px")
            check_png(io.BytesIO(data))
            image.load()
            if image.mode != mode:
                raise ValueError(f"mode {image.mode}")
            return np.asarray(image, np.uint8).copy()
    except PICTURE_ERRORS as error:
        raise AnnotationError(f"{where}: expected {kind}, it cannot be read: {reason_of(error)}; make the view again") from error
