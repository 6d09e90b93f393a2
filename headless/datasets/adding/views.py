"""Views that were added one by one: each subject has its own, where those of a call see all subjects from the same cameras.

The record names every one of them with its camera, so that a folder whose lists are being written anew forgets nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.errors import DNeRFError, OutputError
from dnerf_core.files.names import view_name
from dnerf_core.files.view_poses import Pose
from dnerf_core.subject_key import SubjectFile, SubjectKey

FIRST_FREE = 1_000_000
"""From here on subjects are numbered that cannot have a seed's number: of files, and of a seed that is there with another truncation."""

_SAME_CAMERA = 1e-9
"""Cameras of one place may differ so much, by the last bits of another numpy's sines."""


@dataclass(frozen=True)
class SceneAround:
    """The artist's scene that a view's subject stands in.

    Attributes:
        sha256: of its picture, depth and labels: the same camera sees another view once the scene has changed.
        blend_file: its file's name; empty: not saved.
        blender: the version of Blender that rendered it.
        frame: of the scene.
    """

    sha256: str
    blend_file: str
    blender: str
    frame: int

    @property
    def facts(self) -> dict[str, Any]:
        """What lists say of it."""
        return {"blend_file": self.blend_file, "blender": self.blender, "frame": self.frame}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SceneAround:
        """Raises KeyError or ValueError where it is not what a record has."""
        return cls(str(data["sha256"]), str(data["blend_file"]), str(data["blender"]), int(data["frame"]))


@dataclass(frozen=True, eq=False)
class AddedView:
    """One view.

    Attributes:
        number: among its subject's views.
        camera: in the model's world.
        pose: of its subject there; None: its own.
        camera_name: what its maker calls the camera; empty: nothing.
        scene: what its subject stands in; None: nothing, as the engine shows it.
    """

    number: int
    camera: Camera
    pose: Pose | None = None
    camera_name: str = ""
    scene: SceneAround | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What lists say of it besides its numbers."""
        return ({"camera": self.camera_name} if self.camera_name else {}) | ({} if self.scene is None else self.scene.facts)

    def shows_the_same(self, other: AddedView) -> bool:
        """Whether both show the same from one and the same camera."""
        theirs, own = other.scene, self.scene
        return self.pose == other.pose and (theirs and theirs.sha256) == (own and own.sha256)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """Its camera as one row [25]."""
        return np.concatenate([self.camera.cam2world.ravel(), self.camera.intrinsics.ravel()])

    def to_json(self) -> dict[str, Any]:
        """As a record has it."""
        name = {"camera": self.camera_name} if self.camera_name else {}
        scene = {} if self.scene is None else {"scene": asdict(self.scene)}
        pose = {} if self.pose is None else {"pose": self.pose}
        return {"view": self.number, **name, **self.camera.to_json(), **pose, **scene}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> AddedView:
        """Raises KeyError, TypeError, ValueError or UsageError where it is not what `to_json` gave."""
        pose = data.get("pose")
        numbers = None if pose is None else tuple(float(number) for number in pose)
        scene = None if data.get("scene") is None else SceneAround.from_json(data["scene"])
        return cls(int(data["view"]), Camera.from_json(data, where), numbers, str(data.get("camera", "")), scene)


@dataclass(frozen=True, eq=False)
class AddedSubject:
    """A subject, in its own pose, and its views in the order of their numbers."""

    key: SubjectKey
    views: tuple[AddedView, ...]

    def facts(self, number: int) -> dict[str, Any]:
        """What lists say of it where its number in the data set does not say all: truncation, the seed's own number, the file's name."""
        if self.key.file is not None:
            return {"subject_file": self.key.file.name}
        seed = {} if self.key.seed == number else {"subject_seed": self.key.seed}
        return seed if self.key.truncation == 1.0 else seed | {"truncation": self.key.truncation}

    def title(self, number: int) -> str:
        """What people know it by, where its number does not say all; empty: it does."""
        if not self.facts(number):
            return ""
        return self.key.title if self.key.file is not None else f"{self.key.title}, truncation {self.key.truncation:g}"

    def to_json(self, number: int) -> dict[str, Any]:
        """As a record has it."""
        file, views = self.key.file, [view.to_json() for view in self.views]
        if file is None:
            return {"number": number, "seed": self.key.seed, "truncation": self.key.truncation, "views": views}
        return {"number": number, "subject_file": file.name, "sha256": file.sha256, "path": str(file.path), "views": views}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> AddedSubject:
        """Raises as `AddedView.from_json`."""
        views = tuple(AddedView.from_json(view, where) for view in data["views"])
        if "subject_file" in data:
            file = SubjectFile(Path(str(data["path"])), str(data["sha256"]))
            return cls(SubjectKey(int(data["number"]), 1.0, file), views)
        return cls(SubjectKey(int(data["seed"]), float(data["truncation"])), views)


@dataclass(frozen=True, eq=False)
class AddedViews:
    """The views of a data set by the numbers of their subjects.

    Attributes:
        subjects: in the order in which they were added; each has at least one view.
        earlier: the plan that the folder's record had before these were joined to it; None: it had none.
    """

    subjects: Mapping[int, AddedSubject] = field(default_factory=dict)
    earlier: dict[str, Any] | None = None

    @property
    def truncation(self) -> float | None:
        """Of all subjects; None: they have several, or come from files."""
        found = {None if subject.key.file is not None else subject.key.truncation for subject in self.subjects.values()}
        return found.pop() if len(found) == 1 else None

    @property
    def names(self) -> Iterator[tuple[int, AddedView, str]]:
        """Every view with its subject's number and its name."""
        for number, subject in self.subjects.items():
            for view in subject.views:
                yield number, view, view_name(number, view.number)

    def to_json(self) -> dict[str, Any]:
        """As a record names them."""
        subjects = [subject.to_json(number) for number, subject in self.subjects.items()]
        identities = [{key: value for key, value in subject.items() if key != "path"} for subject in subjects]
        return {"added": subjects, "added_sha256": hashlib.sha256(json.dumps(identities).encode()).hexdigest()}

    @classmethod
    def from_json(cls, plan: dict[str, Any], where: str) -> AddedViews:
        """Those of a record's plan.

        Raises:
            OutputError: they are not what `to_json` gave.
        """
        try:
            subjects = {int(data["number"]): AddedSubject.from_json(data, where) for data in plan["added"]}
        except (KeyError, TypeError, ValueError, DNeRFError) as error:
            raise OutputError(
                f"{where}: added: expected the views of each subject, found others ({error}); restore the file"
            ) from error
        if not subjects or not all(subject.views for subject in subjects.values()):
            raise OutputError(f"{where}: added: expected views of each subject, found none; restore the file")
        return cls(subjects, plan)

    def kept(self, is_kept: Callable[[str], bool]) -> AddedViews:
        """Those whose names are kept; subjects without any are left out."""
        subjects = {}
        for number, subject in self.subjects.items():
            if views := tuple(view for view in subject.views if is_kept(view_name(number, view.number))):
                subjects[number] = replace(subject, views=views)
        return replace(self, subjects=subjects)

    def joined(self, key: SubjectKey, views: Sequence[AddedView]) -> tuple[AddedViews, list[str]]:
        """With more views of a subject, their own numbers aside; those that are there already stay as they are.

        Returns:
            Also the name of each of `views` in the data set, in their order.
        """
        key = key.unposed
        number = self._number(key)
        before = self.subjects[number].views if number in self.subjects else ()
        there, names = list(before), []
        rows = np.empty((len(before) + len(views), 25))
        for place, view in enumerate(before):
            rows[place] = view.numbers
        following = 1 + max((view.number for view in before), default=-1)
        for view in views:
            row = view.numbers
            near = np.flatnonzero(np.abs(rows[: len(there)] - row).max(axis=1, initial=0.0) <= _SAME_CAMERA)
            same = next((there[place] for place in near if there[place].shows_the_same(view)), None)
            if same is None:
                same = replace(view, number=following)
                rows[len(there)] = row
                there.append(same)
                following += 1
            names.append(view_name(number, same.number))
        # of a file the key says where it lies now
        own = AddedSubject(key if key.file is None else key._replace(seed=number), tuple(there))
        return replace(self, subjects={**self.subjects, number: own}), names

    def _number(self, key: SubjectKey) -> int:
        """That of a subject that is there; else its seed, or the first free one."""
        for number, subject in self.subjects.items():
            if subject.key.identity == key.identity:
                return number
        if key.file is None and key.seed not in self.subjects:
            return key.seed
        number = FIRST_FREE
        while number in self.subjects:
            number += 1
        return number
