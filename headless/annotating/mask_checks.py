"""Painted masks held against what is known of their views: the object's silhouette, and the masks of the same subject's other views.

Pure but for arrays of numpy. All is judged at a small size, since what is sought is gross: a mask that is mirrored, that belongs to
another view, or that lies some pixels off. A painter's edges, which are a pixel or two off, and parts that are not painted, are no
fault: a mask is blamed only where another reading of it fits what is known clearly better than the mask as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import IGNORE_ID
from dnerf_core.multiview.carrying import covisible_pixels
from headless.annotating.label_witnesses import LabelWitnesses
from headless.annotating.masked_view import MaskedView, grown, painted_area

LEAST_SHIFT = 5 / 256
"""Of the side: masks that lie fewer pixels off are a painter's own."""
_FARTHEST_SHIFT = 0.25
_LEAST_GAIN = 0.04
"""Share of the painted pixels that must come to lie right by another reading of the mask."""
_CARRIED_GAIN = 0.3
"""The same where only the masks of other views tell, which may be wrong themselves."""
_LEAST_STRAYS = 0.004
"""Share of the painted pixels farther outside the object than a painter's hand strays, without which a mask seems not moved."""
_LEAST_OUTSIDE = 0.03
"""The same of pixels outside the object, its edges forgiven, without which one mask alone seems not another view's."""
_MUTUAL_GAIN, _LONE_GAIN, _LONE_FIT = 0.017, 0.06, 0.93
"""Rise of the fit with another view's silhouette, where that view's mask fits here as much better, and where it does not; and how well
it must fit there then."""
_MUTUAL_FIT = 0.94
"""How well two masks must fit each other's view to be taken for swapped, where little is painted outside the object."""
_SAME_MASK = 0.97
_FAR_OUTSIDE = 0.15
_LABELS_FIT = 0.01
"""Share of carried labels up to which they are all right, and by which one mask is worse than another."""
_SAME_FIT, _PAIR_FIT = 0.002, 0.998
"""Of two masks that seem swapped by their labels: how much worse each may fit the other's silhouette than its own, and how well it must."""
_TELLING_FIT = 0.01
"""By how much both silhouettes together must fit better to tell which of a subject's two masks is wrong."""
_PAIR_GAIN = 0.05
"""By how much both silhouettes and both views' labels together must fit better."""
_LEAST_CARRIED_PX = 150

Kind = Literal["mirrored", "swapped", "shifted", "outside"]


@dataclass(frozen=True)
class Suspicion:
    """What is wrong with a mask, as it seems.

    Attributes:
        name, path: of the view, and of its mask's file.
        message: one line that begins with the file, with the figures and the remedy.
    """

    name: str
    path: Path
    kind: Kind
    message: str


def suspicions(views: Sequence[MaskedView], tolerance: float, shown_px: int) -> list[Suspicion]:
    """Masks that seem to be mirrored, another view's, or shifted, in the order of the views.

    Args:
        views: those with something painted, all of one size; what is to be told of a mask comes from itself and from the others.
        tolerance: world units, see `dnerf_core.multiview.carrying.TOLERANCE_SHARE`.
        shown_px: side of the masks' files, in whose pixels shifts are told.
    """
    if not views:
        return []
    silhouettes, witnesses = _Silhouettes(views), LabelWitnesses(views, tolerance)
    found = _by_silhouettes(views, silhouettes, witnesses, shown_px)
    for subject in dict.fromkeys(view.subject for view in views):
        own = [index for index, view in enumerate(views) if view.subject == subject]
        found |= _by_neighbours(views, own, found, tolerance, shown_px)
    found |= _by_labels(views, silhouettes, witnesses, found)
    return [found[index] for index in sorted(found)]


class _Silhouettes:
    """How each mask fits each view's silhouette, a pixel at the edges forgiven.

    Attributes:
        painted, seen: [N, S, S], of masks and of silhouettes.
        area: painted pixels [N].
        outside: share of mask i's painted pixels outside the silhouette of view j, [N, N].
        fit: 1 less the share of pixels outside it or missing in it, [N, N].
        strays: share of mask i's painted pixels more than two pixels outside its own silhouette, [N].
    """

    def __init__(self, views: Sequence[MaskedView]) -> None:
        self.painted = np.stack([painted_area(view.mask) for view in views])
        self.seen = np.stack([np.isfinite(view.depth_planar) for view in views])
        seen_near = np.stack([grown(seen) for seen in self.seen])
        sure = np.stack([~grown(~seen) for seen in self.seen])
        masks, seen, grown_flat, sure_flat = (
            part.reshape(len(views), -1).astype(np.float32) for part in (self.painted, self.seen, seen_near, sure)
        )
        self.area = np.maximum(masks.sum(axis=1), 1).astype(np.float64)
        outside = self.area[:, None] - masks @ grown_flat.T
        missing = sure_flat.sum(axis=1)[None, :] - masks @ sure_flat.T
        union = self.area[:, None] + seen.sum(axis=1)[None, :] - masks @ seen.T
        self.outside = outside / self.area[:, None]
        self.fit = 1 - (outside + missing) / np.maximum(union, 1)
        self.strays = (
            np.array([(mask & ~grown(near)).sum() for mask, near in zip(self.painted, seen_near, strict=True)]) / self.area
        )

    def better_view(self, index: int) -> tuple[int, bool] | None:
        """The view that a mask must be of, since it fits there so much better than here, and whether that view's mask says so too."""
        gains = self.fit[index] - self.fit[index, index]
        for other in np.argsort(-gains)[:5].tolist():
            if gains[other] < _MUTUAL_GAIN:
                return None
            here, there = self.outside[index, index], self.outside[index, other]
            strays = here >= _LEAST_OUTSIDE and there <= here / 2
            # Parts left unpainted may make two masks fit each other's view better, yet they do not fit it well.
            well = min(self.fit[index, other], self.fit[other, index]) >= _MUTUAL_FIT
            both = self.strays[index] + self.strays[other] >= _LEAST_OUTSIDE
            mutual = self.fit[other, index] - self.fit[other, other] >= _MUTUAL_GAIN and (well or both)
            if mutual or (strays and self._copied(index, other)):
                return other, True
            if strays and gains[other] >= _LONE_GAIN and self.fit[index, other] >= _LONE_FIT:
                return other, False
        return None

    def _copied(self, index: int, other: int) -> bool:
        one, two = self.painted[index], self.painted[other]
        return bool((one & two).sum() >= _SAME_MASK * (one | two).sum())


def _by_silhouettes(
    views: Sequence[MaskedView], known: _Silhouettes, witnesses: LabelWitnesses, shown_px: int
) -> dict[int, Suspicion]:
    found: dict[int, Suspicion] = {}
    others: dict[int, int] = {}
    misread: dict[int, Suspicion] = {}
    for index, view in enumerate(views):
        reading = None
        if known.strays[index] >= _LEAST_STRAYS:
            reading = _misread(known.painted[index][None], known.seen[index][None], int(known.area[index]), _LEAST_GAIN)
        if reading is not None:
            misread[index] = _misread_suspicion(view, reading, shown_px, "the object's silhouette")
        elif known.strays[index] >= _FAR_OUTSIDE:
            misread[index] = _suspicion(
                view,
                "outside",
                f"found {_percent(known.strays[index])} of what is painted outside the object; is it this view's mask? "
                "Put the right one there, or paint 0 outside",
            )
        better = known.better_view(index)
        if better is not None and (better[1] or reading is None):
            others[index] = better[0]
            found[index] = _swapped(view, views[better[0]].name, known.fit[index, index], known.fit[index, better[0]])
        elif index in misread:
            found[index] = misread[index]
    trusted = [index for index in range(len(views)) if index not in found]
    for index, other in others.items():
        # A part that is left out may make another view's silhouette fit by chance; the labels of the subject's other views do not.
        heard = list(witnesses.misfits(index, (index, other), trusted))
        if heard and all(own <= _LABELS_FIT and put >= own + _LABELS_FIT for own, put in heard):
            found.pop(index)
            if index in misread:
                found[index] = misread[index]
    return found


def _by_labels(
    views: Sequence[MaskedView], known: _Silhouettes, witnesses: LabelWitnesses, blamed: dict[int, Suspicion]
) -> dict[int, Suspicion]:
    """Masks swapped between views whose silhouettes hardly differ, by the labels of their subjects' other views.

    Both masks must fit the other's view as well as anything is known of it, and better than they fit where they are. The clearest pair
    is blamed first, and taken out of the witnesses, until there is none.
    """
    gains = known.fit - np.diag(known.fit)[:, None]
    alike = (np.minimum(gains, gains.T) >= -_SAME_FIT) & (np.minimum(known.fit, known.fit.T) >= _PAIR_FIT)
    pairs = [(int(one), int(two)) for one, two in np.argwhere(np.triu(alike, 1))]
    found: dict[int, Suspicion] = {}
    while True:
        trusted = {index for index in range(len(views)) if index not in blamed and index not in found}
        at_most = {index: max((own for (own,) in witnesses.misfits(index, (index,), trusted)), default=0.0) for index in trusted}
        clearest, least = None, _PAIR_GAIN
        for one, two in pairs:
            if one in trusted and two in trusted:
                gain = gains[one, two] + gains[two, one]
                if gain + at_most[one] + at_most[two] >= least:
                    gain += _label_gain(witnesses, one, two, trusted, alone=gain >= _TELLING_FIT)
                    if gain >= least:
                        clearest, least = (one, two), gain
        if clearest is None:
            return found
        for index, other in (clearest, clearest[::-1]):
            found[index] = _suspicion(
                views[index],
                "swapped",
                f"found one whose labels fit those of the subject's other views worse than the mask of {views[other].name} does, which "
                "this one fits as well; are the two swapped? Put each mask under its own view's name",
            )


def _label_gain(witnesses: LabelWitnesses, one: int, two: int, heard: Collection[int], *, alone: bool) -> float:
    """How much less of what witnesses carry into two views lies wrong when their masks change places; -inf where some lies wrong.

    Args:
        alone: whether one witness of each view will do: of two masks that contradict each other either may be the wrong one.
    """
    total, most = 0.0, 0
    for index, other in ((one, two), (two, one)):
        gains = []
        for own, put in witnesses.misfits(index, (index, other), heard):
            if put > _LABELS_FIT or own - put < -_LABELS_FIT / 2:
                return -np.inf
            gains.append(own - put)
        total += sum(gains) / max(len(gains), 1)
        most = max(most, len(gains))
    return total if most > 1 or (most == 1 and alone) else -np.inf


def _by_neighbours(
    views: Sequence[MaskedView], own: Sequence[int], known: dict[int, Suspicion], tolerance: float, shown_px: int
) -> dict[int, Suspicion]:
    """What the masks of one subject tell of each other. The worst is blamed, and taken out of the witnesses, until none is."""
    found: dict[int, Suspicion] = {}
    while True:
        witnesses = [index for index in own if index not in known and index not in found]
        readings = {}
        for index in witnesses:
            carried = _carried(views[index], [views[other] for other in witnesses if other != index], tolerance)
            classes = [label for label in np.unique(carried).tolist() if label not in (0, IGNORE_ID)]
            mask = views[index].mask
            # only what the others painted, too: they may have left a part out
            seen = np.stack([mask == label for label in classes]) if classes else np.zeros((0, *mask.shape), bool)
            area = int((seen & (carried != IGNORE_ID)).sum())
            if area >= _LEAST_CARRIED_PX:
                reading = _misread(seen, np.stack([carried == label for label in classes]), area, _CARRIED_GAIN)
                if reading is not None:
                    readings[index] = reading
        if not readings:
            return found
        worst = max(readings, key=lambda index: readings[index].gain)
        found[worst] = _misread_suspicion(views[worst], readings[worst], shown_px, "the masks of the subject's other views")


def _carried(view: MaskedView, others: Sequence[MaskedView], tolerance: float) -> NDArray[np.uint8]:
    """What other views' masks say of this view's pixels, 255 where none says anything; the first to speak is heard."""
    labels = np.full(view.mask.size, IGNORE_ID, np.uint8)
    for other in others:
        here, there = covisible_pixels(view.camera, view.depth_planar, other.camera, other.depth_planar, tolerance)
        label = other.mask.reshape(-1)[there]
        new = labels[here] == IGNORE_ID
        labels[here[new]] = label[new]
    return labels.reshape(view.mask.shape)


@dataclass(frozen=True)
class _Reading:
    """Another reading of a mask that fits better: mirrored, or moved by (dx, dy) pixels of the judged size to lie right.

    Attributes:
        before, after, gain: share of the painted pixels that lie right as it is, read otherwise, and the difference.
    """

    mirrored: bool
    dx: int
    dy: int
    before: float
    after: float

    @property
    def gain(self) -> float:
        return self.after - self.before


def _misread(painted: NDArray[np.bool_], expected: NDArray[np.bool_], area: int, least_gain: float) -> _Reading | None:
    """How a mask must be read to fit what is expected clearly better than as it is; None: it is best as it is.

    Args:
        painted, expected: [C, S, S], a layer a class.
        area: painted pixels that could lie right.
    """
    before = float((painted & expected).sum()) / area
    side = painted.shape[-1]
    mirrored = float((painted[..., ::-1] & expected).sum()) / area
    far = max(1, round(_FARTHEST_SHIFT * side))
    overlap = _overlaps(painted, expected, far) / area
    steps = np.arange(-far, far + 1)
    reach = np.hypot(steps[:, None], steps[None, :])
    good = overlap >= overlap.max() - 0.003
    dy, dx = np.unravel_index(int(np.where(good, reach, np.inf).argmin()), overlap.shape)
    moved = _Reading(False, int(steps[dx]), int(steps[dy]), before, min(1.0, float(overlap[dy, dx])))
    turned = _Reading(True, 0, 0, before, mirrored)
    near = np.hypot(moved.dx, moved.dy) < LEAST_SHIFT * side
    if turned.gain >= least_gain and (near or turned.after >= moved.after - 0.02):
        return turned
    return moved if moved.gain >= least_gain and not near else None


def _overlaps(painted: NDArray[np.bool_], expected: NDArray[np.bool_], far: int) -> NDArray[np.float64]:
    """Pixels that lie right when the mask is moved by (dy, dx), each from -far to far: [2 far + 1, 2 far + 1]."""
    side = painted.shape[-1]
    size = (side + far, side + far)  # room, so that nothing comes in again at the other edge
    product = np.conj(np.fft.rfft2(painted, size)) * np.fft.rfft2(expected, size)
    overlap = np.rint(np.fft.irfft2(product.sum(axis=0), size))
    around = np.arange(-far, far + 1)
    return np.asarray(overlap[np.ix_(around, around)])


def _misread_suspicion(view: MaskedView, reading: _Reading, shown_px: int, what: str) -> Suspicion:
    shares = f"{_percent(reading.before)} of what is painted fits {what}"
    if reading.mirrored:
        return _suspicion(
            view,
            "mirrored",
            f"found one that seems mirrored: {shares}, and {_percent(reading.after)} when flipped; flip it left to right",
        )
    scale = shown_px / view.mask.shape[0]
    dx, dy = -round(reading.dx * scale), -round(reading.dy * scale)
    return _suspicion(
        view,
        "shifted",
        f"found one that seems shifted by about {dx:+d}, {dy:+d} px (right, down): {shares}, and {_percent(reading.after)} "
        "when moved back; move it back",
    )


def _swapped(view: MaskedView, other: str, here: float, there: float) -> Suspicion:
    return _suspicion(
        view,
        "swapped",
        f"found one that fits the silhouette of {other} ({_percent(there)}) better than its own ({_percent(here)}); is it that view's? "
        "Put each mask under its own view's name",
    )


def _suspicion(view: MaskedView, kind: Kind, found: str) -> Suspicion:
    return Suspicion(view.name, view.path, kind, f"{view.path}: expected the mask of view {view.name}, {found}")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
