"""The extension's preferences: which Python has the engine, where it computes, where model files lie."""

import time
from functools import lru_cache
from pathlib import Path

import bpy

from .bridge.errors import WorkerError
from .bridge.interpreter import find_interpreters, interpreter_at, pointed_to
from .environments import making as environment_making
from .environments.panel import draw_making
from .environments.source import ENGINE, Source
from .operators.keys import draw_keys
from .panels.fitting import draw_rows
from .version import WEBSITE

_MARGIN_PX = 100
"""Beside what is drawn here, at a UI scale of 1."""

_LOOK_AGAIN_S = 5.0
_check_line = ""
_check_ok = False


class DNERF_Preferences(bpy.types.AddonPreferences):
    """Kept by Blender for all files."""

    bl_idname = __package__

    interpreter: bpy.props.StringProperty(
        name="Interpreter",
        description="The Python that has datasetnerf and torch. Empty: the one that dnerf-headless on PATH belongs to",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="Where the engine computes. A running worker keeps its device until it is restarted",
        items=[
            ("auto", "Automatic", "A CUDA device if there is one"),
            ("cpu", "Processor", "The CPU"),
            ("cuda", "CUDA", "The first CUDA device"),
        ],
    )
    model_folder: bpy.props.StringProperty(
        name="Model folder", description="Where model files lie; the file browser for models opens there", subtype="DIR_PATH"
    )
    environment_folder: bpy.props.StringProperty(
        name="New environment",
        description="Folder in which Create Environment makes a Python with the engine, outside of Blender's own folders. "
        "Pressed again it makes a new one beside the last, which stays whole until the new one is ready",
        subtype="DIR_PATH",
    )
    package: bpy.props.StringProperty(
        name="Package",
        description="What Create Environment installs. Empty: the engine that this extension carries. Or a name on the package index, "
        "or a folder or wheel on this computer",
    )
    wheel_source: bpy.props.EnumProperty(
        name="From",
        description="Where Create Environment takes packages from",
        items=[
            ("INDEX", "Package index", "What pip is configured for on this computer, or else pypi.org"),
            ("MIRROR", "Mirror", "Another index of packages, by its address"),
            ("FOLDER", "Folder of wheels", "A folder on this computer or your network; nothing is downloaded"),
        ],
    )
    mirror_url: bpy.props.StringProperty(
        name="Mirror", description="Address of a package index, such as https://HOST/simple; without name and password"
    )
    wheel_folder: bpy.props.StringProperty(
        name="Wheels",
        description="Folder with wheels of datasetnerf, torch and all they need, for a computer and a Python like these",
        subtype="DIR_PATH",
    )
    base_python: bpy.props.StringProperty(
        name="Base Python",
        description="The Python, 3.11 or newer, that the environment rests on. Empty: Blender's own",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        column = layout.column()
        column.prop(self, "interpreter")
        named = bool(self.interpreter)  # the row stays, or the button below would move as its work ends
        column.label(text="" if named else _interpreter_line(), icon="NONE" if named else "INFO")
        column.prop(self, "device")
        column.prop(self, "model_folder")
        column.operator("dnerf.check_interpreter", icon="VIEWZOOM")
        icon = "NONE" if not _check_line else "CHECKMARK" if _check_ok else "ERROR"
        draw_rows(column, context, _check_line, icon, margin_px=_MARGIN_PX)
        box = layout.box()
        box.label(text="No Python with the engine yet?")
        box.prop(self, "environment_folder")
        box.prop(self, "package", placeholder=ENGINE)
        box.row().prop(self, "wheel_source", expand=True)
        if self.wheel_source == "INDEX":
            box.label(text="What pip is configured for on this computer, or else pypi.org")
        else:
            box.prop(self, "mirror_url" if self.wheel_source == "MIRROR" else "wheel_folder")
        box.prop(self, "base_python")
        draw_making(box, context, environment_making.current(), environment_making.refusal(), margin_px=_MARGIN_PX)
        box = layout.box()
        box.label(text="Keys")
        draw_keys(box, context)
        row = layout.row(align=True)
        row.operator("dnerf.show_guide", icon="HELP")
        row.operator("wm.url_open", text="Website", icon="URL").url = WEBSITE


def preferences() -> DNERF_Preferences:
    """The preferences of this extension.

    Raises:
        WorkerError: it is not enabled in Blender's preferences.
    """
    addon = bpy.context.preferences.addons.get(__package__)
    if addon is None or addon.preferences is None:
        raise WorkerError("DatasetNeRF: expected it to be enabled in Blender's preferences, found it is not; enable it there")
    return addon.preferences


def chosen_interpreter(settings: DNERF_Preferences) -> Path:
    """The interpreter named in the preferences, or else the first one found.

    Raises:
        WorkerError: none is named and none found.
    """
    if named := pointed_to(settings.interpreter):
        return interpreter_at(Path(bpy.path.abspath(named)))
    interpreters = find_interpreters()
    if not interpreters:
        raise WorkerError(
            "interpreter: expected a Python with datasetnerf, found no dnerf-headless on PATH; name one in the preferences of "
            "DatasetNeRF, or create an environment there"
        )
    return interpreters[0]


def has_interpreter() -> bool:
    """Whether an interpreter is named or found; cheap enough for a panel, since the disk is looked at every few seconds only."""
    if preferences().interpreter:
        return True
    return _is_found(int(time.monotonic() / _LOOK_AGAIN_S))


@lru_cache(maxsize=1)
def _is_found(moment: int) -> bool:
    return bool(find_interpreters())


def chosen_source(settings: DNERF_Preferences) -> Source:
    """Where Create Environment takes packages from."""
    wheels = bpy.path.abspath(settings.wheel_folder) if settings.wheel_folder else ""
    return Source(settings.wheel_source, settings.mirror_url, wheels)


def show_check(line: str, ok: bool) -> None:
    """What the Check button found."""
    global _check_line, _check_ok  # shown until the next check, and not worth keeping in the preferences
    _check_line, _check_ok = line, ok


def last_check() -> tuple[str, bool]:
    """What the Check button found last, and whether the interpreter serves."""
    return _check_line, _check_ok


def _interpreter_line() -> str:
    interpreters = find_interpreters()
    return f"found: {interpreters[0]}" if interpreters else "found none on PATH: name one, or create an environment below"


CLASSES = (DNERF_Preferences,)
