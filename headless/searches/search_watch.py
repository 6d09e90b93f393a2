"""What is shown while an inversion or an edit runs: a progress bar, events, and a picture of how far it is, every few seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.camera import Camera
from dnerf_core.inversion.descent import Progress, Watch
from dnerf_core.inversion.pose import camera_at
from dnerf_core.labels import LabelSet
from dnerf_core.rendering.final_picture import to_uint8
from dnerf_core.subject import Subject
from headless.pictures.progress_picture import ProgressPicture

if TYPE_CHECKING:
    from headless.work.reporting import Reporter

PICTURE_SECONDS = 2.0
"""Between two pictures."""


class SearchWatch:
    """The watch of one picture.

    Args:
        subject_of: a subject of latents; what a mask is compared with is rendered of it.
        target: what it aims at, uint8 [S, S, 3]: a photo, or a mask in its labels' colours.
        path: of the progress picture.
        name: of the picture, for people.
    """

    def __init__(
        self,
        subject_of: Callable[[Tensor], Subject],
        target: NDArray[np.uint8],
        path: Path,
        name: str,
        *,
        labels: LabelSet | None,
        camera: Camera | None = None,
    ) -> None:
        """labels: of a mask; None: the target is a photo. camera: where a mask is seen from; None: from the angles reported."""
        self.path = path
        self._subject_of, self._target, self._name, self._labels, self._camera = subject_of, target, name, labels, camera
        self._picture, self._next = ProgressPicture(path), 0.0

    @contextmanager
    def watching(self, reporter: Reporter, steps: int, stop: Callable[[], bool]) -> Iterator[Watch]:
        """Yields the engine's watch of `steps` steps; it goes on until `stop` says to end."""
        with reporter.progress(self._name, steps) as advance:

            def look(progress: Progress) -> bool:
                advance()
                if time.monotonic() >= self._next:
                    self._show(progress)
                    reporter.event("progress", picture=self._name, **progress_json(progress))
                    self._next = time.monotonic() + PICTURE_SECONDS
                return not stop()

            yield look

    def _show(self, progress: Progress) -> None:
        caption = f"{progress.stage}, step {progress.step} of {progress.steps}, loss {progress.loss:.4g}"
        self._picture.show(caption, [(self._name, self._target, self._current(progress))])

    def _current(self, progress: Progress) -> NDArray[np.uint8]:
        size_px = len(self._target)
        if self._labels is None:
            return to_uint8(progress.image[None], size_px)[0]
        subject = self._subject_of(progress.ws)
        subject = subject if progress.pose is None else subject.posed(progress.pose)
        yaw_rad, pitch_rad = math.radians(progress.yaw_deg), math.radians(progress.pitch_deg)
        mask = subject.coarse(self._camera or camera_at(yaw_rad, pitch_rad, subject.model.config.cameras)).mask
        assert mask is not None
        colors = self._labels.colorize(mask)
        rows = np.arange(size_px) * len(colors) // size_px
        return colors[rows][:, rows]


def progress_json(progress: Progress) -> dict[str, Any]:
    """A step as JSON values."""
    return {
        "stage": progress.stage,
        "step": progress.step,
        "steps": progress.steps,
        "loss": round(progress.loss, 6),
        "yaw_deg": round(progress.yaw_deg, 3),
        "pitch_deg": round(progress.pitch_deg, 3),
    }
