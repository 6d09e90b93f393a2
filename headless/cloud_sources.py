"""Where the views of point clouds come from: a model's subjects, or a folder of posed views with depth."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnerf_core.camera import Camera, WorldUp, cameras_from_json
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.generator.config import GeneratorConfig
from dnerf_core.labels import LabelSet
from dnerf_core.made_once import Once
from dnerf_core.pointcloud.views import DepthView
from headless.annotations import read_mask
from headless.plan import ViewPlan, plan_subject
from headless.writers.folder import CAMERAS_NAME, LABELS_NAME
from headless.writers.views import read_depth, read_image

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

MakeView = Callable[[], DepthView]

OBJECT_NAME = "object"
"""What the cloud of a folder is called whose cameras do not say which subject they show."""


class CloudSource(Protocol):
    """Objects by name, and the views of each."""

    @property
    def names(self) -> tuple[str, ...]:
        """The objects, in the order of the results; the stems of their files."""

    @property
    def labels(self) -> LabelSet | None:
        """What the masks' ids mean; None where views have no masks."""

    @property
    def world_up(self) -> WorldUp:
        """The axis that points up."""

    def views(self, name: str) -> list[MakeView]:
        """One call a view of an object; they may be called from several threads."""


def subject_name(seed: int) -> str:
    """The stem of a subject's files: `s0003`."""
    return f"s{seed:04d}"


def depth_view(subject: Subject, camera: Camera, size_px: int, *, with_mask: bool) -> DepthView:
    """A subject's view as it is fused."""
    view = subject.render(camera, size_px)
    sample_px = max(1, -(-size_px // subject.model.config.rays.neural_resolution))
    return DepthView(camera, view.depth_planar, view.rgb, view.mask if with_mask else None, sample_px)


@dataclass(frozen=True)
class ModelSource:
    """Subjects of a model, rendered as they are asked for; the model is loaded with the first."""

    plan: ViewPlan
    config: GeneratorConfig
    labels: LabelSet | None
    model: Once[Model]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(subject_name(seed) for seed in self.plan.seeds)

    @property
    def world_up(self) -> WorldUp:
        return self.config.cameras.world_up

    def views(self, name: str) -> list[MakeView]:
        seed = int(name[1:])
        subject = Once(lambda: self.model.value.subject(seed, truncation=self.plan.truncation))

        def see(camera: Camera) -> DepthView:
            return depth_view(subject.value, camera, self.plan.resolution_px, with_mask=self.labels is not None)

        return [partial(see, view.camera) for view in plan_subject(self.plan, self.config.cameras, seed)]


@dataclass(frozen=True)
class _FolderView:
    name: str
    camera: Camera


@dataclass(frozen=True)
class FolderSource:
    """A folder with `cameras.json`, `images/NAME.png`, `depth/NAME.exr` or `.npy`, and, where there is a `labels.json`, `masks/NAME.png`.

    Views with a "seed" in cameras.json are of that subject; views without one are all of one object.
    """

    path: Path
    sha256: str
    labels: LabelSet | None
    objects: dict[str, list[_FolderView]]
    world_up: WorldUp = "y"

    @classmethod
    def open(cls, path: Path) -> FolderSource:
        """Read the folder's cameras and labels.

        Raises:
            UsageError: no cameras.json, or it cannot be used.
            AnnotationError: labels.json cannot be used.
        """
        text = _read_text(path / CAMERAS_NAME)
        cameras = cameras_from_json(text, str(path / CAMERAS_NAME))
        seeds = {view["name"]: view.get("seed") for view in json.loads(text)["views"]}
        objects: dict[str, list[_FolderView]] = {}
        for name, camera in cameras.items():
            seed = seeds[name]
            stem = subject_name(seed) if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 else OBJECT_NAME
            if re.fullmatch(r"[^/\\\0]+", name) is None or name.startswith("."):
                raise UsageError(f"{path / CAMERAS_NAME}: expected view names that are file names, found {name!r}; rename it")
            objects.setdefault(stem, []).append(_FolderView(name, camera))
        labels_path = path / LABELS_NAME
        labels = LabelSet.from_json(_read_text(labels_path), str(labels_path)) if labels_path.exists() else None
        return cls(path, hashlib.sha256(text.encode()).hexdigest(), labels, objects)

    def to_json(self) -> dict[str, Any]:
        """As a record names it."""
        return {"source": str(self.path.resolve()), "source_sha256": self.sha256}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.objects)

    def views(self, name: str) -> list[MakeView]:
        return [partial(self._read, view) for view in self.objects[name]]

    def _read(self, view: _FolderView) -> DepthView:
        candidates = [self.path / "depth" / f"{view.name}{suffix}" for suffix in (".exr", ".npy")]
        found = [candidate for candidate in candidates if candidate.exists()]
        image = self.path / "images" / f"{view.name}.png"
        for needed in [*([] if found else candidates[:1]), *([] if image.exists() else [image])]:
            raise AnnotationError(f"{needed}: expected a file of the view {view.name!r}, found none; render the views with depth")
        rgb = read_image(image)
        mask = None
        if self.labels is not None:
            mask = read_mask(self.path / "masks" / f"{view.name}.png", self.labels, rgb.shape[1])
        try:
            return DepthView(view.camera, read_depth(found[0]), rgb, mask)
        except UsageError as error:
            raise AnnotationError(f"{found[0]}: {error}") from None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: expected a file of posed views, it cannot be read ({error}); give a folder of views"
        ) from error
