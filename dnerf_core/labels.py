"""Label sets: which part a mask's id means, its name and its colour (numpy only, no torch).

Convention: a mask is uint8 [H, W]; id 0 is background, ids 1..254 are parts, 255 (`IGNORE_ID`) is ignored in training and
scoring. Ids run from 0 without gaps, so a class score's index is its id.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Relative, because the extension carries this module under a package name of Blender's choosing.
from .errors import AnnotationError, DNeRFError, brief, json_fault
from .shapes import check_shapes

__all__ = [
    "BACKGROUND_COLOR",
    "IGNORE_COLOR",
    "IGNORE_ID",
    "LABELS_FORMAT_VERSION",
    "MAX_PART_ID",
    "SHAPENET_CAR_LABELS",
    "UNUSED_COLOR",
    "Label",
    "LabelSet",
    "check_ids",
    "default_colors",
]

Color = tuple[int, int, int]
"""Red, green, blue, 0..255 each, sRGB."""

LABELS_FORMAT_VERSION = 1
IGNORE_ID = 255
MAX_PART_ID = 254
BACKGROUND_COLOR: Color = (0, 0, 0)
IGNORE_COLOR: Color = (255, 255, 255)
"""Palette colour of `IGNORE_ID`; no label may have it, so that a coloured mask reads back."""
UNUSED_COLOR: Color = (64, 64, 64)
"""Palette colour of ids without a label."""
_NAMES_SHOWN = 8
OVERLAY_SHARE = 0.6
"""How much of an overlay is the label's colour."""


def check_ids(
    ids: NDArray[np.integer],
    num_classes: int,
    where: str = "mask",
    remedy: str = "use the label set the mask was painted with",
    *,
    ignored: bool = True,
    error: type[DNeRFError] = AnnotationError,
) -> None:
    """Refuse label ids that are neither a class nor, where pixels may be ignored, 255.

    Args:
        ids: [H, W], or [N] of pixels whose places are not told.
        num_classes: with background.
        where, remedy: the message's first and last words.
        ignored: whether 255 is let pass.
        error: another class where a caller's own argument is wrong.

    Raises:
        AnnotationError: one that is not; the message names the first, with its column and row.
    """
    strange = (ids < 0) | (ids >= num_classes)
    if ignored:
        strange &= ids != IGNORE_ID
    if not strange.any():
        return
    place = np.argwhere(strange)[0]
    at = f" at column {place[1]}, row {place[0]}" if len(place) == 2 else ""
    expected = f"ids 0 to {num_classes - 1}{f' or {IGNORE_ID}' if ignored else ''}"
    raise error(f"{where}: expected {expected}, found {ids[tuple(place)]}{at}; {remedy}")


@dataclass(frozen=True)
class Label:
    """One class: `id` in a mask, `name` for people and file names, `color` (red, green, blue), 0..255 each.

    Raises:
        AnnotationError: an id outside 0..254, a name that is empty, unprintable, padded or with a path separator, or no colour.
    """

    id: int
    name: str
    color: Color

    def __post_init__(self) -> None:
        if not _whole(self.id, MAX_PART_ID):
            raise AnnotationError(
                f"label {brief(self.name)}: id: expected 0 to {MAX_PART_ID}, found {brief(self.id)}; 255 means ignore"
            )
        name = self.name
        if not isinstance(name, str) or not name or not name.isprintable() or name != name.strip() or set(name) & set("/\\"):
            raise AnnotationError(
                f"label {self.id}: name: expected printable text without / or \\ or spaces around it, found {brief(name)}; rename it"
            )
        color = self.color
        if not isinstance(color, tuple | list) or len(color) != 3 or not all(_whole(channel, 255) for channel in color):
            raise AnnotationError(
                f"label {brief(name)}: color: expected three whole numbers from 0 to 255, found {brief(color)}; correct it"
            )
        object.__setattr__(self, "color", tuple(color))


def _whole(value: Any, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest


@dataclass(frozen=True, repr=False)
class LabelSet:
    """The classes of a model or data set, ordered by id. Immutable and comparable; any order is taken and sorted.

    Raises:
        AnnotationError: no background (id 0), an id missing or twice, a name or a colour twice, or a label in the ignore colour.
    """

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        labels = tuple(sorted(self.labels, key=lambda label: label.id))
        _refuse_repeats("id", [label.id for label in labels], "give every label its own id")
        ids = [label.id for label in labels]
        if not ids or ids[0] != 0:
            raise AnnotationError("label set: expected the background as id 0, found none; add a label with id 0")
        gaps = sorted(set(range(ids[-1])) - set(ids))
        if gaps:
            raise AnnotationError(
                f"label set: expected ids 0 to {ids[-1]} without gaps, found no id {gaps[0]}; add a label for it"
            )
        _refuse_repeats("name", [label.name for label in labels], "rename one of them (the background counts)")
        _refuse_repeats("color", [label.color for label in labels], "give every label its own colour")
        for label in labels:
            if label.color == IGNORE_COLOR:
                raise AnnotationError(
                    f"label {label.name!r}: color: expected any but {IGNORE_COLOR}, which means ignore; change it"
                )
        object.__setattr__(self, "labels", labels)

    def __repr__(self) -> str:
        return f"LabelSet({self.names_text()})"

    def names_text(self) -> str:
        """The names as one line tells them: the first eight, and how many more there are."""
        more = self.num_classes - _NAMES_SHOWN
        return ", ".join(self.names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")

    @classmethod
    def from_names(cls, part_names: Sequence[str]) -> LabelSet:
        """Parts 1, 2, .. by name after a black background, in `default_colors`.

        Raises:
            AnnotationError: as `Label` and `LabelSet`, or more than 254 names.
        """
        if isinstance(part_names, str):
            raise AnnotationError(f"part names: expected a list of names, found the text {part_names!r}; split it first")
        if len(part_names) > MAX_PART_ID:
            raise AnnotationError(f"part names: expected at most {MAX_PART_ID}, found {len(part_names)}; merge some parts")
        colors = default_colors(len(part_names))
        parts = [Label(k, name, color) for k, (name, color) in enumerate(zip(part_names, colors, strict=True), start=1)]
        return cls((Label(0, "background", BACKGROUND_COLOR), *parts))

    @property
    def names(self) -> tuple[str, ...]:
        """Names by id, the background's first."""
        return tuple(label.name for label in self.labels)

    @property
    def num_classes(self) -> int:
        """Number of classes with the background: ids are 0 .. num_classes - 1."""
        return len(self.labels)

    def palette(self) -> NDArray[np.uint8]:
        """Colours by id, uint8 [256, 3]: labels, `UNUSED_COLOR` for ids without one, `IGNORE_COLOR` at 255."""
        palette = np.empty((256, 3), dtype=np.uint8)
        palette[:] = UNUSED_COLOR
        palette[: self.num_classes] = [label.color for label in self.labels]
        palette[IGNORE_ID] = IGNORE_COLOR
        return palette

    def colorize(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture uint8 [H, W, 3] of a mask uint8 [H, W].

        Raises:
            AnnotationError: no such array, or an id that is neither a label nor 255.
        """
        check_shapes(AnnotationError, mask=(mask, "uint8 H W", "pass label ids"))
        check_ids(mask, self.num_classes)
        return self.palette()[mask]

    def overlay(self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The mask's colours laid over the image, uint8 [H, W, 3]; background stays as it is.

        Raises:
            AnnotationError: as `colorize`, or an image and a mask of different sizes.
        """
        check_shapes(AnnotationError, rgb=(rgb, "uint8 H W 3"), mask=(mask, "uint8 H W"))
        mixed = (1 - OVERLAY_SHARE) * rgb.astype(np.float64) + OVERLAY_SHARE * self.colorize(mask)
        return np.where((mask == 0)[..., None], rgb, np.rint(mixed)).astype(np.uint8)

    def ids_from_colors(
        self,
        rgb: NDArray[np.uint8],
        where: str = "mask",
        remedy: str = "paint without antialiasing and save as PNG, or add the colour",
    ) -> NDArray[np.uint8]:
        """The mask uint8 [H, W] of a picture uint8 [H, W, 3] painted in exactly the palette's colours; the inverse of `colorize`.

        Raises:
            AnnotationError: no such array, or a colour that is no label's (the first is named); the message starts with `where`
                and ends with `remedy`.
        """
        check_shapes(AnnotationError, **{where: (rgb, "uint8 H W 3", "convert it to RGB")})
        ids = np.array([*range(self.num_classes), IGNORE_ID], dtype=np.uint8)
        codes = _color_codes(self.palette()[ids])
        order = np.argsort(codes)
        pixels = _color_codes(rgb)
        nearest = order[np.minimum(np.searchsorted(codes, pixels, sorter=order), len(codes) - 1)]
        strange = codes[nearest] != pixels
        if strange.any():
            row, column = (int(i) for i in np.argwhere(strange)[0])
            raise AnnotationError(
                f"{where}: expected only the label set's colours, found {tuple(rgb[row, column].tolist())} at column {column}, "
                f"row {row} ({int(strange.sum())} such pixels); {remedy}"
            )
        return ids[nearest]

    def to_json(self) -> dict[str, Any]:
        """The content of a labels.json: {"version": 1, "labels": [{"id", "name", "color": [r, g, b]}, ..], "ignore": 255}."""
        labels = [{"id": label.id, "name": label.name, "color": list(label.color)} for label in self.labels]
        return {"version": LABELS_FORMAT_VERSION, "labels": labels, "ignore": IGNORE_ID}

    @classmethod
    def from_json(cls, source: str | Mapping[str, Any], where: str = "labels.json") -> LabelSet:
        """A label set from a labels.json's text, or from what it parses to.

        Args:
            source: the text or the parsed object.
            where: the file's name, for errors.

        Raises:
            AnnotationError: bad JSON, another version or ignore id, keys missing or surplus, or labels that do not make a set.
        """
        data: Any = source
        if isinstance(source, str):
            try:
                data = json.loads(source.removeprefix("\ufeff"))  # a byte order mark that the text's reader left
            except (ValueError, RecursionError) as error:
                raise AnnotationError(f"{where}: expected JSON, found {json_fault(error)}; is it a labels file?") from None
        _expect_keys(data, ("version", "labels", "ignore"), where)
        for key, expected in (("version", LABELS_FORMAT_VERSION), ("ignore", IGNORE_ID)):
            if isinstance(data[key], bool) or data[key] != expected:
                raise AnnotationError(
                    f"{where}: {key}: expected {expected}, found {brief(data[key])}; is it this program's labels file?"
                )
        if not isinstance(data["labels"], list):
            raise AnnotationError(
                f"{where}: labels: expected a list, found {type(data['labels']).__name__}; is it a labels file?"
            )
        if len(data["labels"]) > MAX_PART_ID + 1:
            raise AnnotationError(
                f"{where}: labels: expected at most {MAX_PART_ID + 1}, found {len(data['labels'])}; merge some parts"
            )
        for index, entry in enumerate(data["labels"]):
            _expect_keys(entry, ("id", "name", "color"), f"{where}: labels[{index}]")
        try:
            return cls(tuple(Label(entry["id"], entry["name"], entry["color"]) for entry in data["labels"]))
        except AnnotationError as error:
            raise AnnotationError(f"{where}: {error}") from None


def _refuse_repeats(what: str, values: Sequence[Any], remedy: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise AnnotationError(f"label set: {what}: expected each one once, found {value!r} twice; {remedy}")


def _expect_keys(data: Any, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(data, Mapping) or set(data) != set(keys):
        actual = (
            ", ".join(str(key)[:40] for key in list(data)[:6]) or "none" if isinstance(data, Mapping) else type(data).__name__
        )
        raise AnnotationError(f"{where}: expected an object with the keys {', '.join(keys)}, found {actual}; correct the file")


def _color_codes(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


@functools.cache
def default_colors(count: int, taken: tuple[Color, ...] = ()) -> tuple[Color, ...]:
    """`count` colours for parts (0 to 254), each as far as possible from those before it, from `taken`, from black and from white.

    The first n of a longer palette are the palette of n, so adding a part keeps the others' colours. Distance is a low-cost
    approximation of a perceived one: RGB differences weighted by the mean red.

    Raises:
        AnnotationError: another count.
    """
    if not _whole(count, MAX_PART_ID):
        raise AnnotationError(f"default colours: expected a count from 0 to {MAX_PART_ID}, found {count!r}; merge some parts")
    levels = np.array([0, 36, 73, 109, 146, 182, 219, 255])
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = np.min([_squared_distance(candidates, color) for color in (BACKGROUND_COLOR, IGNORE_COLOR, *taken)], axis=0)
    chosen: list[Color] = []
    for _ in range(count):
        red, green, blue = candidates[int(nearest.argmax())].tolist()
        chosen.append((red, green, blue))
        nearest = np.minimum(nearest, _squared_distance(candidates, chosen[-1]))
    return tuple(chosen)


def _squared_distance(colors: NDArray[np.int_], color: Color) -> NDArray[np.float64]:
    difference = (colors - np.array(color)).astype(np.float64)
    mean_red = (colors[:, 0] + color[0]) / 2.0
    weights = np.stack([2.0 + mean_red / 256.0, np.full_like(mean_red, 4.0), 2.0 + (255.0 - mean_red) / 256.0], axis=1)
    return np.asarray((weights * difference**2).sum(axis=1))


SHAPENET_CAR_LABELS = LabelSet.from_names(["hood", "roof", "wheels", "other"])
"""The paper's ShapeNet-Car parts, in the order of its section 4."""
