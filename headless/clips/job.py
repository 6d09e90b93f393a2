"""One plan of clips on its way into one folder: a clip whose files are all there is not made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import cameras_to_json
from dnerf_core.errors import CheckpointError, counted
from dnerf_core.files.names import LABELS_NAME, labels_json
from dnerf_core.files.pictures import write_image, write_mask_ids
from dnerf_core.files.whole import leftovers, make_folder, remove_files, write_bytes_whole
from dnerf_core.labels import LabelSet
from dnerf_core.work.made_once import Once
from headless.clips.plan import Clip, ClipPlan, Crop, Frame, Mix, in_frame
from headless.clips.video_files import FrameSink, color_video, label_video, preview_video
from headless.pictures.legend_strip import legend_strip
from headless.work.reporting import Reporter
from headless.work.result_folder import ResultFolder
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from dnerf_core.subject import LabeledView, Subject

RECORD_FORMAT = "datasetnerf-videos"
CAMERAS, LABELS, IMAGE, OVERLAY, SIDE_BY_SIDE = "cameras.json", "labels.mkv", "image.mp4", "overlay.mp4", "side-by-side.mp4"
PALETTE = "palette.mkv"
"""The labels in their colours, exactly."""
PREVIEWS = (IMAGE, OVERLAY, SIDE_BY_SIDE)
MORE_PREVIEWS = (*PREVIEWS, PALETTE)

MakeSubject = Callable[[Mix], "Subject"]


@dataclass(frozen=True)
class _Task:
    frame: Frame
    subject: Once[Subject]


class VideoJob:
    """A plan, its clips, and the folder they go to.

    Attributes:
        missing: clips that lacked a file when the job was made.
        empty_frames: frames written here whose labels are all background.
    """

    ALL_KINDS = (CAMERAS, LABELS, *MORE_PREVIEWS)

    def __init__(
        self,
        plan: ClipPlan,
        clips: list[Clip],
        folder: ResultFolder,
        labels: LabelSet | None,
        reporter: Reporter,
        workers: int,
        previews: tuple[str, ...] = PREVIEWS,
        *,
        sequence: bool = False,
    ) -> None:
        """Claims nothing yet, but refuses a folder of another call, and clears what an interrupted run of this one left.

        Args:
            labels: what the masks' ids mean; None: there are no masks, and no files that need them.
            previews: which of `MORE_PREVIEWS` are made.
            sequence: every frame is written as pictures, too: NAME/images/NAME_0001.png, and the ids of
                NAME/masks/NAME_0001.png, by `Frame.picture_number`.

        Raises:
            OutputError: it is another call's, or cannot be read.
        """
        self.plan, self.folder, self.labels, self.reporter, self.workers = plan, folder, labels, reporter, workers
        self.sequence = sequence
        self.kinds = self.kinds_of(labels, previews)
        folder.check()
        places = [folder.path / self.file_name(clip, kind) for clip in clips for kind in self.kinds]
        names, folders = {path.name for path in places}, {path.parent for path in places}
        remove_files([*folder.top_leftovers(), *(stale for place in folders for stale in leftovers(place, names.__contains__))])
        self.missing = [clip for clip in clips if any(map(folder.lacks, self._names(clip)))]
        self.empty_frames = 0

    @staticmethod
    def kinds_of(labels: LabelSet | None, previews: tuple[str, ...] = PREVIEWS) -> tuple[str, ...]:
        """The kinds of file that each clip has."""
        without = {LABELS, OVERLAY, SIDE_BY_SIDE, PALETTE} if labels is None else set()
        return tuple(kind for kind in (CAMERAS, LABELS, *previews) if kind not in without)

    @staticmethod
    def file_name(clip: Clip, kind: str) -> str:
        """The name of a clip's file of one kind, relative to the folder."""
        return f"{clip.split}/{clip.name}-{kind}" if clip.split else f"{clip.name}-{kind}"

    def _names(self, clip: Clip) -> Iterator[str]:
        """All files of a clip, relative to the folder."""
        yield from (self.file_name(clip, kind) for kind in self.kinds)
        if self.sequence:
            for frame in clip.frames:
                yield from (f"{clip.name}/{kind}/{picture_name(clip, frame)}" for kind in self._picture_kinds)

    @property
    def _picture_kinds(self) -> tuple[str, ...]:
        return ("images",) if self.labels is None else ("images", "masks")

    def write(self, make_subject: MakeSubject) -> None:
        """Make the missing clips.

        Raises:
            OutputError: something cannot be written.
        """
        self.folder.claim()
        for clip in self.missing:
            make_folder((self.folder.path / self.file_name(clip, CAMERAS)).parent)
        self.write_labels()
        with self.reporter.progress("frames", sum(len(clip.frames) for clip in self.missing)) as advance:
            for clip in self.missing:
                self._write_clip(clip, make_subject, advance)
                self.reporter.event("clip", name=clip.name, frames=len(clip.frames))
        self.folder.completed = True

    def write_labels(self) -> None:
        """Write `labels.json`, where there are labels and it is missing.

        Raises:
            OutputError: it cannot be written.
        """
        if self.labels is not None:
            self.folder.write_once(LABELS_NAME, labels_json(self.labels))

    def _write_clip(self, clip: Clip, make_subject: MakeSubject, advance: Callable[[], None]) -> None:
        write_bytes_whole(self.folder.path / self.file_name(clip, CAMERAS), self._cameras_json(clip))
        empty = []
        with ExitStack() as stack:
            add = self._open(clip, stack)
            see = partial(self._see, clip.crop)
            for task, view in run_tasks([_tasks(clip, make_subject)], see, self.workers, in_order=True):
                add(view)
                if self.sequence:
                    self._write_pictures(clip, task.frame, view)
                if view.mask is not None and not view.mask.any():
                    empty.append(task.frame.name)
                advance()
        if empty:
            self.empty_frames += len(empty)
            message = f"{counted(len(empty), 'frame has', 'frames have')} no labels but background, the first is {empty[0]}"
            self.reporter.warning(f"{clip.name}: {message}", name=clip.name)

    def _see(self, crop: Crop | None, task: _Task) -> LabeledView:
        view = in_frame(task.subject.value, task.frame).render(task.frame.camera, self.plan.resolution_px)
        if crop is None:
            return view
        mask = None if view.mask is None else crop.cut(view.mask)
        camera = crop.camera(view.camera, self.plan.resolution_px)
        return replace(view, camera=camera, rgb=crop.cut(view.rgb), mask=mask, depth_planar=crop.cut(view.depth_planar))

    def _write_pictures(self, clip: Clip, frame: Frame, view: LabeledView) -> None:
        pictures = {kind: self.folder.path / clip.name / kind / picture_name(clip, frame) for kind in self._picture_kinds}
        for path in pictures.values():
            make_folder(path.parent)
        write_image(pictures["images"], np.ascontiguousarray(view.rgb))
        if self.labels is not None and view.mask is not None:
            write_mask_ids(pictures["masks"], np.ascontiguousarray(view.mask))

    def _size_px(self, clip: Clip) -> tuple[int, int]:
        """(width, height) of a clip's frames."""
        side = self.plan.resolution_px
        return (side, side) if clip.crop is None else (clip.crop.width_px, clip.crop.height_px)

    def _open(self, clip: Clip, stack: ExitStack) -> Callable[[LabeledView], None]:
        """The clip's videos, whole when the stack closes; returns what adds a frame to all of them."""
        (width, height), labels = self._size_px(clip), self.labels
        timing = self.plan.fps, clip.frames[0].scene_number
        legends: dict[str, NDArray[np.uint8]] = {}

        def preview(kind: str) -> FrameSink:
            across, down = 2 * width if kind == SIDE_BY_SIDE else width, height
            if self.plan.legend and labels is not None and kind in (OVERLAY, SIDE_BY_SIDE):
                legends[kind] = legend_strip(labels, across)
                down += len(legends[kind])
            path = self.folder.path / self.file_name(clip, kind)
            video = color_video if kind == PALETTE else preview_video
            return stack.enter_context(video(path, across, down, *timing))

        ids = None
        if labels is not None:
            ids = stack.enter_context(label_video(self.folder.path / self.file_name(clip, LABELS), width, height, *timing))
        previews = {kind: preview(kind) for kind in self.kinds if kind in MORE_PREVIEWS}

        def add(view: LabeledView) -> None:
            pictures = {IMAGE: lambda: view.rgb}
            if ids is not None and labels is not None:
                mask = view.mask
                if mask is None:
                    raise CheckpointError(f"{self.plan.model_name}: expected masks of a model with a semantic branch, found none")
                ids(mask)
                pictures[OVERLAY] = lambda: labels.overlay(view.rgb, mask)
                pictures[PALETTE] = lambda: labels.colorize(mask)
                pictures[SIDE_BY_SIDE] = lambda: np.concatenate([view.rgb, labels.colorize(mask)], axis=1)
            for kind, sink in previews.items():
                picture = pictures[kind]()
                sink(np.concatenate([picture, legends[kind]]) if kind in legends else picture)

        return add

    def _cameras_json(self, clip: Clip) -> bytes:
        """The cameras by frame, with the subject of each: seeds, and the share of the second, or its file."""
        cameras = [frame.camera for frame in clip.frames]
        if clip.crop is not None:
            cameras = [clip.crop.camera(camera, self.plan.resolution_px) for camera in cameras]
        data = cameras_to_json(cameras, [frame.name for frame in clip.frames])
        for view, frame in zip(data["views"], clip.frames, strict=True):
            if self.plan.subject_files:
                view["subject_file"] = self.plan.subject_files[frame.mix.first].name
            else:
                view["seeds"] = [frame.mix.first, frame.mix.second]
                view["share"] = frame.mix.share
            if frame.mix.truncation is not None:
                view["truncation"] = frame.mix.truncation
            if frame.pose is not None:
                view["pose"] = frame.pose
        data["image_size_px"] = list(self._size_px(clip))
        return (json.dumps(data) + "\n").encode()


def picture_name(clip: Clip, frame: Frame) -> str:
    """The name of a frame's picture in a sequence."""
    return f"{clip.name}_{frame.picture_number:04d}.png"


def _tasks(clip: Clip, make_subject: MakeSubject) -> Iterator[_Task]:
    """The frames in order; frames of one subject that follow each other share it."""
    for mix, frames in groupby(clip.frames, key=lambda frame: frame.mix):
        subject = Once(partial(make_subject, mix))
        for frame in frames:
            yield _Task(frame, subject)
