"""ShapeNetPart's layout read back, ours or the benchmark's own; see `shapenetpart` (numpy only)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import AnnotationError, UsageError, brief, counted, did_you_mean, json_fault, listed
from dnerf_core.files.clouds import CAR, Category
from dnerf_core.files.shapenetpart import BENCHMARK, check_parts, part_numbers
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet

PART_COUNTS = (4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3)
"""Parts of each of the benchmark's categories in its order, which are numbered one after the other."""

LIST_SPLITS = ("train", "val", "test")
_CAR_NAMES = {8: "roof", 9: "hood", 10: "wheel", 11: "body"}
_COLUMNS = (4, 7)
"""Of a line: `x y z part`, or with a normal between them."""


@dataclass(frozen=True)
class PartFolder:
    """Where the clouds of a category lie.

    Attributes:
        files: path and list ("train", "val" or "test") of each; None: there are no lists.
    """

    path: Path
    category: Category
    files: tuple[tuple[Path, str | None], ...]
    remarks: tuple[str, ...] = ()

    def own_labels(self) -> LabelSet:
        """A label set for a folder that names none: a car's parts by name, others by the benchmark's numbers.

        Raises:
            AnnotationError: a category that is not the benchmark's.
        """
        if self.category.name not in BENCHMARK:
            raise AnnotationError(
                f"{self.path}: expected a labels.json there, which names the parts of {self.category.name}, found none; put one there"
            )
        return LabelSet.from_names([_CAR_NAMES.get(number, f"part {number}") for number in self._benchmark_numbers()])

    def ids_by_number(self, labels: LabelSet, names: Mapping[int, str] | None = None) -> dict[int, int]:
        """Ids of a label set by numbers of parts.

        Args:
            names: labels by numbers; None: by what the benchmark calls its parts.

        Raises:
            UsageError: labels that are none of the category's parts, or names that are no labels.
        """
        if names is not None:
            strange = [name for name in names.values() if name not in labels.names[1:]]
            if strange:
                near = did_you_mean(strange[0], labels.names)
                raise UsageError(
                    f"--parts: expected labels among {', '.join(labels.names[1:])}, found {strange[0]}{near}; name one of them"
                )
            return {number: labels.names.index(name) for number, name in names.items()}
        own = self.own_labels() if self.category.name in BENCHMARK else None
        if own is not None and labels.names == own.names:
            return {number: index + 1 for index, number in enumerate(self._benchmark_numbers())}
        check_parts(labels, self.category)
        numbers = part_numbers(labels, self.category)
        return {int(numbers[label.id]): label.id for label in labels.labels[1:]}

    def _benchmark_numbers(self) -> range:
        place = list(BENCHMARK).index(self.category.name)
        first = sum(PART_COUNTS[:place])
        return range(first, first + PART_COUNTS[place])


def find_part_folder(path: Path, category: str | None) -> PartFolder | None:
    """The layout in a folder, or in its folder `shapenetpart`; None: there is none.

    Args:
        category: name or synset of the one that is read; None: the only one that has clouds.

    Raises:
        UsageError: several categories, or none of that name, or lists that do not fit.
    """
    for top in (path / "shapenetpart", path):
        held = [folder for folder in sorted(top.glob("*")) if folder.is_dir() and any(folder.glob("*.txt"))]
        if not held:
            continue
        names = _categories(top)
        if category is not None:
            synset = names.get(category, category)
            held = [folder for folder in held if folder.name == synset]
        by_synset = {synset: name for name, synset in names.items()}
        if len(held) != 1:
            shown = listed([by_synset.get(folder.name, folder.name) for folder in held], 6) or f"none of {category}"
            raise UsageError(f"{top}: expected clouds of one category, found {shown}; choose one with --category")
        name = by_synset.get(held[0].name, held[0].name)
        files, remarks = _listed_files(top, held[0])
        return PartFolder(top, CAR if held[0].name == CAR.synset else Category.named(name), files, remarks)
    return None


def read_part_file(path: Path, ids: Mapping[int, int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Points float32 [N, 3] and label ids uint8 [N] of a text file.

    Args:
        ids: label ids by numbers of parts.

    Raises:
        UsageError: no such text.
        AnnotationError: a number that is no part's.
    """
    text = read_user_text(path, "a text file of ShapeNetPart")
    columns = len(text.partition("\n")[0].split())
    try:
        values = np.array(text.split(), np.float64)
    except ValueError as error:
        raise UsageError(f"{path}: expected lines of numbers, x y z nx ny nz part, found others ({error}); correct it") from None
    if columns not in _COLUMNS or values.size % columns:
        raise UsageError(f"{path}: expected lines of 7 numbers, x y z nx ny nz part, or 4, found {columns}; correct it")
    rows = values.reshape(-1, columns)
    labels = np.zeros(len(rows), np.uint8)
    known = np.zeros(len(rows), bool)
    for number, label in ids.items():
        chosen = rows[:, -1] == number
        labels[chosen], known = label, known | chosen
    if not known.all():
        raise AnnotationError(
            f"{path}: expected parts among {', '.join(map(str, sorted(ids)))}, found {rows[~known][0, -1]:g}; "
            "is it of another category?"
        )
    return rows[:, :3].astype(np.float32), labels


def _categories(top: Path) -> dict[str, str]:
    """Synsets by names: the benchmark's, and those that the layout's own list tells."""
    names = dict(BENCHMARK)
    path = top / "synsetoffset2category.txt"
    if path.is_file():
        for line in read_user_text(path, "a list of categories").splitlines():
            words = line.split()
            if len(words) == 2:
                names[words[0]] = words[1]
    return names


def _listed_files(top: Path, folder: Path) -> tuple[tuple[tuple[Path, str | None], ...], tuple[str, ...]]:
    """A category's files, each with the list that it is in."""
    files = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    lists = {split: top / "train_test_split" / f"shuffled_{split}_file_list.json" for split in LIST_SPLITS}
    if not lists["train"].is_file():
        return tuple((path, None) for path in files.values()), ()
    splits: dict[str, str] = {}
    for split, path in lists.items():
        for name in _entries(path, folder.name) if path.is_file() else ():
            if name not in files:
                raise UsageError(f"{path}: expected the clouds of its list, found no {folder / name}.txt; correct the list")
            splits[name] = split
    if not splits:
        raise UsageError(f"{lists['train'].parent}: expected lists that name clouds of {folder.name}, found none; correct them")
    missing = len(files) - len(splits)
    remarks = (f"{folder}: {counted(missing, 'cloud')} in none of the lists left out",) if missing else ()
    return tuple((files[name], splits[name]) for name in files if name in splits), remarks


def _entries(path: Path, synset: str) -> list[str]:
    """Names of a synset's clouds in a list, whose entries are `shape_data/SYNSET/NAME`."""
    try:
        entries = json.loads(read_user_text(path, "a list of clouds"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected a JSON list of clouds, found {json_fault(error)}; correct it") from None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise UsageError(f"{path}: expected a JSON list of texts, found {brief(entries)}; correct it")
    words = [entry.split("/") for entry in entries]
    return [parts[-1].removesuffix(".txt") for parts in words if len(parts) >= 2 and parts[-2] == synset]
