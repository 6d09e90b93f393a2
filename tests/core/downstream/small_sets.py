"""Data sets of small pictures whose labels are told by their colours, written without a model, in the forms that `render` writes."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.labels import LabelSet

SIDE_PX = 32
LABELS = LabelSet.from_names(["red", "blue"])
_COLORS = np.array([(120, 120, 120), (200, 40, 40), (40, 60, 210)])
_CAMERA = {
    "cam2world": [[1.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, -1.0, 2.7], [0, 0, 0, 1.0]],
    "intrinsics": [[1.7, 0, 0.5], [0, 1.7, 0.5], [0, 0, 1.0]],
}


def small_view(number: int, side_px: int = SIDE_PX, width_px: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image uint8 [H, W, 3] and its mask: a red and a blue rectangle on noisy gray."""
    rng = np.random.default_rng(number)
    mask = np.zeros((side_px, width_px or side_px), np.uint8)
    for label in (1, 2):
        top, left = (int(rng.integers(0, side // 2)) for side in mask.shape)
        mask[top : top + side_px // 3, left : left + side_px // 2] = label
    image = _COLORS[mask] + rng.normal(0, 12, (*mask.shape, 3))
    return image.clip(0, 255).astype(np.uint8), mask


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write_folder(
    folder: Path,
    subjects: int = 6,
    views: int = 2,
    labels: LabelSet = LABELS,
    splits: dict[str, range] | None = None,
    first_seed: int = 0,
    side_px: int = SIDE_PX,
) -> Path:
    """As `render` writes it; `splits` gives the seeds of each."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {"red": 1, "blue": 2}
    cameras, rows = [], {}
    for seed in range(first_seed, first_seed + subjects):
        split = next((name for name, seeds in (splits or {}).items() if seed in seeds), "")
        place = folder / split
        for view in range(views):
            name = f"s{seed:04d}_v{view:02d}"
            image, mask = small_view(100 * seed + view, side_px)
            table = np.array(
                [0, *(labels.names.index(one) if one in labels.names else label for one, label in ids.items())], np.uint8
            )
            for kind, pixels in (("images", image), ("masks", table[mask])):
                (place / kind).mkdir(parents=True, exist_ok=True)
                (place / kind / f"{name}.png").write_bytes(png(pixels))
            row = {"image_file_name": f"images/{name}.png", "mask_file_name": f"masks/{name}.png", "seed": seed, "view": view}
            rows.setdefault(split, []).append(row)
            cameras.append({"name": name, "seed": seed, "view": view, **_CAMERA})
    for split, lines in rows.items():
        (folder / split / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "cameras.json").write_text(json.dumps({"version": 1, "image_size_px": [side_px] * 2, "views": cameras}))
    (folder / "labels.json").write_text(json.dumps(labels.to_json()))
    record = {"format": "datasetnerf-views", "format_version": 1, "command": "render", "plan": {"model_sha256": "0" * 64}}
    (folder / "dataset.json").write_text(json.dumps(record))
    return folder


def write_shards(folder: Path, subjects: int = 3, views: int = 2, labels: LabelSet = LABELS, first_seed: int = 0) -> Path:
    """As `render --format webdataset` writes them, a shard a subject."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for number, seed in enumerate(range(first_seed, first_seed + subjects)):
        path = folder / f"views-{number:06d}.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for view in range(views):
                image, mask = small_view(100 * seed + view)
                row = json.dumps({"seed": seed, "view": view}).encode()
                for suffix, data in (("image.png", png(image)), ("mask.png", png(mask)), ("json", row)):
                    member = tarfile.TarInfo(f"s{seed:04d}_v{view:02d}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        shards.append({"file": path.name, "samples": views, "bytes": path.stat().st_size})
    index = {"shards": shards, "samples": subjects * views, "labels": labels.to_json()}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def write_painted(folder: Path, subjects: int = 6, views: int = 2) -> Path:
    """As `sample` writes it, painted."""
    write_folder(folder, subjects, views)
    plan = {
        "model": "demo-cars",
        "generator_sha256": "0" * 64,
        "seeds": f"0-{subjects - 1}" if subjects > 1 else "0",
        "views": views,
        "truncation": 1.0,
        "resolution_px": SIDE_PX,
        "yaw_deg": [-30.0, 30.0],
        "pitch_deg": [0.0, 0.0],
    }
    record = {"format": "datasetnerf-views", "format_version": 1, "command": "sample", "plan": plan}
    (folder / "dataset.json").write_text(json.dumps(record))
    return folder
