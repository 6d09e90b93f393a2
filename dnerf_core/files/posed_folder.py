"""A folder of posed views with depth, written by this program or by another one, read view by view."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera, cameras_from_json
from dnerf_core.errors import AnnotationError, UsageError, brief
from dnerf_core.files.masks import read_mask
from dnerf_core.files.names import CAMERAS_NAME, DEPTH_SCALE_KEY, LABELS_NAME, TEMPLATE_NAME
from dnerf_core.files.opening.json_text import without_surrogates
from dnerf_core.files.pictures import DEPTH_STEPS, DEPTH_SUFFIXES, read_depth, read_image
from dnerf_core.files.split_folders import places_of_views, split_of_path
from dnerf_core.files.text import read_user_text
from dnerf_core.files.view_poses import Pose, poses_of_views
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.labeled_view import LabeledView, check_depth

OBJECT_NAME = "object"
"""What the object of a folder is called whose cameras do not say which subject they show."""


@dataclass(frozen=True)
class PosedView:
    """A view of a `cameras.json`; its files are NAME.png and so on, in folders of `place`; `pose` is its subject's, if one is told."""

    name: str
    camera: Camera
    place: Path
    pose: Pose | None = None
    subject: str = OBJECT_NAME


@dataclass(frozen=True)
class PosedFolder:
    """A folder with `cameras.json`, `depth/NAME.exr`, `.npy` or `.png`, perhaps `images/NAME.png`, and, where there is a `labels.json`,
    `masks/NAME.png`; of a data set with splits, these in a folder of each split.

    Attributes:
        path: the folder that the lists are in.
        sha256: of cameras.json, hexadecimal.
        labels: what the masks' ids mean; None: no labels.json, and no masks are read.
        objects: views of each object by its name. Views with a "seed" in cameras.json are of that subject; views without one are all
            of one object. A subject in several poses is as many objects.
        split: the split whose views alone these are; None: all views.
        depth_scale: world units of a step of depth in 16-bit pictures.
    """

    path: Path
    sha256: str
    labels: LabelSet | None
    objects: dict[str, list[PosedView]]
    split: str | None = None
    depth_scale: float = 1 / DEPTH_STEPS

    @classmethod
    def open(cls, path: Path) -> PosedFolder:
        """Read the folder's cameras and labels.

        Args:
            path: the folder; of a data set with splits all of it, or one split's folder, such as `cars/train`.

        Raises:
            UsageError: no cameras.json, or it cannot be used.
            AnnotationError: labels.json cannot be used.
        """
        path, split = split_of_path(path)
        text = _read_text(path / CAMERAS_NAME)
        cameras = cameras_from_json(text, str(path / CAMERAS_NAME))
        data = without_surrogates(json.loads(text))
        seeds = {view["name"]: view.get("seed") for view in data["views"]}
        places, poses = places_of_views(path, split), poses_of_views(data, str(path / CAMERAS_NAME))
        objects: dict[str, list[PosedView]] = {}
        for name, camera in cameras.items():
            seed = seeds[name]
            stem = subject_name(seed) if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 else OBJECT_NAME
            if re.fullmatch(r"[^/\\\0]+", name) is None or name.startswith("."):
                raise UsageError(f"{path / CAMERAS_NAME}: expected view names that are file names, found {name!r}; rename it")
            if split is None or name in places:
                objects.setdefault(stem, []).append(PosedView(name, camera, places.get(name, path), poses.get(name), stem))
        if not objects:
            raise UsageError(
                f"{path / str(split)}: expected files of views of {path / CAMERAS_NAME}, found none; name another split"
            )
        objects = {name: views for stem, own in objects.items() for name, views in _by_pose(stem, own)}
        labels_path = path / LABELS_NAME
        labels = LabelSet.from_json(_read_text(labels_path), str(labels_path)) if labels_path.exists() else None
        return cls(
            path, hashlib.sha256(text.encode()).hexdigest(), labels, objects, split, _depth_scale(data, path / CAMERAS_NAME)
        )

    def image_path(self, view: PosedView) -> Path:
        """Where the image of a view belongs."""
        return view.place / "images" / f"{view.name}.png"

    def mask_path(self, view: PosedView) -> Path:
        """Where the mask of a view belongs."""
        return view.place / "masks" / f"{view.name}.png"

    def depth_path(self, view: PosedView) -> Path:
        """Where the depth of a view is.

        Raises:
            AnnotationError: it is not there.
        """
        return _first_there([view.place / "depth" / f"{view.name}{suffix}" for suffix in DEPTH_SUFFIXES.values()], view)

    def depth(self, view: PosedView) -> NDArray[np.float32]:
        """The planar depth float32 [H, W] of a view, world units, +inf at background.

        Raises:
            AnnotationError: it is not there.
            OutputError: it cannot be read.
        """
        return read_depth(self.depth_path(view), self.depth_scale)

    @property
    def has_vertices(self) -> bool:
        """Whether the views tell how a mesh lies that moves with their subjects; see `dnerf_core.files.meshes.posed_meshes`."""
        return (self.path / TEMPLATE_NAME).exists() or any(
            (place / "vertices").exists() for place in {view.place for views in self.objects.values() for view in views}
        )

    def vertices_path(self, view: PosedView) -> Path:
        """Where the vertices of a view are.

        Raises:
            AnnotationError: they are not there.
        """
        path = view.place / "vertices" / f"{view.name}.npy"
        if not path.exists():
            raise AnnotationError(
                f"{path}: expected a file of the view {view.name!r}, found none; render the views with vertices"
            )
        return path

    def poses_by_subject(self) -> dict[str, dict[Pose | None, list[PosedView]]]:
        """The views of each subject by the pose that it is in, both in the order of the views."""
        subjects: dict[str, dict[Pose | None, list[PosedView]]] = {}
        for views in self.objects.values():
            for view in views:
                subjects.setdefault(view.subject, {}).setdefault(view.pose, []).append(view)
        return subjects

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
            return LabeledView(view.camera, rgb, mask, self.depth(view))
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
        depth = self.depth(view)
        try:
            check_depth(depth)
        except UsageError as error:
            raise AnnotationError(f"{depth_path}: {error}") from None
        mask = read_mask(self.mask_path(view), self.labels, (depth.shape[1], depth.shape[0]), like="depth")
        return LabeledView.without_picture(view.camera, mask, depth)


def subject_name(seed: int) -> str:
    """The stem of a subject's files: `s0003`."""
    return f"s{seed:04d}"


def _by_pose(stem: str, views: Sequence[PosedView]) -> list[tuple[str, list[PosedView]]]:
    """A subject's views apart by its pose, the first one's first: `s0003` in one pose, `s0003_p00`, `s0003_p01` and so on in several."""
    by_pose: dict[Pose | None, list[PosedView]] = {}
    for view in views:
        by_pose.setdefault(view.pose, []).append(view)
    if len(by_pose) == 1:
        return [(stem, list(views))]
    return [(f"{stem}_p{number:02d}", own) for number, own in enumerate(by_pose.values())]


def _depth_scale(data: dict[str, Any], path: Path) -> float:
    """What a cameras.json says of depth in 16-bit pictures.

    Raises:
        UsageError: something that is no scale.
    """
    scale = data.get(DEPTH_SCALE_KEY, 1 / DEPTH_STEPS)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise UsageError(f"{path}: {DEPTH_SCALE_KEY}: expected world units of a step of depth, found {brief(scale)}; correct it")
    return float(scale)


def _first_there(paths: Sequence[Path], view: PosedView) -> Path:
    for path in paths:
        if path.exists():
            return path
    raise AnnotationError(f"{paths[0]}: expected a file of the view {view.name!r}, found none; render the views with depth")


def _read_text(path: Path) -> str:
    return read_user_text(path, "a file of posed views", "give a folder of views")
