"""Which joints of a source drive which joints of a target: found by roles, shown as a table, kept as JSON that people edit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PoseError, brief, did_you_mean, json_fault
from ..files.opening.json_text import without_surrogates
from ..files.opening.regular_files import open_regular
from ..files.whole import whole_file
from .roles import FINGERS, Roles
from .skeleton import Skeleton

MAX_MAP_BYTES = 2**20
KIND = "datasetnerf_bone_map"

_STAND_INS = {f"fingers_{i}": (f"middle_{i}", f"index_{i}") for i in (1, 2)} | {
    f"{finger}_{i}": (f"fingers_{i}",) for finger in FINGERS[1:] for i in (1, 2)
}
"""Of a rig whose fingers are one, and of one whose fingers are five: what stands for a role that the source has not."""

Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class BoneMap:
    """What drives what.

    Attributes:
        sources: by the target's joint, the source's joints with their shares, one with 1.0, or two whose shares add up to 1 where a chain
            such as the spine has another number of joints.
        unmapped_source: joints of the source that drive nothing.
        unmapped_target: joints of the target that nothing drives; they follow their parents.
    """

    sources: Mapping[str, Shares]
    unmapped_source: tuple[str, ...] = ()
    unmapped_target: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """(target, source) as texts, for a table; `-` where there is none."""
        shown = [(target, " + ".join(_share_text(*pair) for pair in pairs)) for target, pairs in self.sources.items()]
        return shown + [(name, "-") for name in self.unmapped_target] + [("-", name) for name in self.unmapped_source]

    def table(self) -> list[str]:
        """The rows as lines of a table."""
        rows = [("driven", "by"), *self.rows()]
        width = max(len(target) for target, _ in rows)
        return [f"{target:<{width}}  {source}" for target, source in rows]

    def to_json(self) -> dict[str, Any]:
        """As `read_bone_map` reads it: pairs [source, target], with a share where it is not 1."""
        pairs = [
            [source, target] if share == 1.0 else [source, target, round(share, 6)]
            for target, sources in self.sources.items()
            for source, share in sources
        ]
        return {KIND: 1, "pairs": pairs}


def bone_map_between(source: Skeleton, target: Skeleton) -> BoneMap:
    """The map by equal names where the skeletons are called the same, else by roles; chains of other lengths are spread evenly."""
    if set(target.names) <= set(source.names):
        return _with_the_rest({name: ((name, 1.0),) for name in target.names}, source, target)
    own, theirs = target.roles, source.roles
    sources: dict[int, Shares] = {}
    for role, joint in own.joint_by_role.items():
        if (found := _source_of(role, own, theirs)) is not None:
            sources[joint] = ((source.names[found], 1.0),)
    hips = source.names[theirs.joint_by_role.get("hips", 0)]
    chest = source.names[theirs.spine[-1]] if theirs.spine else hips
    _spread(sources, own.spine, [source.names[joint] for joint in theirs.spine], hips, None)
    head = theirs.joint_by_role.get("head")
    _spread(
        sources, own.neck, [source.names[joint] for joint in theirs.neck], chest, None if head is None else source.names[head]
    )
    if "head" in own.joint_by_role and head is None and theirs.neck:
        sources[own.joint_by_role["head"]] = ((source.names[theirs.neck[-1]], 1.0),)
    named = {target.names[joint]: sources[joint] for joint in sorted(sources)}
    return _with_the_rest(named, source, target)


def read_bone_map(path: Path, source: Skeleton, target: Skeleton) -> BoneMap:
    """A map out of a JSON file, held against the two skeletons.

    Raises:
        PoseError: no such file, other JSON, unknown names, or shares that do not add up to 1.
    """
    fields = read_json_object(path, MAX_MAP_BYTES, "a bone map")
    pairs = fields.get("pairs")
    if fields.get(KIND) != 1 or not isinstance(pairs, list):
        raise PoseError(
            f"{path}: expected a bone map ({KIND!r}: 1 and 'pairs'), found other fields; write one with --write-bone-map"
        )
    shares: dict[str, list[tuple[str, float]]] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) not in (2, 3) or not all(isinstance(name, str) for name in pair[:2]):
            raise PoseError(
                f"{path}: expected pairs [source, target] or [source, target, share], found {brief(pair)}; correct it"
            )
        for name, skeleton, what in ((pair[0], source, "source"), (pair[1], target, "target")):
            if name not in skeleton.names:
                near = did_you_mean(name, skeleton.names)
                raise PoseError(f"{path}: expected a joint of the {what}, found {brief(name)}{near}; correct the name")
        share = pair[2] if len(pair) == 3 else 1.0
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise PoseError(f"{path}: {pair[1]}: expected a share above 0 up to 1, found {brief(share)}; correct it")
        shares.setdefault(pair[1], []).append((pair[0], float(share)))
    for name, found in shares.items():
        if len(found) > 2 or abs(sum(share for _, share in found) - 1) > 1e-3:
            raise PoseError(f"{path}: {name}: expected one source, or two whose shares add up to 1, found others; correct it")
    named = {name: tuple(shares[name]) for name in target.names if name in shares}
    if not named:
        raise PoseError(f"{path}: expected at least one pair, found none; write one with --write-bone-map")
    return _with_the_rest(named, source, target)


def write_bone_map(path: Path, bone_map: BoneMap) -> None:
    """Writes the map as JSON, a pair a line.

    Raises:
        OutputError: the file cannot be written.
    """
    pairs = ",\n  ".join(json.dumps(pair) for pair in bone_map.to_json()["pairs"])
    with whole_file(path) as temporary:
        temporary.write_text(f'{{"{KIND}": 1, "pairs": [\n  {pairs}\n]}}\n', encoding="utf-8")


def read_json_object(path: Path, most_bytes: int, what: str) -> dict[str, Any]:
    """A JSON object out of a regular file of limited size.

    Raises:
        PoseError: it is none.
    """
    try:
        with open_regular(path) as file:
            raw = file.read(most_bytes + 1)
    except OSError as error:
        raise PoseError(f"{path}: expected {what}, cannot read it: {error.strerror}; check the path") from error
    if len(raw) > most_bytes:
        raise PoseError(f"{path}: expected {what} of at most {most_bytes} bytes, found more; cut it into smaller ones")
    try:
        value = without_surrogates(json.loads(raw.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise PoseError(f"{path}: expected {what} as JSON in UTF-8, found other bytes; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise PoseError(f"{path}: expected {what} as JSON, found {json_fault(error)}; correct it") from error
    if not isinstance(value, dict):
        raise PoseError(f"{path}: expected {what} as a JSON object, found {type(value).__name__}; correct it")
    return value


def _source_of(role: str, own: Roles, theirs: Roles) -> int | None:
    """The source's joint for a role of the target; where one of the two has no finger of its own kind, its stand-in."""
    if role in theirs.joint_by_role:
        return theirs.joint_by_role[role]
    side, _, kind = role.partition("_")
    stand_ins = (f"{side}_{name}" for name in _STAND_INS.get(kind, ()))
    return next((theirs.joint_by_role[name] for name in stand_ins if name in theirs.joint_by_role), None)


def _spread(sources: dict[int, Shares], chain: Sequence[int], givers: Sequence[str], below: str, above: str | None) -> None:
    """Give each joint of a chain its place among the source's, whose last is the chain's last; `below` is what it grows from.

    Where the source has no such chain, it is bent evenly between `below` and `above`; nothing is given without an `above`.
    """
    steps = [below, *givers]
    for i, joint in enumerate(chain, start=1):
        if givers:
            place = i * len(givers) / len(chain)
        elif above is not None:
            steps, place = [below, above], i / (len(chain) + 1)
        else:
            return
        low = int(place + 1e-9)
        share = place - low
        if share < 1e-9:
            sources[joint] = ((steps[low], 1.0),)
        else:
            sources[joint] = ((steps[low], 1.0 - share), (steps[low + 1], share))


def _with_the_rest(sources: dict[str, Shares], source: Skeleton, target: Skeleton) -> BoneMap:
    used = {name for pairs in sources.values() for name, _ in pairs}
    if not sources:
        raise PoseError(
            f"bone map: expected joints of a known kind, found {source.names[0]!a} and others that match none of {target.names[0]!a} "
            "and others; write a bone map"
        )
    return BoneMap(
        sources,
        tuple(name for name in source.names if name not in used),
        tuple(name for name in target.names if name not in sources),
    )


def _share_text(name: str, share: float) -> str:
    return name if share == 1.0 else f"{share:.2g} {name}"
