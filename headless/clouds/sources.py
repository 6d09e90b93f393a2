"""Where the views of point clouds come from: a model's subjects, or a folder of posed views with depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.camera import Camera, WorldUp
from dnerf_core.errors import DNeRFError
from dnerf_core.files.posed_folder import PosedFolder, subject_name
from dnerf_core.labels import LabelSet
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.rendering.labeled_view import LabeledView, sample_side_px
from dnerf_core.subject_key import subject_key
from dnerf_core.work.made_once import Once
from headless.datasets.plan import ViewPlan, plan_subject

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

MakeView = Callable[[], LabeledView]


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


def depth_view(subject: Subject, camera: Camera, size_px: int, *, with_mask: bool) -> LabeledView:
    """A subject's view as it is fused."""
    view = subject.render(camera, size_px)
    sample_px = sample_side_px(size_px, subject.model.config.rays.neural_resolution)
    return LabeledView(camera, view.rgb, view.mask if with_mask else None, view.depth_planar, sample_px)


def fused(name: str, views: Sequence[LabeledView], labels: LabelSet | None, fusion: FusionOptions) -> PointCloud:
    """The cloud of an object of a source with these labels.

    Raises:
        DNeRFError: as `fuse_views`; the message names the object.
    """
    try:
        return fuse_views(views, 0 if labels is None else labels.num_classes, fusion)
    except DNeRFError as error:
        raise type(error)(f"{name}: {error}") from error


@dataclass(frozen=True)
class ModelSource:
    """Subjects of a model, rendered as they are asked for; the model is loaded with the first."""

    plan: ViewPlan
    config: BackboneConfig
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
        subject = Once(lambda: subject_key(self.plan, seed).open(self.model.value))

        def see(camera: Camera) -> LabeledView:
            return depth_view(subject.value, camera, self.plan.resolution_px, with_mask=self.labels is not None)

        return [partial(see, view.camera) for view in plan_subject(self.plan, self.config.cameras, seed)]


@dataclass(frozen=True)
class FolderSource:
    """The views of a `PosedFolder`, each with its image."""

    folder: PosedFolder
    world_up: WorldUp = "y"

    @classmethod
    def open(cls, path: Path) -> FolderSource:
        """See `PosedFolder.open`."""
        return cls(PosedFolder.open(path))

    def to_json(self) -> dict[str, Any]:
        """As a record names it."""
        return {"source": str(self.folder.path.resolve()), "source_sha256": self.folder.sha256}

    @property
    def labels(self) -> LabelSet | None:
        return self.folder.labels

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.folder.objects)

    def views(self, name: str) -> list[MakeView]:
        return [partial(self.folder.colored, view) for view in self.folder.objects[name]]
