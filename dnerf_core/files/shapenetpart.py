"""Clouds as PointNet code reads them: text lines in the layout of the ShapeNetPart benchmark, and the lists that it looks them up in.

    02958343/s0003.txt   synsetoffset2category.txt   train_test_split/shuffled_train_file_list.json, .._val_.., .._test_..

Convention: a line is `x y z nx ny nz part`. Parts of the benchmark's Car are 8 roof, 9 hood, 10 wheel, 11 body, by name; those of another
category are numbered from 0 in the order of the label set. Loaders of the benchmark expect the folders of all its categories.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import UsageError
from dnerf_core.files.clouds import CAR, Category, CloudArrays, CloudStyle
from dnerf_core.labels import LabelSet

BENCHMARK = {
    "Airplane": "02691156",
    "Bag": "02773838",
    "Cap": "02954340",
    "Car": "02958343",
    "Chair": "03001627",
    "Earphone": "03261776",
    "Guitar": "03467517",
    "Knife": "03624134",
    "Lamp": "03636649",
    "Laptop": "03642806",
    "Motorbike": "03790512",
    "Mug": "03797390",
    "Pistol": "03948459",
    "Rocket": "04099429",
    "Skateboard": "04225987",
    "Table": "04379243",
}
"""The benchmark's categories in its order, with their synsets."""

_CAR_PARTS = {"roof": 8, "hood": 9, "wheel": 10, "wheels": 10, "body": 11, "other": 11}
"""What a car's labels may be called, and the benchmark's numbers of these parts; the demo's `other` is all that the three are not."""


def check_parts(labels: LabelSet, category: Category) -> None:
    """Refuse labels that are none of the benchmark's parts.

    Raises:
        UsageError: one is not.
    """
    strange = [label.name for label in labels.labels if label.id and _number(label.name) is None] if category == CAR else []
    if strange:
        raise UsageError(
            f"--category Car: expected labels among {', '.join(_CAR_PARTS)}, the benchmark's parts of a car, found {strange[0]}; give "
            "--category another name, whose parts are numbered from 0"
        )


def part_numbers(labels: LabelSet | None, category: Category) -> NDArray[np.int64]:
    """int64 [256], the number of a part by its label id; of a category of one's own, or of unknown labels, in the order of ids.

    Raises:
        UsageError: see `check_parts`.
    """
    numbers = np.arange(256) - 1 + category.first_part
    if category == CAR and labels is not None:
        check_parts(labels, category)
        for label in labels.labels[1:]:
            numbers[label.id] = _number(label.name)
    return numbers


def _number(name: str) -> int | None:
    return _CAR_PARTS.get(name.strip().lower())


def shapenetpart_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """The lines of a cloud, see the module. Points without a part are left out.

    Raises:
        UsageError: see `check_parts`.
    """
    assert cloud.labels is not None
    parts = cloud.labels > 0
    rows = np.concatenate([cloud.points[parts], cloud.normals[parts]], axis=1)
    numbers = part_numbers(style.labels, style.category)[cloud.labels[parts]]
    lines = [f"{' '.join(f'{value:.6f}' for value in row)} {label}.000000\n" for row, label in zip(rows, numbers, strict=True)]
    return "".join(lines).encode()


def category_folders(category: Category) -> tuple[str, ...]:
    """The folders that the layout has: the category's, and of the benchmark's Car those of all categories, empty ones too."""
    return tuple(BENCHMARK.values()) if category == CAR else (category.synset,)


def shapenetpart_lists(names: Sequence[str], category: Category, splits: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """The files that PointNet code looks its clouds up in, by their names in the layout's folder.

    Args:
        names: the clouds, in order.
        splits: which split each is in; None: of every ten in order seven are for training, the eighth for validation, the last two for
            testing: the benchmark's own shares, and a cloud's does not depend on how many follow.
    """
    chosen: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for index, name in enumerate(names):
        of_ten = "train" if index % 10 < 7 else "val" if index % 10 == 7 else "test"
        split = of_ten if splits is None else splits[name]
        chosen.setdefault(split, []).append(f"shape_data/{category.synset}/{name}")
    listed = BENCHMARK if category == CAR else {category.name: category.synset}
    lists = {"synsetoffset2category.txt": "".join(f"{name}\t{synset}\n" for name, synset in listed.items()).encode()}
    for split, entries in chosen.items():
        lists[f"train_test_split/shuffled_{split}_file_list.json"] = (json.dumps(entries) + "\n").encode()
    return lists
