"""The endless stream of inputs that a training reads: which view is the n-th, and how it is changed, is told by the seed and n alone.

So a training goes on where it was interrupted, and several processes or loaders share its work, without changing what is learned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dnerf_core.downstream.images.augment import Augmenter
from dnerf_core.downstream.images.photographed import Photographs
from dnerf_core.downstream.images.sets.joined import JoinedSets, Place
from dnerf_core.errors import AnnotationError

_ERROR_NAME = f"{AnnotationError.__module__}.{AnnotationError.__qualname__}"
CACHE_BYTES = 2**30
"""Of decoded views that stay in memory, in all processes of a training together."""


def drawn_number(*parts: int | str) -> int:
    """A whole number below 2^63 that looks drawn, told by its parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


class ChangedViews(Dataset[tuple[Tensor, Tensor]]):
    """The n-th input of a training: views in an order that is shuffled anew each time that all have been seen.

    Args:
        places: the views to train on.
        seed: of the order and the changes.
        cache_bytes: how much this process may keep of decoded views.
    """

    def __init__(
        self, joined: JoinedSets, places: Sequence[Place], augmenter: Augmenter, seed: int, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._joined, self._places, self._augmenter, self._seed = joined, tuple(places), augmenter, seed
        self._free_bytes = cache_bytes
        self._kept: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
        self._subjects: dict[int, NDArray[np.uint8]] = {}
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """The input uint8 [3, S, S] and the truth uint8 [S, S].

        Raises:
            AnnotationError: a file cannot be read any more.
        """
        view, photographs = self.view_of(number), self._augmenter.photographs
        image, mask = self._pair(view)
        photograph = None if photographs is None else photographs.drawn(number)
        if photographs is not None and photograph is not None:
            image = self._subject(view, photographs, image, mask)
        return self._augmenter(image, mask, drawn_number(self._seed, "changes", number), photograph)

    def view_of(self, number: int) -> int:
        """Which view the n-th input shows."""
        epoch, position = divmod(number, len(self._places))
        if self._order is None or self._order[0] != epoch:
            drawn = np.random.default_rng(drawn_number(self._seed, "order", epoch))
            self._order = (epoch, drawn.permutation(len(self._places)))
        return int(self._order[1][position])

    def _pair(self, view: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if view not in self._kept:
            image, mask = self._joined.pair(self._places[view])
            if self._augmenter.photographs is None:  # the subject of one is cut out of the picture as it is
                image, mask = self._augmenter.fitted(image, mask)
            if image.nbytes + mask.nbytes > self._free_bytes:
                return image, mask
            self._free_bytes -= image.nbytes + mask.nbytes
            self._kept[view] = (image, mask)
        return self._kept[view]

    def _subject(
        self, view: int, photographs: Photographs, image: NDArray[np.uint8], mask: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        if view not in self._subjects:
            subject = photographs.subject(image, mask)
            if subject.nbytes > self._free_bytes:
                return subject
            self._free_bytes -= subject.nbytes
            self._subjects[view] = subject
        return self._subjects[view]


class BatchNumbers:
    """Of each step the numbers of the inputs that one process of several takes: every `count`-th of the batch.

    Args:
        steps: from the first of these to before the last.
        batch: inputs of a step, all processes together.
    """

    def __init__(self, steps: range, batch: int, rank: int = 0, count: int = 1) -> None:
        self._steps, self._batch, self._rank, self._count = steps, batch, rank, count

    def __iter__(self) -> Iterator[list[int]]:
        return (list(range(step * self._batch + self._rank, (step + 1) * self._batch, self._count)) for step in self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def batches(views: ChangedViews, numbers: BatchNumbers, workers: int, *, pinned: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """The inputs uint8 [B, 3, S, S] and truths uint8 [B, S, S] of each step.

    Args:
        workers: processes that read and change views beside this one; 0: this one does.
        pinned: into memory that a CUDA device reads from.

    Raises:
        AnnotationError: a file of a view cannot be read any more.
    """
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        views, batch_sampler=numbers, num_workers=workers, pin_memory=pinned, generator=torch.Generator().manual_seed(0)
    )
    try:
        yield from loader
    except AnnotationError as error:
        # of a worker process torch makes the text of its traceback, whose last line names the error's class and says what it says
        raise AnnotationError(str(error).rstrip().splitlines()[-1].removeprefix(f"{_ERROR_NAME}: ")) from error
