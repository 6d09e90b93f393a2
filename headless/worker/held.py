"""Models and subjects that stay loaded between requests: a few, the least recently used go first."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.checkpoints import model_facts
from dnerf_core.checkpoints.model_file import file_sha256
from dnerf_core.checkpoints.subject_file import read_subject_header
from dnerf_core.embedded import model_path
from dnerf_core.errors import UsageError
from dnerf_core.subject_key import SubjectFile, SubjectKey
from headless import models

if TYPE_CHECKING:
    from dnerf_core.inversion.latents import WStatistics
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

MAX_HELD_MODELS = 2
MAX_HELD_SUBJECTS = 4
"""Of each model. One is 0.3 GB at full size."""

_Stamp = tuple[int, int, int]


@dataclass
class HeldModel:
    """A loaded model and its last subjects.

    Attributes:
        subjects: by `SubjectKey.identity`.
        stamp: time, size and inode of its file when it was loaded; the last changes too when a file takes another's place.
        fine_s: seconds that its last whole view took; None: not known yet.
    """

    model: Model
    stamp: _Stamp
    subjects: OrderedDict[tuple[Any, ...], Subject] = field(default_factory=OrderedDict)
    fine_s: float | None = None
    _statistics: tuple[int, WStatistics] | None = None

    def holds(self, key: SubjectKey) -> bool:
        """Whether a subject is there already."""
        return key.identity in self.subjects

    def subject(self, key: SubjectKey) -> Subject:
        """The subject, with all that its views read made by one thread, as commands do it: the same bits whoever asks first.

        Raises:
            CheckpointError: its file cannot be used with this model.
        """
        if key.identity not in self.subjects:
            with models.one_thread_a_view():
                if key.pose is None:
                    subject = key.open(self.model)
                else:  # its planes serve every pose
                    subject = self.subject(key.unposed)
                    subject = subject.posed(subject.model.pose(key.pose))
                subject.prepare()
            self.subjects[key.identity] = subject
            while len(self.subjects) > MAX_HELD_SUBJECTS:
                self.subjects.popitem(last=False)
        self.subjects.move_to_end(key.identity)
        return self.subjects[key.identity]

    def w_statistics(self, seed: int) -> WStatistics:
        """Statistics of w, which the next search of the same seed finds there."""
        if self._statistics is None or self._statistics[0] != seed:
            from dnerf_core.inversion.latents import w_statistics

            self._statistics = seed, w_statistics(self.model, seed)
        return self._statistics[1]


class HeldModels:
    """The loaded models by file."""

    def __init__(self, device: str) -> None:
        """device: "auto", "cpu" or "cuda"."""
        self.device = device
        self._held: OrderedDict[Path, HeldModel] = OrderedDict()
        self._files: dict[Path, tuple[_Stamp, SubjectFile]] = {}

    def get(self, name_or_path: str) -> HeldModel:
        """The model, loaded where it is not or where its file has changed.

        Raises:
            UsageError: no such model.
            CheckpointError: its file cannot be used.
        """
        path = model_path(name_or_path).resolve()
        stamp = _stamp(path)
        held = self._held.get(path)
        if held is None or held.stamp != stamp or stamp is None:
            self._held.pop(path, None)
            model_facts.describe_model(name_or_path)  # refuses what cannot be used by a line of its own
            held = HeldModel(models.load_model(name_or_path, self.device), stamp or (0, 0, 0))
            self._held[path] = held
        self._held.move_to_end(path)
        while len(self._held) > MAX_HELD_MODELS:
            self._held.popitem(last=False)
        return held

    def key(self, chosen: SubjectKey | Path, pose: tuple[float, ...] | None = None) -> SubjectKey:
        """The subject that a request names, or that is in the subject file it names, which is read again where it has changed.

        Args:
            pose: that it takes; None: its own.

        Raises:
            UsageError: no such file.
            CheckpointError: it is no subject file.
        """
        if isinstance(chosen, SubjectKey):
            return chosen._replace(pose=pose)
        stamp = _stamp(chosen)
        if stamp is None:
            raise UsageError(f"params: subject_file: expected a subject file, found none at {chosen}; correct the request")
        known = self._files.get(chosen)
        if known is None or known[0] != stamp:
            tuned = bool(read_subject_header(chosen).tuned)
            known = self._files[chosen] = stamp, SubjectFile(chosen, file_sha256(chosen), tuned)
        return SubjectKey(0, 1.0, known[1], pose)

    def subject(self, name_or_path: str, key: SubjectKey) -> Subject:
        """A subject of a model, as runs ask for it; see `get` and `HeldModel.subject`."""
        return self.get(name_or_path).subject(key)

    def clear(self) -> None:
        """Let all go: their memory is needed."""
        self._held.clear()
        free_device_memory()

    def names(self) -> list[str]:
        """The files of the loaded models; the last used one last."""
        return [str(path) for path in self._held.copy()]


def free_device_memory() -> None:
    """Give back what torch keeps of a device's memory for its next arrays."""
    import gc

    import torch

    gc.collect()  # a subject and its model know each other
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
