"""What the joints of a skeleton are for: roles such as `left_forearm`, from names as programs give them, and from the tree.

Known are the names of CMU's captures, Mixamo, Rigify, MakeHuman (its own and the game engine's), SMPL, Unreal, Daz and Biped, with
Blender's ways to spell sides. Two customs are told apart by whether a name says elbow or knee: joints (SMPL: the shoulder is where the
upper arm turns) and bones (Mixamo: the shoulder is the collar bone, the arm turns in `Arm`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDES = ("left", "right")
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

_PREFIXES = re.compile(
    r"^(?:.*[:|])?(?:mixamorig\d*[_ ]?|(?:def|org|mch)[-_]|bip0*\d*[ _]+|valvebiped[._]|cc_base_|j_bip_c_|j_bip_"
    r"|m_avg_|f_avg_|b_(?=[a-z]))*",
    re.IGNORECASE,
)
_SUFFIX_SIDE = re.compile(r"^(.+?)[._\- ](l|r|left|right)((?:[._]\d+)?)$", re.IGNORECASE)
_PREFIX_SIDE = re.compile(r"^(left|right)[._\- ]?(.+)$", re.IGNORECASE)
_LETTER_SIDE = re.compile(r"^([lLrR])(?:[._\- ](.+)|([A-Z][a-z].*))$")
_FINGER = re.compile(r"^(?:hand|f)?(thumb|index|middle|mid|ring|pinky|little)(?:finger)?(?:proximal|0*)(\d*)$")
_NUMBERED_FINGER = re.compile(r"^finger(\d)(\d)$")
_BASE = re.compile(r"^(.*?)(\d*)$")
_HELPERS = ("helper", "twist", "roll", "glue", "ik", "pole", "target", "ctrl", "control", "end", "nub", "heel", "breast", "eye")

_BONES = {
    "clavicle": ("clavicle", "collar", "shoulder", "collarbone"),
    "upper_arm": ("upperarm", "arm", "uparm", "shldr", "bicep"),
    "forearm": ("forearm", "lowerarm", "lowarm"),
    "hand": ("hand", "wrist"),
    "hip_joint": ("hipjoint", "pelvis"),
    "thigh": ("thigh", "upleg", "upperleg", "hip"),
    "shin": ("shin", "leg", "calf", "lowerleg", "lowleg"),
    "foot": ("foot", "ankle"),
    "toe": ("toe", "toebase", "ball", "toes"),
    "fingers_1": ("fingerbase", "fingers"),
}
_JOINTS = {
    "clavicle": ("clavicle", "collar", "chest"),
    "upper_arm": ("shoulder", "upperarm"),
    "forearm": ("elbow", "forearm"),
    "hand": ("wrist",),
    "hip_joint": ("hipjoint", "pelvis"),
    "thigh": ("hip", "thigh"),
    "shin": ("knee",),
    "foot": ("ankle",),
    "toe": ("foot", "toe", "toebase", "ball", "toes"),
    "fingers_1": ("hand", "fingerbase", "fingers"),
}
_MIDDLE = {
    "root": ("root", "reference", "armature", "master", "trajectory"),
    "hips": ("hips", "pelvis", "hip"),
    "spine": ("spine", "lowerback", "abdomen", "chest", "upperchest", "torso", "waist", "back"),
    "neck": ("neck",),
    "head": ("head",),
}
LIMBS = (("clavicle", "upper_arm", "forearm", "hand"), ("hip_joint", "thigh", "shin", "foot", "toe"))
TRUNK = ("root", "hips", "spine", "neck", "head", "clavicle", "hip_joint")
"""Roles whose directions at rest tell how a skeleton was built, not how its rest pose is held."""


@dataclass(frozen=True)
class Roles:
    """Which joint does what.

    Attributes:
        joint_by_role: joint index by role: `root`, `hips`, `head`, `left_thigh`, `right_index_2`, ...
        spine: joints between hips (left out) and the one that neck and arms grow from (included), upwards.
        neck: joints between that one and the head, both left out, upwards.
    """

    joint_by_role: dict[str, int]
    spine: tuple[int, ...]
    neck: tuple[int, ...]

    def names_by_joint(self) -> dict[int, str]:
        """Roles by joint index; joints of spine and neck have `spine` and `neck`."""
        chains = {**dict.fromkeys(self.spine, "spine"), **dict.fromkeys(self.neck, "neck")}
        return chains | {joint: role for role, joint in self.joint_by_role.items()}


def kind_of(role: str) -> str:
    """A role without its side: `left_thigh` is a `thigh`."""
    return re.sub(r"^(left|right)_", "", role)


def side_and_base(name: str) -> tuple[str, str]:
    """("left", "right" or "", and what remains in lower-case letters and digits) of a joint's name."""
    bare = _PREFIXES.sub("", name, count=1) or name
    side = ""
    if found := _SUFFIX_SIDE.match(bare):
        bare, side = found[1] + found[3], found[2]
    elif (found := _PREFIX_SIDE.match(bare)) and found[2]:
        side, bare = found[1], found[2]
    elif found := _LETTER_SIDE.match(bare):
        side, bare = found[1], found[2] or found[3]
    word = {"l": "left", "r": "right"}.get(side[:1].lower(), "")
    return word, re.sub(r"[^a-z0-9]", "", bare.lower())


def roles_of(names: Sequence[str], parents: NDArray[np.int32] | None = None) -> Roles:
    """The roles of a skeleton's joints; what no name or place in the tree tells is left out.

    Args:
        parents: as `PoseClip` has them; None: names alone decide.
    """
    if parents is not None and 0 < sum(name.startswith("DEF-") for name in names) < len(names):
        kept, above = _deforming(names, parents)
        roles = roles_of([names[joint] for joint in kept], above)
        return Roles(
            {role: kept[joint] for role, joint in roles.joint_by_role.items()},
            tuple(kept[joint] for joint in roles.spine),
            tuple(kept[joint] for joint in roles.neck),
        )
    parts = [side_and_base(name) for name in names]
    order = sorted(range(len(names)), key=lambda joint: _preference(names[joint]))  # a stable sort: the tree's order within
    uses_joints = any(base.startswith(("elbow", "knee")) for _, base in parts)
    has_finger_base = any(base.startswith("fingerbase") for _, base in parts)
    limbs = {alias: role for role, aliases in (_JOINTS if uses_joints else _BONES).items() for alias in aliases}
    middle = {alias: role for role, aliases in _MIDDLE.items() for alias in aliases}
    found: dict[str, int] = {}
    chains: dict[str, list[int]] = {"spine": [], "neck": []}
    for joint in order:
        side, base = parts[joint]
        match = _BASE.match(base)
        assert match is not None  # the pattern matches any text
        if any(word in base for word in _HELPERS) and base not in limbs:
            continue
        if side and (finger := _finger(base, has_finger_base)):
            found.setdefault(f"{side}_{finger}", joint)
        elif side and match[1] in limbs:
            found.setdefault(f"{side}_{limbs[match[1]]}", joint)
        elif not side and (role := middle.get(match[1])):
            if role in chains:
                chains[role].append(joint)
            else:
                found.setdefault(role, joint)
    if parents is None:
        return Roles(found, tuple(sorted(chains["spine"])), tuple(sorted(chains["neck"])))
    return _with_tree(found, chains, parents)


def _deforming(names: Sequence[str], parents: NDArray[np.int32]) -> tuple[list[int], NDArray[np.int32]]:
    """Of a rig that Rigify made, the bones that deform, and their parents among them: a bone of its mechanism stands for its twin."""
    kept = [joint for joint, name in enumerate(names) if name.startswith("DEF-")]
    place_by_name = {names[joint]: place for place, joint in enumerate(kept)}
    above = np.full(len(kept), -1, np.int32)
    for place, joint in enumerate(kept):
        parent = int(parents[joint])
        while parent >= 0:
            name = names[parent]
            twin = place_by_name.get(name, place_by_name.get("DEF-" + name.removeprefix("ORG-"), place))
            if twin != place and place not in _path(twin, above):
                above[place] = twin
                break
            parent = int(parents[parent])
    return kept, above


def _with_tree(found: dict[str, int], chains: dict[str, list[int]], parents: NDArray[np.int32]) -> Roles:
    """Hips, spine, neck and head by the tree: paths between where legs, arms and head grow from."""
    thighs = [found[role] for side in SIDES if (role := f"{side}_thigh") in found]
    arms = [found[role] for side in SIDES for kind in ("clavicle", "upper_arm") if (role := f"{side}_{kind}") in found]
    if "hips" not in found and len(thighs) == 2:
        # such as MakeHuman's root, or Rigify's first spine
        found["hips"] = _meeting(thighs, parents)
        if found.get("root") == found["hips"]:
            del found["root"]
    hips = found.get("hips")
    tops = [found["head"]] if "head" in found else []
    if not tops and (trunk := chains["neck"] or chains["spine"]):
        tops = [max(trunk, key=lambda joint: len(_path(joint, parents)))]
        if not chains["neck"] and arms and tops[0] not in _path(_meeting(arms, parents), parents):
            found["head"] = tops[0]  # Rigify's last spine is the head
    if hips is None or not (tops or arms):
        return Roles(found, tuple(sorted(chains["spine"])), tuple(sorted(chains["neck"])))
    top = tops[0] if tops else arms[0]
    way = _path(top, parents)
    if hips not in way:
        return Roles(found, tuple(sorted(chains["spine"])), tuple(sorted(chains["neck"])))
    way = way[way.index(hips) + 1 :]
    branch = _meeting([*arms, top], parents) if arms else (chains["spine"] or [hips])[-1]
    split = way.index(branch) + 1 if branch in way else 0
    taken = set(found.values())
    spine = tuple(joint for joint in way[:split] if joint not in taken)
    neck = tuple(joint for joint in way[split:] if joint not in taken)
    return Roles(found, spine, neck)


def _finger(base: str, has_finger_base: bool) -> str | None:
    """The role of a finger's joint without its side, such as `index_2`."""
    if has_finger_base and (found := re.match(r"^(?:handfinger|handindex)(\d)$", base)):
        return f"fingers_{int(found[1]) + 1}"  # CMU: the fingers are one, and this is its second joint
    if found := _NUMBERED_FINGER.match(base):  # MakeHuman: finger2-1 is the first joint of the index
        number, joint = int(found[1]), int(found[2])
        return f"{FINGERS[number - 1]}_{joint}" if 1 <= number <= 5 and joint else None
    if found := _FINGER.match(base):
        name = {"mid": "middle", "little": "pinky"}.get(found[1], found[1])
        return f"{name}_{int(found[2] or 1)}"
    return None


def _preference(name: str) -> int:
    """Of bones of a rig with the same name, those that deform come first, those of its mechanism last."""
    bare = name.rpartition(":")[2].upper()
    return 0 if bare.startswith("DEF-") else 2 if bare.startswith("ORG-") else 3 if bare.startswith("MCH-") else 1


def _path(joint: int, parents: NDArray[np.int32]) -> list[int]:
    """From the root to a joint, both included."""
    way = [joint]
    while parents[way[-1]] >= 0:
        way.append(int(parents[way[-1]]))
    return way[::-1]


def _meeting(joints: Sequence[int], parents: NDArray[np.int32]) -> int:
    """The nearest joint that all of these grow from; one of them where it is the others' ancestor."""
    ways = [_path(joint, parents) for joint in joints]
    common = [row[0] for row in zip(*ways, strict=False) if len(set(row)) == 1]
    return common[-1]
