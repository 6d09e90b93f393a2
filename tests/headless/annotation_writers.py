"""Masks as annotation tools write them, for tests of their readers."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Masks = Mapping[str, np.ndarray]
"""uint8 [S, S] label ids by view."""


def labelme_file(name: str, size_px: int, shapes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What labelme 5 writes of a picture."""
    usual = {"group_id": None, "description": "", "flags": {}, "mask": None, "shape_type": "polygon"}
    head = {"version": "5.5.0", "flags": {}, "imagePath": f"{name}.png", "imageData": None}
    return {**head, "imageHeight": size_px, "imageWidth": size_px, "shapes": [usual | shape for shape in shapes], **more}


def labelme_mask(label: str, inside: np.ndarray) -> dict[str, Any]:
    """A shape of type mask: a PNG of zeros and ones in the smallest box."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = (rows[0], rows[-1]), (columns[0], columns[-1])
    buffer = io.BytesIO()
    Image.fromarray(inside[top : bottom + 1, left : right + 1].astype(np.uint8)).save(buffer, format="PNG")
    corners = [[float(left), float(top)], [float(right), float(bottom)]]
    return {"label": label, "shape_type": "mask", "points": corners, "mask": base64.b64encode(buffer.getvalue()).decode()}


def write_labelme(folder: Path, masks: Masks, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for view, mask in masks.items():
        shapes = [labelme_mask(names[value], mask == value) for value in np.unique(mask).tolist() if value]
        (folder / f"{view}.json").write_text(json.dumps(labelme_file(view, len(mask), shapes)))
    return folder


def run_lengths(inside: np.ndarray) -> list[int]:
    """Runs outside and inside by turns, the first outside, of pixels in this order."""
    flat = np.concatenate([[False], inside.ravel()])
    edges = [0, *(np.flatnonzero(flat[1:] != flat[:-1])).tolist(), inside.size]
    return np.diff(edges).tolist()


def coco_file(masks: Masks, names: list[str], *, packed: bool, first_id: int = 7) -> dict[str, Any]:
    """Run lengths of every part, as lists or as pycocotools packs them; ids of categories that are not 1..N."""
    from pycocotools import mask as coco_mask

    categories = {value: 10 * value + first_id for value in range(len(names))}
    images, annotations = [], []
    for number, (view, mask) in enumerate(masks.items()):
        size = len(mask)
        images.append({"id": f"i{number}", "file_name": f"set\\{view}.jpg", "width": size, "height": size})
        for value in np.unique(mask).tolist():
            if value:
                counts: Any = run_lengths((mask == value).T)
                if packed:
                    counts = coco_mask.encode(np.asfortranarray(mask == value, np.uint8))["counts"].decode()
                rle = {"size": [size, size], "counts": counts}
                entry = {"id": len(annotations), "image_id": f"i{number}", "category_id": categories[value], "iscrowd": 1}
                annotations.append(entry | {"segmentation": rle})
    listed = [{"id": key, "name": names[value]} for value, key in categories.items()]
    return {"images": images, "annotations": annotations, "categories": listed}


def cvat_file(size_px: int, pictures: Mapping[str, str]) -> str:
    """CVAT for images 1.1: pictures' names and the elements of each."""
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>\n<meta><task/></meta>\n'
    images = [
        f'<image id="{number}" name="{name}" width="{size_px}" height="{size_px}">{shapes}</image>\n'
        for number, (name, shapes) in enumerate(pictures.items())
    ]
    return head + "".join(images) + "</annotations>\n"


def cvat_masks(mask: np.ndarray, names: list[str]) -> str:
    """The elements of a mask's parts, each in its box."""
    found = []
    for value in np.unique(mask).tolist():
        if value:
            rows, columns = (np.flatnonzero((mask == value).any(axis=axis)) for axis in (1, 0))
            box = (mask == value)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            runs = ", ".join(map(str, run_lengths(box)))
            place = f'left="{columns[0]}" top="{rows[0]}" width="{box.shape[1]}" height="{box.shape[0]}"'
            found.append(f'<mask label="{names[value]}" rle="{runs}" {place} z_order="0"></mask>')
    return "".join(found)


def write_voc(folder: Path, masks: Masks, classes: Mapping[str, tuple[int, int, int]], names: list[str]) -> Path:
    """CVAT's segmentation mask 1.1: pictures in the classes' colours."""
    inside = folder / "SegmentationClass"
    inside.mkdir(parents=True)
    lines = ["# label:color_rgb:parts:actions", *(f"{name}:{r},{g},{b}::" for name, (r, g, b) in classes.items())]
    (folder / "labelmap.txt").write_text("\n".join(lines) + "\n")
    for view, mask in masks.items():
        table = np.array([classes[name] for name in names], np.uint8)
        Image.fromarray(table[mask]).save(inside / f"{view}.png")
    return folder
