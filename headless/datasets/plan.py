"""What a render is going to do, as data: which subjects, from where, to which names. Nothing here touches a model or a disk."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import ArcMode, Camera, arc_cameras
from dnerf_core.files.names import view_name
from dnerf_core.files.pictures import DEPTH_CHANNEL, EARLIER_DEPTH_CHANNEL, DepthFormat, MaskFormat
from dnerf_core.seeds import format_seeds
from dnerf_core.subject_key import SubjectFile, SubjectKey, files_json, subject_key
from headless.datasets.adding.views import AddedViews
from headless.datasets.channels import Channel
from headless.datasets.given_cameras import ChosenViews, GivenCameras
from headless.datasets.poses.given import GivenPoses, Pose
from headless.datasets.poses.joints import Skeleton
from headless.datasets.spacing import Spacing
from headless.datasets.splits import Splits, format_splits, split_of


class HasSeeds(Protocol):
    """A plan of any command: a dataclass of plain values, seeds among them."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The subjects."""

    @property
    def subject_files(self) -> tuple[SubjectFile, ...]:
        """What the subjects come from instead, numbered by `seeds`; empty: from seeds."""


def plan_json(plan: HasSeeds) -> dict[str, Any]:
    """A plan as plain JSON values; seeds in the text form of `--seeds`, which are the numbers of subject files where there are such."""
    data = dataclasses.asdict(dataclasses.replace(plan, subject_files=()))
    del data["subject_files"]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}
    return plain | {"seeds": format_seeds(plan.seeds)} | files_json(plan.subject_files)


@dataclass(frozen=True)
class ViewPlan:
    """The options of a call that decide what its results are; where it computes and where it writes are not among them.

    Attributes:
        model_name, model_sha256: the model; the file's hash decides, the name is for people.
        seeds: one a subject, in the order of the results.
        views: views of each subject.
        yaw_deg, pitch_deg: ranges in degrees of the arc of cameras.
        spacing: "even" along the arc, or drawn by seed and view: "uniform" or "gaussian".
        truncation: the factor psi.
        resolution_px: side of the views.
        channels: what is written of each view.
        depth_format: file format of the depth; None: no depth is written.
        mask_format: what masks are written as: gray ids, or ids with the label set's colours as their palette; None: such palettes, as
            folders have them that are to be painted, or were begun when there was nothing else.
        exr_channel: what the depth's channel is called in EXR files.
        exact: whether views are the literal method's, see `Model.load`.
        splits: what subjects are dealt out to.
        reject_uncertain: share of the views, the most uncertain ones, that no list names.
        consistent: whether masks take their labels from several views of their subject, see `consistent_views`.
        given: cameras that stand in for the arc; None: the arc's.
        chosen: views of each subject that stand in for the arc, with their poses; None: the arc's.
        added: the subjects and the views of each, where they were added one by one; None: every subject has the same number of views.
        subject_files: what the subjects come from instead of seeds, which are their numbers then; empty: from seeds.
        poses: that the views take; None: the model's own, or its subjects have none.
        skeleton: the joints of a model whose subjects move.
    """

    model_name: str
    model_sha256: str
    seeds: tuple[int, ...]
    views: int
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]
    spacing: Spacing
    truncation: float
    resolution_px: int
    channels: tuple[Channel, ...]
    depth_format: DepthFormat | None
    mask_format: MaskFormat | None = None
    exr_channel: str = DEPTH_CHANNEL
    exact: bool = False
    splits: Splits = ()
    reject_uncertain: float = 0.0
    consistent: bool = False
    given: GivenCameras | None = None
    chosen: ChosenViews | None = None
    added: AddedViews | None = None
    subject_files: tuple[SubjectFile, ...] = ()
    poses: GivenPoses | None = None
    skeleton: Skeleton | None = None

    @property
    def masks(self) -> bool:
        """Whether there are label masks."""
        return "mask" in self.channels

    @property
    def total(self) -> int:
        """How many views there are."""
        return len(self.seeds) * self.views if self.added is None else sum(map(self.views_of, self.seeds))

    @property
    def firsts(self) -> list[int]:
        """Where each subject's views begin among all, in the order of `seeds`."""
        return [0, *itertools.accumulate(map(self.views_of, self.seeds[:-1]))]

    def views_of(self, seed: int) -> int:
        """How many views a subject has."""
        return self.views if self.added is None else len(self.added.subjects[seed].views)

    def subject(self, seed: int) -> SubjectKey:
        """The subject of that number."""
        return subject_key(self, seed) if self.added is None else self.added.subjects[seed].key

    def split_of(self, seed: int) -> str:
        """The name of the split a subject is in, "" where there are no splits: see `split_of`."""
        return split_of(self.splits, seed)

    def seeds_by_split(self) -> dict[str, list[int]]:
        """The subjects of each split, all splits in their order; of "" where there are none."""
        by_split: dict[str, list[int]] = {name: [] for name, _ in self.splits} or {"": []}
        for seed in self.seeds:
            by_split[self.split_of(seed)].append(seed)
        return by_split

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; see `plan_json`; splits in the text form of `--splits`.

        What earlier versions wrote in one way only and did not record, palettes and the depth's channel, is named where it is otherwise.
        """
        data = plan_json(dataclasses.replace(self, given=None, chosen=None, added=None, poses=None, skeleton=None)) | {
            "splits": format_splits(self.splits)
        }
        del data["given"], data["chosen"], data["added"], data["poses"], data["skeleton"]
        if self.added is not None:
            del data["views"], data["yaw_deg"], data["pitch_deg"], data["spacing"]
            data |= {"truncation": self.added.truncation} | self.added.to_json()
        if not self.masks or self.mask_format is None:
            del data["mask_format"]
        if self.depth_format != "exr" or self.exr_channel == EARLIER_DEPTH_CHANNEL:
            del data["exr_channel"]
        for given in (self.given, self.chosen, self.poses):
            if given is not None:
                data |= given.to_json()
        return data


def added_plan(plan: ViewPlan, added: AddedViews) -> ViewPlan:
    """A plan of the same kinds of file whose views are those that were added one by one, and no others."""
    most = max(len(subject.views) for subject in added.subjects.values())
    return dataclasses.replace(
        plan, seeds=tuple(added.subjects), views=most, truncation=1.0, given=None, poses=None, subject_files=(), added=added
    )


@dataclass(frozen=True)
class PlannedView:
    """One view to render.

    Attributes:
        name: the stem of its files, such as `s0003_v01`.
        subject_file: what its subject comes from, if from one.
        pose: that its subject takes; None: its own.
        facts: what lists say of it besides.
    """

    name: str
    seed: int
    view: int
    camera: Camera
    subject_file: str | None = None
    pose: Pose | None = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def which(self) -> dict[str, Any]:
        """What lists say of it: subject and view by number, and the subject file's name."""
        file = {} if self.subject_file is None else {"subject_file": self.subject_file}
        return {"seed": self.seed, "view": self.view, **file, **self.facts}


@dataclass(frozen=True)
class Shard:
    """One of `count` parts that a command's subjects are dealt out to; `number` counts from 1."""

    number: int = 1
    count: int = 1

    def seeds(self, plan: ViewPlan) -> tuple[int, ...]:
        """This part's seeds: every count-th."""
        return plan.seeds[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Shard()
"""Not split."""


def view_names(plan: ViewPlan, seed: int) -> list[str]:
    """The names of one subject's views, as `plan_subject` gives them, without their cameras."""
    if plan.added is not None:
        return [view_name(seed, view.number) for view in plan.added.subjects[seed].views]
    return [view_name(seed, view) for view in range(plan.views)]


def plan_subject(plan: ViewPlan, cameras: CameraConfig, seed: int) -> list[PlannedView]:
    """The views of one subject, view 0 first. Depends on `seed` and the plan's camera options alone, never on other subjects."""
    if plan.added is not None:
        return list(_added_views(plan.added, seed))
    arc: Sequence[Camera]
    if plan.chosen is not None:
        arc = [view.camera for view in plan.chosen.by_seed[seed]]
    elif plan.given is not None:
        arc = plan.given.cameras
    elif plan.spacing == "even":
        arc = _even_arc(cameras, plan.yaw_deg, plan.pitch_deg, plan.views)
    else:
        mode: ArcMode = "gaussian" if plan.spacing == "gaussian" else "random"
        arc = [
            arc_cameras(cameras, plan.yaw_deg, plan.pitch_deg, count=1, mode=mode, rng=view_generator(seed, view))[0]
            for view in range(plan.views)
        ]
    file = plan.subject_files[seed].name if plan.subject_files else None
    if plan.chosen is not None:
        poses = [view.pose for view in plan.chosen.by_seed[seed]]
    else:
        poses = [None if plan.poses is None else plan.poses.of_view(seed, view, plan.views) for view in range(len(arc))]
    return [
        PlannedView(view_name(seed, view), seed, view, camera, file, pose)
        for view, (camera, pose) in enumerate(zip(arc, poses, strict=True))
    ]


def _added_views(added: AddedViews, seed: int) -> Iterator[PlannedView]:
    subject = added.subjects[seed]
    for view in subject.views:
        facts = subject.facts(seed) | view.facts
        yield PlannedView(view_name(seed, view.number), seed, view.number, view.camera, None, view.pose, facts)


@functools.lru_cache(maxsize=1)
def _even_arc(
    cameras: CameraConfig, yaw_deg: tuple[float, float], pitch_deg: tuple[float, float], count: int
) -> Sequence[Camera]:
    """The same for every subject of a plan."""
    return tuple(arc_cameras(cameras, yaw_deg, pitch_deg, count=count, mode="even"))


def view_generator(seed: int, view: int) -> np.random.Generator:
    """The source of chance for one view, keyed by (seed, view): the same whatever else is rendered, and in whatever order."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, view])))
