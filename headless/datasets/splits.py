"""Splits of a data set: which one a subject is in, and their text form."""

from __future__ import annotations

import hashlib
import math
import re

from dnerf_core.errors import brief
from headless.datasets.channels import BY_FOLDER
from headless.datasets.formats.registry import ENTRIES

Splits = tuple[tuple[str, float], ...]
"""Names and shares, which make 1 together; empty: not split."""

MAX_SPLITS = 20
_RESERVED = (*BY_FOLDER, *(folder for entry in ENTRIES.values() for folder in entry.folders))
"""Names of folders that a data set has itself."""


def parse_splits(text: str) -> Splits:
    """Splits from text such as `train=0.8,val=0.1,test=0.1`.

    Raises:
        ValueError: not of that form, a name twice or one that a data set's own folder has, or shares that do not make 1.
    """
    splits: list[tuple[str, float]] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([a-z][a-z0-9_]{0,30})\s*=\s*([0-9]*\.?[0-9]+)\s*", part, re.ASCII)
        if match is None:
            raise ValueError(f"expected splits such as train=0.8,val=0.1,test=0.1, found {brief(text)}")
        name, share = match[1], float(match[2])
        if name in _RESERVED:
            raise ValueError(f"expected other names than {', '.join(_RESERVED)}, found {name}; rename the split")
        if name in dict(splits):
            raise ValueError(f"expected each split once, found {name} twice")
        if share == 0:
            raise ValueError(f"expected shares above 0, found {name}={match[2]}; leave it out")
        splits.append((name, share))
    if len(splits) > MAX_SPLITS:
        raise ValueError(f"expected at most {MAX_SPLITS} splits, found {len(splits)}")
    total = math.fsum(share for _, share in splits)
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        raise ValueError(f"expected shares that make 1 together, found {total:g}")
    return tuple(splits)


def format_splits(splits: Splits) -> str | None:
    """The text form of `--splits`; None where there are none."""
    return ",".join(f"{name}={share:.12g}" for name, share in splits) or None


def split_of(splits: Splits, seed: int) -> str:
    """The split of a seed, "" of no splits. It depends on the seed and the shares alone, so more subjects move nobody.

    A hash of the seed is a point in [0, 1); splits are stretches of that length, one after the other.
    """
    if not splits:
        return ""
    point = int.from_bytes(hashlib.sha256(f"split {seed}".encode()).digest()[:8], "big") / 2**64
    end = 0.0
    for name, share in splits:
        end += share
        if point < end:
            return name
    return splits[-1][0]
