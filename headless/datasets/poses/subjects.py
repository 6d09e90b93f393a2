"""One subject in the poses that its views take, each made once while views of it are under way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dnerf_core.work.made_once import Once
from headless.datasets.poses.given import Pose

if TYPE_CHECKING:
    from dnerf_core.subject import Subject

T = TypeVar("T")

KEPT_POSES = 8
"""A pose's grid and field are megabytes, and a motion has thousands; threads at work on views of one subject are fewer."""


class PosedSubjects:
    """A subject, and the same in other poses; several threads may ask."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.posed = self.remembered(lambda posed: posed)

    def remembered(self, make: Callable[[Subject], T]) -> Callable[[Pose | None], T]:
        """What `make` makes of the subject in a pose (None: its own), made once for each of the last few poses."""
        kept: OrderedDict[Pose | None, Once[T]] = OrderedDict()
        lock = threading.Lock()

        def of_pose(pose: Pose | None) -> T:
            with lock:
                if pose not in kept:
                    kept[pose] = Once(lambda: make(self._in(pose)))
                kept.move_to_end(pose)
                while len(kept) > KEPT_POSES:
                    kept.popitem(last=False)
                found = kept[pose]
            return found.value

        return of_pose

    def _in(self, pose: Pose | None) -> Subject:
        return self.subject if pose is None else self.subject.posed(self.subject.model.pose(pose))
