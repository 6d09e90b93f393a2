"""Several data sets as one: labels brought to one set's ids by their names, and views split by subject into training and validation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.images.sets.labeled_set import LabeledSet, ViewFacts
from dnerf_core.errors import AnnotationError, UsageError, counted
from dnerf_core.labels import IGNORE_ID, LabelSet

TRAINING_SPLITS = ("train", "training")
VALIDATION_SPLITS = ("val", "valid", "validation", "dev")
_USED_SPLITS = ("", *TRAINING_SPLITS, *VALIDATION_SPLITS)


@dataclass(frozen=True)
class Place:
    """Where a view is: the number of its set, and its number there."""

    set_index: int
    view_index: int


class JoinedSets:
    """Data sets of the same label names.

    Attributes:
        sets: in the order of the call.
        labels: the first one's, whose ids all masks are given in.

    Raises:
        AnnotationError: label names differ; the message says which.
    """

    def __init__(self, sets: Sequence[LabeledSet]) -> None:
        self.sets, self.labels = tuple(sets), sets[0].labels
        self._ids = [id_table(one, self.labels, str(sets[0].place)) for one in sets]

    def facts(self, place: Place) -> ViewFacts:
        """What is known of a view without its pixels."""
        return self.sets[place.set_index].views[place.view_index]

    def pair(self, place: Place, data: tuple[bytes, bytes] | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The image uint8 [H, W, 3], and the mask uint8 [H, W] in ids of `labels`; see `LabeledSet.pair`.

        Raises:
            AnnotationError: the files cannot be used.
        """
        image, mask = self.sets[place.set_index].pair(place.view_index, data)
        return image, self._ids[place.set_index][mask]


def id_table(one: LabeledSet, labels: LabelSet, whose: str) -> NDArray[np.uint8]:
    """uint8 [256]: a set's ids to those of other labels of the same names; 255 stays.

    Args:
        whose: the other labels are, for the message.

    Raises:
        AnnotationError: label names differ; the message says which.
    """
    ids = {label.name: label.id for label in labels.labels}
    missing = [name for name in labels.names if name not in one.labels.names]
    surplus = [name for name in one.labels.names if name not in ids]
    if missing or surplus:
        faults = [f"none named {', '.join(missing)}" if missing else "", f"{', '.join(surplus)} besides" if surplus else ""]
        raise AnnotationError(
            f"{one.place}: expected the label names of {whose} ({labels.names_text()}), found "
            f"{' and '.join(filter(None, faults))}; use sets of one label set, or rename in labels.json"
        )
    table = np.full(256, IGNORE_ID, np.uint8)
    for label in one.labels.labels:
        table[label.id] = ids[label.name]
    return table


@dataclass(frozen=True)
class Division:
    """Which views are trained on and which are scored; no subject is in both.

    Attributes:
        trained, scored: views in the order of their sets.
        left_out: how many views are in neither: of test splits, or of subjects that are scored or tested in another set.
        by_split: whether the sets' own splits decided.
    """

    trained: tuple[Place, ...]
    scored: tuple[Place, ...]
    left_out: int
    by_split: bool


def divide(joined: JoinedSets, validation: float | None) -> Division:
    """The views to train on and those to score.

    Args:
        validation: None: the sets' own validation splits where one has such, else a tenth of the subjects, at least one, of 3 or more;
            below 1 a share of the subjects (at least one, unless it is 0), else a number of them, whatever the splits are. Which ones is
            told by a hash of the subject, so that more subjects move nobody. Views of other splits, such as a test's, are always left out.

    Raises:
        UsageError: nothing is left to train on.
    """
    places = [Place(s, v) for s, one in enumerate(joined.sets) for v in range(len(one.views))]
    usable = [place for place in places if joined.facts(place).split in _USED_SPLITS]
    tested = {joined.facts(place).subject for place in set(places) - set(usable)}
    own = [place for place in usable if joined.facts(place).split in VALIDATION_SPLITS]
    by_split = validation is None and bool(own)
    if by_split:
        held_out = {joined.facts(place).subject for place in own}
        scored = own
    else:
        held_out = _chosen({joined.facts(place).subject for place in usable} - tested, validation)
        scored = [place for place in usable if joined.facts(place).subject in held_out]
    trained = [
        place
        for place in usable
        if (facts := joined.facts(place)).subject not in held_out | tested
        and (not by_split or facts.split not in VALIDATION_SPLITS)
    ]
    if not trained:
        raise UsageError(
            f"{', '.join(str(one.place) for one in joined.sets)}: expected views to train on, found none of "
            f"{counted(len(places), 'view')} in a training split; lower --validation, or name a set with such views"
        )
    return Division(tuple(trained), tuple(scored), len(places) - len(trained) - len(scored), by_split)


def _chosen(subjects: set[str], validation: float | None) -> set[str]:
    count = len(subjects)
    if validation is None:
        number = max(1, round(count / 10)) if count >= 3 else 0
    elif validation < 1:
        number = max(1, round(count * validation)) if validation else 0
    else:
        number = int(validation)
    if count and number >= count:
        raise UsageError(
            f"--validation: expected at least one of {counted(count, 'subject')} left to train on, found none; hold out fewer"
        )
    return set(sorted(subjects, key=lambda subject: hashlib.sha256(f"validation {subject}".encode()).digest())[:number])


@dataclass(frozen=True)
class ReadSets:
    """What reading every file of the used views once has told.

    Attributes:
        digests: of each set, a hash of its labels and its used views' files.
        pixels: int64 [C], pixels of each label in the views that are trained on.
        pixels_a_view: int64 [N, C], the same view by view.
    """

    digests: tuple[str, ...]
    pixels_a_view: NDArray[np.int64]

    @property
    def pixels(self) -> NDArray[np.int64]:
        """int64 [C], of all views that are trained on."""
        return self.pixels_a_view.sum(axis=0)


def read_all(joined: JoinedSets, division: Division, advance: Callable[[], None] = lambda: None) -> ReadSets:
    """Read every view that is used, so that a damaged one is told before any time is spent.

    Args:
        advance: called after each view.

    Raises:
        AnnotationError: a file cannot be used.
    """
    count = joined.labels.num_classes
    sums = [hashlib.sha256(json.dumps(one.labels.to_json()).encode()) for one in joined.sets]
    rows = []
    for used, places in (("trained", division.trained), ("scored", division.scored)):
        for place in places:
            facts, data = joined.facts(place), joined.sets[place.set_index].data(place.view_index)
            parts: list[Any] = [used, facts.name, facts.subject, *(hashlib.sha256(part).hexdigest() for part in data)]
            sums[place.set_index].update(json.dumps(parts).encode())
            _, mask = joined.pair(place, data)
            if used == "trained":
                rows.append(np.bincount(mask.ravel(), minlength=256)[:count])
            advance()
    return ReadSets(tuple(one.hexdigest() for one in sums), np.array(rows, np.int64))


def missing_classes(pixels: NDArray[np.int64], labels: LabelSet) -> list[str]:
    """Names of the classes that no view to train on shows."""
    return [name for name, count in zip(labels.names, pixels, strict=True) if count == 0]
