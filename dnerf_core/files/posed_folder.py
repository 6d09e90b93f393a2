"""A folder of posed views with depth, written by this program or by another one, read view by view."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.files.masks import read_mask
from dnerf_core.files.names import CAMERAS_NAME, LABELS_NAME
from dnerf_core.files.pictures import read_depth, read_image
from dnerf_core.files.text import read_user_text
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.labeled_view import LabeledView, check_depth

OBJECT_NAME = "object"
"""What the object of a folder is called whose cameras do not say which subject they show."""


@dataclass(frozen=True)
class PosedView:
    """A view of a `cameras.json`; its files are NAME.png and so on."""

    name: str
    camera: Camera


@dataclass(frozen=True)
class PosedFolder:
    """A folder with `cameras.json`, `depth/NAME.exr` or `.npy`, perhaps `images/NAME.png`, and, where there is a `labels.json`,
    `masks/NAME.png`.

    Attributes:
        sha256: of cameras.json, hexadecimal.
        labels: what the masks' ids mean; None: no labels.json, and no masks are read.
        objects: views of each object by its name. Views with a "seed" in cameras.json are of that subject; views without one are all
            of one object.
    """

    path: Path
    sha256: str
    labels: LabelSet | None
    objects: dict[str, list[PosedView]]

    @classmethod
    def open(cls, path: Path) -> PosedFolder:
        """Read the folder's cameras and labels.

        Raises:
            UsageError: no cameras.json, or it cannot be used.
            AnnotationError: labels.json cannot be used.
        """
        text = _read_text(path / CAMERAS_NAME)
        cameras = cameras_from_json(text, str(path / CAMERAS_NAME))
        seeds = {view["name"]: view.get("seed") for view in json.loads(text)["views"]}
        objects: dict[str, list[PosedView]] = {}
        for name, camera in cameras.items():
            seed = seeds[name]
            stem = subject_name(seed) if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 else OBJECT_NAME
            if re.fullmatch(r"[^/\\\0]+", name) is None or name.startswith("."):
                raise UsageError(f"{path / CAMERAS_NAME}: expected view names that are file names, found {name!r}; rename it")
            objects.setdefault(stem, []).append(PosedView(name, camera))
        labels_path = path / LABELS_NAME
        labels = LabelSet.from_json(_read_text(labels_path), str(labels_path)) if labels_path.exists() else None
        return cls(path, hashlib.sha256(text.encode()).hexdigest(), labels, objects)

    def image_path(self, view: PosedView) -> Path:
        """Where the image of a view belongs."""
        return self.path / "images" / f"{view.name}.png"

    def mask_path(self, view: PosedView) -> Path:
        """Where the mask of a view belongs."""
        return self.path / "masks" / f"{view.name}.png"

    def depth_path(self, view: PosedView) -> Path:
        """Where the depth of a view is.

        Raises:
            AnnotationError: it is not there.
        """
        return _first_there([self.path / "depth" / f"{view.name}{suffix}" for suffix in (".exr", ".npy")], view)

    def image(self, view: PosedView) -> NDArray[np.uint8]:
        """The image uint8 [H, W, ...] of a view.

        Raises:
            AnnotationError: it is not there.
            OutputError: it cannot be read.
        """
        return read_image(_first_there([self.image_path(view)], view))

    def colored(self, view: PosedView) -> LabeledView:
        """A view with its image, and with its mask where the folder has labels.

        Raises:
            AnnotationError: a file is not there or cannot be used, or they are of different sizes.
            OutputError: a file cannot be read.
        """
        depth_path = self.depth_path(view)
        rgb = self.image(view)
        size_px = rgb.shape[1], rgb.shape[0]
        mask = None if self.labels is None else read_mask(self.mask_path(view), self.labels, size_px)
        try:
            return LabeledView(view.camera, rgb, mask, read_depth(depth_path))
        except UsageError as error:
            raise AnnotationError(f"{depth_path}: {error}") from None

    def labelled(self, view: PosedView) -> LabeledView:
        """A view's depth and mask; no image is looked for, and the picture is black.

        Raises:
            AnnotationError: a file is not there or cannot be used, or they are of different sizes.
            OutputError: the depth cannot be read.
        """
        if self.labels is None:
            raise AnnotationError(f"{self.path / LABELS_NAME}: expected the labels of the folder's masks, found no file; add it")
        depth_path = self.depth_path(view)
        depth = read_depth(depth_path)
        try:
            check_depth(depth)
        except UsageError as error:
            raise AnnotationError(f"{depth_path}: {error}") from None
        mask = read_mask(self.mask_path(view), self.labels, (depth.shape[1], depth.shape[0]), like="depth")
        return LabeledView.without_picture(view.camera, mask, depth)


def subject_name(seed: int) -> str:
    """The stem of a subject's files: `s0003`."""
    return f"s{seed:04d}"


def _first_there(paths: Sequence[Path], view: PosedView) -> Path:
    for path in paths:
        if path.exists():
            return path
    raise AnnotationError(f"{paths[0]}: expected a file of the view {view.name!r}, found none; render the views with depth")


def _read_text(path: Path) -> str:
    return read_user_text(path, "a file of posed views", "give a folder of views")
