"""One plan of clips on its way into one folder: a clip whose files are all there is not made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from dnerf_core.camera import cameras_to_json
from dnerf_core.errors import CheckpointError
from dnerf_core.labels import LabelSet
from dnerf_core.made_once import Once
from headless.clips import Clip, ClipPlan, Frame, Mix, frame_name
from headless.reporting import Reporter
from headless.workers import run_tasks
from headless.writers.contact_sheet import overlay
from headless.writers.files import leftovers, remove_files, write_bytes_whole
from headless.writers.folder import LABELS_NAME, labels_json
from headless.writers.result_folder import ResultFolder
from headless.writers.video import FrameSink, label_video, preview_video

if TYPE_CHECKING:
    from dnerf_core.subject import LabeledView, Subject

RECORD_FORMAT = "datasetnerf-videos"
CAMERAS, LABELS, IMAGE, OVERLAY, SIDE_BY_SIDE = "cameras.json", "labels.mkv", "image.mp4", "overlay.mp4", "side-by-side.mp4"
PREVIEWS = (IMAGE, OVERLAY, SIDE_BY_SIDE)

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

    ALL_KINDS = (CAMERAS, LABELS, *PREVIEWS)

    def __init__(
        self,
        plan: ClipPlan,
        clips: list[Clip],
        folder: ResultFolder,
        labels: LabelSet | None,
        reporter: Reporter,
        workers: int,
        previews: tuple[str, ...] = PREVIEWS,
    ) -> None:
        """Claims nothing yet, but refuses a folder of another call, and clears what an interrupted run of this one left.

        Args:
            labels: what the masks' ids mean; None: there are no masks, and no files that need them.
            previews: which of `PREVIEWS` are made.

        Raises:
            OutputError: it is another call's, or cannot be read.
        """
        self.plan, self.folder, self.labels, self.reporter, self.workers = plan, folder, labels, reporter, workers
        without = {LABELS, OVERLAY, SIDE_BY_SIDE} if labels is None else set()
        self.kinds = tuple(kind for kind in (CAMERAS, LABELS, *previews) if kind not in without)
        folder.check()
        names = {self.file_name(clip, kind) for clip in clips for kind in self.kinds}
        remove_files([*folder.top_leftovers(), *leftovers(folder.path, names.__contains__)])
        self.missing = [clip for clip in clips if any(folder.lacks(self.file_name(clip, kind)) for kind in self.kinds)]
        self.empty_frames = 0

    @staticmethod
    def file_name(clip: Clip, kind: str) -> str:
        """The name of a clip's file of one kind."""
        return f"{clip.name}-{kind}"

    def write(self, make_subject: MakeSubject) -> None:
        """Make the missing clips.

        Raises:
            OutputError: something cannot be written.
        """
        self.folder.claim()
        if self.labels is not None:
            self.folder.write_once(LABELS_NAME, labels_json(self.labels))
        with self.reporter.progress("frames", sum(len(clip.frames) for clip in self.missing)) as advance:
            for clip in self.missing:
                self._write_clip(clip, make_subject, advance)
                self.reporter.event("clip", name=clip.name, frames=len(clip.frames))

    def _write_clip(self, clip: Clip, make_subject: MakeSubject, advance: Callable[[], None]) -> None:
        write_bytes_whole(self.folder.path / self.file_name(clip, CAMERAS), self._cameras_json(clip))
        empty = []
        with ExitStack() as stack:
            add = self._open(clip, stack)
            for task, view in run_tasks([_tasks(clip, make_subject)], self._see, self.workers, in_order=True):
                add(view)
                if view.mask is not None and not view.mask.any():
                    empty.append(frame_name(task.frame.index))
                advance()
        if empty:
            self.empty_frames += len(empty)
            message = f"{len(empty)} frames have no labels but background, the first is {empty[0]}"
            self.reporter.warning(f"{clip.name}: {message}", name=clip.name)

    def _see(self, task: _Task) -> LabeledView:
        return task.subject.value.render(task.frame.camera, self.plan.resolution_px)

    def _open(self, clip: Clip, stack: ExitStack) -> Callable[[LabeledView], None]:
        """The clip's videos, whole when the stack closes; returns what adds a frame to all of them."""
        side, fps, labels = self.plan.resolution_px, self.plan.fps, self.labels

        def preview(kind: str) -> FrameSink:
            width = 2 * side if kind == SIDE_BY_SIDE else side
            return stack.enter_context(preview_video(self.folder.path / self.file_name(clip, kind), width, side, fps))

        ids = None
        if labels is not None:
            ids = stack.enter_context(label_video(self.folder.path / self.file_name(clip, LABELS), side, side, fps))
        previews = {kind: preview(kind) for kind in self.kinds if kind in PREVIEWS}

        def add(view: LabeledView) -> None:
            pictures = {IMAGE: lambda: view.rgb}
            if ids is not None and labels is not None:
                mask = view.mask
                if mask is None:
                    raise CheckpointError(f"{self.plan.model_name}: expected masks of a model with a semantic branch, found none")
                ids(mask)
                pictures[OVERLAY] = lambda: overlay(view.rgb, mask, labels)
                pictures[SIDE_BY_SIDE] = lambda: np.concatenate([view.rgb, labels.colorize(mask)], axis=1)
            for kind, sink in previews.items():
                sink(pictures[kind]())

        return add

    def _cameras_json(self, clip: Clip) -> bytes:
        """The cameras by frame, with the subject of each: seeds, and the share of the second."""
        data = cameras_to_json([frame.camera for frame in clip.frames], [frame_name(frame.index) for frame in clip.frames])
        for view, frame in zip(data["views"], clip.frames, strict=True):
            view["seeds"] = [frame.mix.first, frame.mix.second]
            view["share"] = frame.mix.share
        data["image_size_px"] = [self.plan.resolution_px] * 2
        return (json.dumps(data) + "\n").encode()


def _tasks(clip: Clip, make_subject: MakeSubject) -> Iterator[_Task]:
    """The frames in order; frames of one subject that follow each other share it."""
    for mix, frames in groupby(clip.frames, key=lambda frame: frame.mix):
        subject = Once(partial(make_subject, mix))
        for frame in frames:
            yield _Task(frame, subject)
