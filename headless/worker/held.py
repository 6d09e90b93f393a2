"""Models and subjects that stay loaded between requests: a few, the least recently used go first."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.embedded import model_path
from headless import models

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

MOST_MODELS = 2
MOST_SUBJECTS = 4
"""Of each model. One is 0.3 GB at full size."""

_Stamp = tuple[int, int, int]


@dataclass
class HeldModel:
    """A loaded model and its last subjects.

    Attributes:
        stamp: time, size and inode of its file when it was loaded; the last changes too when a file takes another's place.
        fine_s: seconds that its last whole view took; None: not known yet.
    """

    model: Model
    stamp: _Stamp
    subjects: OrderedDict[tuple[int, float], Subject] = field(default_factory=OrderedDict)
    fine_s: float | None = None

    def holds(self, seed: int, truncation: float) -> bool:
        """Whether a subject is there already."""
        return (seed, truncation) in self.subjects

    def subject(self, seed: int, truncation: float) -> Subject:
        """The subject, with all that its views read made by one thread, as commands do it: the same bits whoever asks first."""
        key = (seed, truncation)
        if key not in self.subjects:
            with models.one_thread_a_view():
                subject = self.model.subject(seed, truncation=truncation)
                subject.prepare()
            self.subjects[key] = subject
            while len(self.subjects) > MOST_SUBJECTS:
                self.subjects.popitem(last=False)
        self.subjects.move_to_end(key)
        return self.subjects[key]


class HeldModels:
    """The loaded models by file."""

    def __init__(self, device: str) -> None:
        """device: "auto", "cpu" or "cuda"."""
        self.device = device
        self._held: OrderedDict[Path, HeldModel] = OrderedDict()

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
            models.describe_model(name_or_path)  # refuses what cannot be used by a line of its own
            held = HeldModel(models.load_model(name_or_path, self.device), stamp or (0, 0, 0))
            self._held[path] = held
        self._held.move_to_end(path)
        while len(self._held) > MOST_MODELS:
            self._held.popitem(last=False)
        return held

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
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
