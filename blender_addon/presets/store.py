"""A user's presets on disk: a JSON file each, which is read as values and never executed, unlike Blender's own presets, which are programs.

Whatever a file says is held against the settings of its group: a name, a type or a choice that they have not is refused.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError
from dnerf_core.files.opening.regular_files import read_regular_text
from dnerf_core.files.whole import make_folder, write_bytes_whole

from ..places import file_stem
from .groups import GROUPS, Group, Values

FORMAT = "datasetnerf preset"
_PACKAGE = __package__.rpartition(".")[0]
_LARGEST_BYTES = 2**16
_LONGEST_NAME = 60
_LONGEST_WORDS = 10_000
"""Of a setting that is words, such as a list of seeds."""


def presets_folder(group: Group) -> Path:
    """Where a group's presets lie: in the extension's own folder of this user, or in Blender's where it is no extension; made by `save`."""
    if _PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(_PACKAGE, path=f"presets/{group.name}"))
    return Path(bpy.utils.user_resource("DATAFILES", path=f"datasetnerf/presets/{group.name}"))


def preset_names(group: Group) -> list[str]:
    """The user's presets, sorted."""
    return sorted((path.stem for path in presets_folder(group).glob("*.json")), key=str.lower)


def save_preset(settings: bpy.types.PropertyGroup, group: Group, name: str) -> Path:
    """Write what the settings are now; a preset of that name is replaced.

    Raises:
        UsageError: no name, or one of a preset that comes with the extension.
        OutputError: the file cannot be written.
    """
    stem = file_stem(name)[:_LONGEST_NAME].strip()
    if not name.strip() or stem in group.brought:
        found = "one that comes with the extension" if name.strip() else "none"
        raise UsageError(f"preset: expected a name of its own, found {found}; type another")
    folder = presets_folder(group)
    make_folder(folder)
    held = settings_of(settings, group)
    values = {setting: _json_value(getattr(held, setting)) for setting in group.settings}
    text = json.dumps({"format": FORMAT, "group": group.name, "values": values}, indent=2)
    path = folder / f"{stem}.json"
    write_bytes_whole(path, text.encode() + b"\n")
    return path


def remove_preset(group: Group, name: str) -> None:
    """Delete a preset's file.

    Raises:
        UsageError: there is none of that name.
        OSError: it cannot be deleted.
    """
    if name not in preset_names(group):
        raise UsageError(f"preset {name!r}: expected one of your own, found none of that name; choose one of the list")
    (presets_folder(group) / f"{name}.json").unlink()


def preset_values(settings: bpy.types.PropertyGroup, group: Group, name: str) -> Values:
    """What a preset sets, one that comes with the extension or the user's own.

    Raises:
        UsageError: there is none of that name, or its file is no preset of these settings.
    """
    if name in group.brought:
        return dict(group.brought[name])
    if name not in preset_names(group):
        raise UsageError(f"preset {name!r}: expected one of {group.title}, found none of that name; choose one of the list")
    path = presets_folder(group) / f"{name}.json"
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError("too large a file")
        content = json.loads(read_regular_text(path))
        if not isinstance(content, dict) or (content.get("format"), content.get("group")) != (FORMAT, group.name):
            raise ValueError(f"no preset of {group.title}")
        values = content["values"]
        for setting in values:
            _check_value(settings_of(settings, group), group, setting, values[setting])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: expected a preset as Save Preset writes it, found another ({reason}); remove it") from error
    return values


def apply_preset(settings: bpy.types.PropertyGroup, group: Group, name: str) -> None:
    """Set what a preset says, all of it or nothing.

    Raises:
        UsageError: as `preset_values`.
    """
    held = settings_of(settings, group)
    for setting, value in preset_values(settings, group, name).items():
        is_flags = getattr(held.bl_rna.properties[setting], "is_enum_flag", False)
        setattr(held, setting, set(value) if is_flags else value)


def settings_of(settings: bpy.types.PropertyGroup, group: Group) -> bpy.types.PropertyGroup:
    """What of `scene.dnerf` has the group's settings."""
    return getattr(settings, group.place) if group.place else settings


def _json_value(value: Any) -> Any:
    """A setting's value as a preset holds it."""
    if isinstance(value, set):
        return sorted(value)
    return value if isinstance(value, bool | int | float | str) else list(value)


def _check_value(settings: bpy.types.PropertyGroup, group: Group, setting: str, value: Any) -> None:
    """Raises ValueError where a setting is none of the group, or cannot have the value."""
    if setting not in group.settings:
        raise ValueError(f"the setting {setting[:40]!a}")
    prop = settings.bl_rna.properties[setting]
    if prop.type == "ENUM" and prop.is_enum_flag:
        fits = isinstance(value, list) and all(isinstance(one, str) and one in prop.enum_items for one in value)
    elif getattr(prop, "is_array", False):
        fits = isinstance(value, list) and len(value) == prop.array_length and all(_fits_number(prop, one) for one in value)
    elif prop.type == "ENUM":
        fits = isinstance(value, str) and value in prop.enum_items
    elif prop.type == "STRING":
        fits = isinstance(value, str) and len(value) <= _LONGEST_WORDS
    elif prop.type == "BOOLEAN":
        fits = isinstance(value, bool)
    else:
        fits = _fits_number(prop, value)
    if not fits:
        raise ValueError(f"{setting} {str(value)[:40]!a}")


def _fits_number(prop: bpy.types.Property, value: Any) -> bool:
    """Whether a number property can have the value."""
    fits = isinstance(value, int if prop.type == "INT" else int | float) and not isinstance(value, bool)
    return fits and math.isfinite(value) and prop.hard_min <= value <= prop.hard_max


def group_named(name: str) -> Group:
    """The group of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in GROUPS:
        raise UsageError(f"presets: expected one of {', '.join(GROUPS)}, found {name!r}; choose one of them")
    return GROUPS[name]
