"""The subjects of a call: by their seeds, or out of subject files, which stand in for seeds and are numbered from 0 as they are given."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dnerf_core.errors import AnnotationError, CheckpointError, UsageError

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject


@dataclass(frozen=True)
class SubjectFile:
    """A subject file as a call names it. It can be pickled and sent to another process.

    Attributes:
        path: absolute.
        sha256: of its content.
        tuned: whether some of the generator's weights are replaced for it.
    """

    path: Path
    sha256: str
    tuned: bool = False

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    def check(self) -> None:
        """Make sure that the file is still the one that the call was made with.

        Raises:
            CheckpointError: it is gone, or another one.
        """
        from dnerf_core.checkpoints.model_file import file_sha256

        try:
            sha256 = file_sha256(self.path)
        except OSError as error:
            raise CheckpointError(
                f"{self.path}: expected a subject file, cannot read it: {error.strerror}; put it back there"
            ) from error
        if sha256 != self.sha256:
            raise CheckpointError(
                f"{self.path}: expected the subject file that the command was called with, sha256 {self.sha256[:16]}..., "
                f"found sha256 {sha256[:16]}...; put the same file there"
            )

    def open(self, model: Model) -> Subject:
        """The subject.

        Raises:
            CheckpointError: the file is another one by now, or cannot be used with this model.
        """
        from dnerf_core.checkpoints.subject_file import open_subject, read_subject_file

        self.check()
        return open_subject(model, read_subject_file(self.path), str(self.path))


class SubjectKey(NamedTuple):
    """Which subject of a given model.

    Attributes:
        seed: its seed; of a subject file its number in the call.
        truncation: the factor psi; 1 of a subject file.
        file: the subject file; None: the seed's subject.
        pose: the numbers of the pose it is shown in, see `LoadedModel.pose`; None: its own.
    """

    seed: int
    truncation: float
    file: SubjectFile | None = None
    pose: tuple[float, ...] | None = None

    @property
    def title(self) -> str:
        """What people know it by."""
        return f"seed {self.seed}" if self.file is None else self.file.name

    @property
    def short_title(self) -> str:
        """The same where there is little room: of a file the beginning of its name."""
        if self.file is None:
            return self.title
        stem = self.file.path.stem
        return stem if len(stem) <= 11 else f"{stem[:9]}.."

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells it from other subjects of the model, plain JSON values: of a file its content, whatever number and name it has."""
        own = (self.seed, self.truncation) if self.file is None else (self.file.sha256,)
        return own if self.pose is None else (*own, *self.pose)

    @property
    def unposed(self) -> SubjectKey:
        """The same subject in its own pose."""
        return self._replace(pose=None)

    def open(self, model: Model) -> Subject:
        """Make the subject.

        Raises:
            CheckpointError: its file cannot be used.
            UsageError: the model's subjects take no such pose.
        """
        subject = model.subject(self.seed, truncation=self.truncation) if self.file is None else self.file.open(model)
        return subject if self.pose is None else subject.posed(model.pose(self.pose))


class HasSubjects(Protocol):
    """A plan of any command that knows its subjects by number: the seed, or the place among its subject files."""

    @property
    def truncation(self) -> float:
        """The factor psi of all."""

    @property
    def subject_files(self) -> tuple[SubjectFile, ...]:
        """Where the subjects come from; empty: from seeds."""


def subject_key(plan: HasSubjects, number: int) -> SubjectKey:
    """The subject that a plan knows by this number."""
    return SubjectKey(number, plan.truncation, plan.subject_files[number] if plan.subject_files else None)


def checked_subject_file(path: Path, model_path: Path) -> SubjectFile:
    """A subject file, looked at whole.

    Raises:
        CheckpointError: it cannot be used, or is of another generator than the model file's.
    """
    from dnerf_core.checkpoints.model_file import file_sha256
    from dnerf_core.checkpoints.subject_file import check_subject_file

    header = check_subject_file(path, model_path)
    return SubjectFile(path.resolve(), file_sha256(path), bool(header.tuned))


def checked_subject_files(paths: Sequence[Path], model_path: Path) -> tuple[SubjectFile, ...]:
    """The subject files of a call in their order.

    Raises:
        UsageError: one given twice.
        CheckpointError: as `checked_subject_file`.
    """
    by_sha256: dict[str, SubjectFile] = {}
    for path in paths:
        file = checked_subject_file(path, model_path)
        if file.sha256 in by_sha256:
            raise UsageError(
                f"--subject {path}: expected each subject once, found the content of {by_sha256[file.sha256].path} again; leave one out"
            )
        by_sha256[file.sha256] = file
    return tuple(by_sha256.values())


def files_json(files: Sequence[SubjectFile]) -> dict[str, Any]:
    """As a record names them: by what they hold and for people by their names, wherever they lie; nothing where there are none."""
    if not files:
        return {}
    together = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    return {
        "subject_files": [{"number": number, "file": file.name, "sha256": file.sha256} for number, file in enumerate(files)],
        "subjects_sha256": together,
    }


def paths_json(files: Sequence[SubjectFile]) -> dict[str, Any]:
    """Where they lie, for a record from which they are opened again (`recorded_files`); nothing where there are none."""
    return {"subject_paths": [str(file.path) for file in files]} if files else {}


def recorded_files(plan: dict[str, Any], count: int, where: str) -> tuple[SubjectFile, ...]:
    """The subject files that a record's plan names, by `files_json` and `paths_json`; empty: its subjects come from seeds.

    Args:
        count: how many subjects the plan has.
        where: how a message begins.

    Raises:
        AnnotationError: the entries are not what was written.
    """
    if "subject_files" not in plan:
        return ()
    entries, paths = plan["subject_files"], plan.get("subject_paths")
    files = []
    if isinstance(entries, list) and isinstance(paths, list) and len(entries) == len(paths):
        for entry, path in zip(entries, paths, strict=True):
            sha256 = entry.get("sha256") if isinstance(entry, dict) else None
            if (
                isinstance(sha256, str)
                and re.fullmatch("[0-9a-f]{64}", sha256)
                and isinstance(path, str)
                and Path(path).is_absolute()
            ):
                files.append(SubjectFile(Path(path), sha256))
    if len(files) != count or len(entries) != count:
        raise AnnotationError(f"{where}: subject_files, subject_paths: expected {count} files, found others; restore the file")
    return tuple(files)
