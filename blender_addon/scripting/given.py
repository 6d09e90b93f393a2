"""What an operator is called with, over what the panel says; read once, since operators and selections do not last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError, did_you_mean

from ..lasting.identity import Held, hold
from ..places import absolute_path

_DIGITS = 6
"""Of a Blender float, which has seven."""


class Given:
    """Values by the names of an operator's options: those that the call gives, else the panel's."""

    def __init__(self, operator: Any, panel: Any, **names: str) -> None:
        """Nothing is read yet.

        Args:
            operator: has the options; None: the panel alone counts.
            panel: has properties of the same names.
            names: what else the panel calls an option.
        """
        self._operator, self._panel, self._names = operator, panel, names

    def has(self, name: str) -> bool:
        """Whether the call gives it."""
        return self._operator is not None and bool(self._operator.properties.is_property_set(name))

    def __getitem__(self, name: str) -> Any:
        if self.has(name):
            return plain(getattr(self._operator, name))
        return plain(getattr(self._panel, self._names.get(name, name)))

    def alone(self, *names: str) -> dict[str, Any]:
        """Of these the ones that the call gives, as a request has them: what the panel does not know is the engine's."""
        values = {name: plain(getattr(self._operator, name)) for name in names if self.has(name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def paths(self, name: str) -> list[Path]:
        """The paths of an option that the call gives, absolute, with `os.pathsep` between them.

        Raises:
            UsageError: one is empty, or beside a .blend file that has not been saved.
        """
        return [absolute_path(text, name) for text in getattr(self._operator, name).split(os.pathsep)]

    def files(self, name: str) -> list[Path]:
        """The same of files.

        Raises:
            UsageError: as `paths`, or one is not there.
        """
        return [existing_file(path, name) for path in self.paths(name)]

    def file(self, name: str) -> Path:
        """The one file of an option that the call gives, absolute.

        Raises:
            UsageError: as `files`.
        """
        return existing_file(absolute_path(getattr(self._operator, name), name), name)

    def named(self, scene: bpy.types.Scene, name: str, kind: str = "") -> Held | None:
        """The object whose name the call gives; None: it gives none.

        Args:
            kind: what it has to be, such as "CAMERA"; "": anything.

        Raises:
            UsageError: the scene has none of that name and kind.
        """
        return object_named(scene, name, getattr(self._operator, name), kind) if self.has(name) else None


def existing_file(path: Path, what: str) -> Path:
    """The path itself.

    Raises:
        UsageError: no file is there.
    """
    if not path.is_file():
        raise UsageError(f"{what}: expected a file at {path}, found none; correct the path")
    return path


def object_named(scene: bpy.types.Scene, what: str, name: str, kind: str = "") -> Held | None:
    """An object of the scene by its name; None: the name is empty. See `Given.named`."""
    item = scene.objects.get(name)
    if not name:
        return None
    if item is None or (kind and item.type != kind):
        word = kind.lower() or "object"
        there = [other.name for other in scene.objects if not kind or other.type == kind]
        raise UsageError(
            f"{what}: expected {'an' if word[0] in 'aeo' else 'a'} {word} of the scene {scene.name!r}, found none of the name "
            f"{name!r}{did_you_mean(name, there)}; correct it"
        )
    return hold(item)


def plain(value: Any) -> Any:
    """A property's value as Python's own: floats rounded to what Blender holds of them."""
    if isinstance(value, float):
        return round(value, _DIGITS) + 0.0
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, bool | int | str):
        return value
    return tuple(plain(item) for item in value)
