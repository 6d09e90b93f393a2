"""Views to train on as photographs: which of them, before which background, and how, is told by a view's number alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.photographs.backdrops import Backdrops
from dnerf_core.photographs.pasting import cut_for_pasting, pasted
from dnerf_core.photographs.strengths import Level, Strengths, draw_strengths

AS_THEY_ARE: dict[Level, float] = {"none": 1.0, "mild": 0.3, "hard": 0.25}
"""Share of the views that stay as they are, so that a network knows them, too."""
_MILD_OF_HARD = 0.25
"""Share of a hard training's photographs that are mild ones."""
_EMPTY = 0.06
"""Share of the photographs that show a background alone, all of it labelled as such."""


@dataclass(frozen=True)
class Photograph:
    """How one view becomes a photograph.

    Attributes:
        number: the view's.
        empty: whether its subject is left out.
    """

    number: int
    strengths: Strengths
    empty: bool


class Photographs:
    """The photographs of a training.

    Args:
        level: "mild" or "hard".
        side_px: of the pictures that come out.
        seed: of all that is drawn.
        backgrounds: pictures of the user's.
    """

    def __init__(self, level: Level, side_px: int, seed: int, backgrounds: Sequence[Path] = ()) -> None:
        self._level, self._seed = level, seed
        self._backdrops = Backdrops(level, seed, side_px, backgrounds)

    def drawn(self, number: int) -> Photograph | None:
        """How the `number`-th view is changed; None: it stays as it is."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self._seed, number, 7))))
        chance = rng.random(3)
        if chance[0] < AS_THEY_ARE[self._level]:
            return None
        level: Level = "mild" if self._level == "hard" and chance[1] < _MILD_OF_HARD else self._level
        strengths = draw_strengths(level, int(rng.integers(2**62)), number)
        assert strengths is not None
        return Photograph(number, strengths, bool(chance[2] < _EMPTY))

    @staticmethod
    def subject(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `cut_for_pasting`."""
        return cut_for_pasting(image, mask)

    def taken(self, subject: NDArray[np.uint8], photograph: Photograph) -> NDArray[np.uint8]:
        """The picture uint8 [S, S, 3] of a subject uint8 [S, S, 4].

        Raises:
            PhotoError: a picture of the user's cannot be read any more.
        """
        seed = (self._seed, photograph.number, 11)
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
        return pasted(subject, self._backdrops.behind(photograph.number, rng), photograph.strengths)
