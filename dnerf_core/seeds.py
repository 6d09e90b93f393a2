"""Seeds number subjects: what a seed may be, and lists of them as text such as `0-7,12`."""

from __future__ import annotations

import re

# Relative, because the extension carries this module under a package name of Blender's choosing.
from .errors import brief
from .limits import MAX_SEED, MAX_SUBJECTS


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from text such as `0-7` or `0,3,9-12`, in the order written.

    Raises:
        ValueError: not of that form, a seed named twice, a range that runs backwards, or a number out of range.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,12})\s*(?:-\s*(\d{1,12})\s*)?", part, re.ASCII)
        if match is None:
            raise ValueError(f"expected seeds such as 0-7 or 0,3,9-12, found {brief(text)}")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise ValueError(f"the range {part.strip()!r} runs backwards; write {last}-{first}")
        if last > MAX_SEED:
            raise ValueError(f"a seed is at most {MAX_SEED}, found {last}")
        if len(seeds) + last - first + 1 > MAX_SUBJECTS:
            raise ValueError(f"at most {MAX_SUBJECTS} seeds in one call, {brief(text)} names more; split the job")
        seeds.extend(range(first, last + 1))
    seen: set[int] = set()
    for seed in seeds:
        if seed in seen:
            raise ValueError(f"seed {seed} is named twice in {brief(text)}")
        seen.add(seed)
    return tuple(seeds)


def format_seeds(seeds: tuple[int, ...]) -> str:
    """The shortest text that `parse_seeds` reads back as `seeds`."""
    parts: list[str] = []
    start = 0
    for index in range(1, len(seeds) + 1):
        if index == len(seeds) or seeds[index] != seeds[index - 1] + 1:
            first, last = seeds[start], seeds[index - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            start = index
    return ",".join(parts)
