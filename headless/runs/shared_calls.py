"""What the calls of several jobs ask for in the same words: a field, its range and its default stand once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError
from dnerf_core.ranges import Ranged, ranged
from headless.runs.choices import DEFAULT_MODEL, DEFAULT_SEEDS, chosen_seeds
from headless.runs.poses import MotionCall

if TYPE_CHECKING:
    from dnerf_core.files.camera_files.turning import FileUp


@dataclass(frozen=True, kw_only=True)
class SeedsCall(Ranged):
    """Of jobs on a model's own subjects.

    Attributes:
        model_name: an embedded model's name, or a file.
        seeds, subjects: the subjects, or how many of the first seeds; None, both: the job's own default.
        yaw, pitch: where they are seen from, first and last, degrees; None: where the model says, see `dnerf_core.own_views`.
    """

    model_name: str = DEFAULT_MODEL
    seeds: tuple[int, ...] | None = None
    subjects: int | None = ranged(job_ranges.SUBJECTS)
    yaw: tuple[float, float] | None = ranged(job_ranges.YAW)
    pitch: tuple[float, float] | None = ranged(job_ranges.PITCH)
    device: str = ranged(job_ranges.DEVICE)


@dataclass(frozen=True, kw_only=True)
class KeptFolderCall(Ranged):
    """Of jobs whose folder of results may be there already.

    Attributes:
        extend: whether a folder that a smaller call filled is to grow, see `headless.work.extending`.
        verify: whether what is there is first held against its check sums, see `headless.work.verification`.
    """

    extend: bool = ranged(job_ranges.OFF)
    verify: bool = ranged(job_ranges.OFF)


@dataclass(frozen=True, kw_only=True)
class KeptViewsCall(KeptFolderCall):
    """Of jobs that fill such a folder with views or with what is made of views.

    Attributes:
        workers: views rendered side by side; None: `headless.work.workers.default_workers`.
    """

    workers: int | None = ranged(job_ranges.WORKERS)


@dataclass(frozen=True, kw_only=True)
class SubjectsCall(SeedsCall, KeptViewsCall):
    """Of jobs on subjects wherever they come from, which render them.

    Attributes:
        subject_files: these instead of seeds.
        truncation: the factor psi of the seeds' subjects.
    """

    subject_files: tuple[Path, ...] = ()
    truncation: float = ranged(job_ranges.TRUNCATION)

    def chosen_seeds(self, default: tuple[int, ...] = DEFAULT_SEEDS) -> tuple[int, ...]:
        """The numbers of the subjects meant; `default` where the call does not say.

        Raises:
            UsageError: several ways to say it at once, see `headless.runs.choices.chosen_seeds`.
        """
        return chosen_seeds(self.seeds, self.subjects, default, files=self.subject_files, truncation=self.truncation)


@dataclass(frozen=True, kw_only=True)
class SubjectViewsCall(SubjectsCall):
    """Of jobs that see every subject from several cameras of its own.

    Attributes:
        views: of each subject; None: see `headless.runs.choices.chosen_views`.
        random_views: whether their directions are drawn, instead of evenly spaced.
    """

    views: int | None = ranged(job_ranges.VIEWS)
    random_views: bool = ranged(job_ranges.OFF)


@dataclass(frozen=True, kw_only=True)
class GivenCamerasCall(SubjectViewsCall):
    """Of jobs that take the cameras of a file instead of an arc.

    Attributes:
        cameras: the file, see `headless.cameras.given`; None: the arc that `views`, `yaw` and `pitch` tell.
        cameras_up: the axis that points up in the file's world; None: the file's world is the model's.
    """

    cameras: Path | None = None
    cameras_up: FileUp | None = None


@dataclass(frozen=True, kw_only=True)
class FusedViewsCall(GivenCamerasCall, MotionCall):
    """Of jobs that put the views of a subject together again: clouds and meshes.

    Attributes:
        resolution: side of the views, pixels; None: the model's own.
        exact: whether every sample is read.
    """

    views: int | None = ranged(job_ranges.CLOUD_VIEWS)
    yaw: tuple[float, float] | None = ranged(job_ranges.CLOUD_YAW)
    resolution: int | None = ranged(job_ranges.RESOLUTION)
    exact: bool = ranged(job_ranges.OFF)


@dataclass(frozen=True, kw_only=True)
class WeighedCall(KeptFolderCall):
    """Of jobs whose cost is told before they begin.

    Attributes:
        dry_run: only say what would be made, how long it takes and how much disk.
        ignore_disk_space: begin even where the disk is far too small by the estimate.
    """

    dry_run: bool = ranged(job_ranges.OFF)
    ignore_disk_space: bool = ranged(job_ranges.OFF)

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, given in (("--extend", self.extend), ("--verify", self.verify)):
            if self.dry_run and given:
                raise UsageError(
                    f"--dry-run and {option}: expected one of them, found both; {option} changes the folder, leave one out"
                )


@dataclass(frozen=True, kw_only=True)
class FusionCall(Ranged):
    """Of jobs that fuse views to clouds.

    Attributes:
        voxel: distance between neighbouring points, world units; None: by the object's size and the pixels.
        points: exactly so many points a cloud, in place of a distance.
    """

    voxel: float | None = ranged(job_ranges.VOXEL)
    points: int | None = ranged(job_ranges.POINTS)
