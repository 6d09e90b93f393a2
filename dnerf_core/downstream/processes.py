"""Which of several processes this one is that train one network together; importing this needs no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dnerf_core.errors import UsageError


@dataclass(frozen=True)
class Process:
    """One of `count` processes.

    Attributes:
        rank: its number; 0 reports and writes.
        local_rank: its number on this machine, which is its GPU's.
        store: the file by which those that this program started find each other; None: by torchrun's environment.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    store: Path | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is the one that reports and writes."""
        return self.rank == 0


ALONE = Process()


def process_of_environment(environment: Mapping[str, str] | None = None) -> Process:
    """Which process this is by torchrun's variables; `ALONE` where they are not set.

    Raises:
        UsageError: they are not numbers that fit each other.
    """
    found = os.environ if environment is None else environment
    if "RANK" not in found or "WORLD_SIZE" not in found:
        return ALONE
    texts = [found["RANK"], found["WORLD_SIZE"], found.get("LOCAL_RANK", found["RANK"])]
    if not all(text.isascii() and text.isdigit() for text in texts) or not int(texts[0]) < int(texts[1]):
        raise UsageError(
            f"RANK, WORLD_SIZE, LOCAL_RANK: expected numbers as torchrun sets them, found {', '.join(texts)}; unset them to train alone"
        )
    return Process(int(texts[0]), int(texts[1]), int(texts[2]))
