"""Where the views of point clouds come from: a model's subjects, one of them from given cameras, or a folder of posed views with depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.camera import Camera, WorldUp
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.files.annotated_folder import check_generator, is_painted, read_folder
from dnerf_core.files.posed_folder import PosedFolder, subject_name
from dnerf_core.files.view_poses import Pose
from dnerf_core.labels import LabelSet
from dnerf_core.multiview.prefilling import Prefiller
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.rendering.labeled_view import LabeledView
from dnerf_core.subject_key import SubjectKey, subject_key
from dnerf_core.work.made_once import Once
from headless.datasets.plan import ViewPlan, plan_subject
from headless.datasets.poses.given import motion_json, numbers
from headless.work.convolutions import model_in_form

if TYPE_CHECKING:
    from dnerf_core.backbone.poses import Motion
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

    def placed(self, name: str, cloud: PointCloud) -> PointCloud:
        """The cloud that the views of an object fuse to, where the results have it."""


def check_moves(config: BackboneConfig) -> None:
    """Refuse a canonical pose of a model whose subjects have none.

    Raises:
        UsageError: they do not move.
    """
    if config.latent.pose_shape is None:
        raise UsageError(f"--canonical: expected a model whose subjects move, found {config.name}; leave it out, or take another")


@dataclass(frozen=True)
class PaintedLabels:
    """Where labels come from when they are painted ones: an annotated folder's painted views of a subject."""

    prefiller: Prefiller
    labels: LabelSet

    @classmethod
    def in_folder(cls, folder: Path, subject: Subject, key: SubjectKey) -> PaintedLabels:
        """Those of a subject, which is the one that the key names.

        Raises:
            AnnotationError: the folder cannot be used, is of another generator, or has no painted view of the subject.
        """
        annotations = read_folder(folder)
        check_generator(annotations, subject.model.header.path)
        images = [image for image in annotations.images if image.subject.identity == key.identity and is_painted(image.mask)]
        if not images:
            which = f"with {key.title}" if key.file is None else key.title
            raise AnnotationError(
                f"{folder}: expected a painted view of the subject {which}, found none; paint one, or choose another subject"
            )
        return cls(Prefiller(subject, images, annotations.labels), annotations.labels)

    def on(self, view: LabeledView) -> LabeledView:
        """A view of the subject with the labels that are painted, 255 where no painted view tells."""
        mask = self.prefiller.fill("", view.camera, view.depth_planar).mask
        return dataclasses.replace(view, mask=mask)


@dataclass(frozen=True)
class SubjectSource:
    """One subject from given cameras, with the model's labels or with painted ones.

    Attributes:
        name: what the subject is called in messages.
        size_px: side of the views.
        canonical: whether the cloud is carried back to the canonical pose.
    """

    name: str
    subject: Subject
    cameras: Sequence[Camera]
    size_px: int
    painted: PaintedLabels | None = None
    canonical: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def labels(self) -> LabelSet | None:
        if self.painted is not None:
            return self.painted.labels
        model = self.subject.model
        return model.labels if model.has_semantics else None

    @property
    def world_up(self) -> WorldUp:
        return self.subject.model.config.cameras.world_up

    def views(self, name: str) -> list[MakeView]:
        def see(camera: Camera) -> LabeledView:
            view = self.subject.render(camera, self.size_px)
            return view if self.painted is None else self.painted.on(view)

        return [partial(see, camera) for camera in self.cameras]

    def placed(self, name: str, cloud: PointCloud) -> PointCloud:
        return self.subject.canonical_cloud(cloud) if self.canonical else cloud


@dataclass(frozen=True)
class ModelSource:
    """Subjects of a model, rendered as they are asked for; the model is loaded with the first.

    Attributes:
        motion: whose poses each subject takes, an object each; None: subjects are in their own.
        canonical: whether clouds are carried back to the canonical pose.
    """

    plan: ViewPlan
    config: BackboneConfig
    labels: LabelSet | None
    model: Once[Model]
    motion: Motion | None = None
    canonical: bool = False

    def in_form(self, form: ConvolutionForm | None) -> ModelSource:
        """The same, whose views' convolutions run in a form; None: each machine's own."""
        return self if form is None else dataclasses.replace(self, model=Once(lambda: model_in_form(self.model.value, form)))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._objects)

    @cached_property
    def _objects(self) -> dict[str, tuple[int, Pose | None]]:
        """The seeds, or the numbers of subject files, and the poses by the objects' names: `s0003`, `s0003_f0001` of several poses."""
        found: dict[str, tuple[int, Pose | None]] = {}
        for seed in self.plan.seeds:
            if self.motion is None:
                found[subject_name(seed)] = seed, None
                continue
            for number, pose in enumerate(self.motion.poses, start=1):
                frame = f"_f{number:04d}" if len(self.motion) > 1 else ""
                found[f"{subject_name(seed)}{frame}"] = seed, numbers(pose)
        return found

    def to_json(self) -> dict[str, Any]:
        """As a record names it."""
        posed = {} if self.motion is None else motion_json(self.motion)
        return self.plan.to_json() | posed | ({"canonical": True} if self.canonical else {})

    @property
    def world_up(self) -> WorldUp:
        return self.config.cameras.world_up

    def subject(self, name: str) -> Once[Subject]:
        """A subject, made with its first use."""
        seed, pose = self._objects[name]
        if pose is None:
            return Once(lambda: subject_key(self.plan, seed).open(self.model.value))
        if seed not in self._unposed:
            self._unposed.clear()
            self._unposed[seed] = Once(lambda: subject_key(self.plan, seed).open(self.model.value))
        unposed = self._unposed[seed]
        return Once(lambda: unposed.value.posed(unposed.value.model.pose(pose)))

    @cached_property
    def _unposed(self) -> dict[int, Once[Subject]]:
        """The subject that was asked for last, whose planes serve all its poses."""
        return {}

    def views(self, name: str) -> list[MakeView]:
        return self.views_of(name, self.subject(name))

    def placed(self, name: str, cloud: PointCloud) -> PointCloud:
        return self.subject(name).value.canonical_cloud(cloud) if self.canonical else cloud

    def views_of(self, name: str, subject: Once[Subject]) -> list[MakeView]:
        """`views` of a subject that is at hand for other uses, too."""

        def see(camera: Camera) -> LabeledView:
            return subject.value.render(camera, self.plan.resolution_px)

        return [partial(see, view.camera) for view in plan_subject(self.plan, self.config.cameras, self._objects[name][0])]


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
        split = {} if self.folder.split is None else {"split": self.folder.split}
        return {"source": str(self.folder.path.resolve()), "source_sha256": self.folder.sha256, **split}

    @property
    def labels(self) -> LabelSet | None:
        return self.folder.labels

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.folder.objects)

    def views(self, name: str) -> list[MakeView]:
        return [partial(self.folder.colored, view) for view in self.folder.objects[name]]

    def placed(self, name: str, cloud: PointCloud) -> PointCloud:
        return cloud
