"""What Blender is told of: classes in order, the scene's properties, handlers, keys; all of it taken back in reverse.

All of it is taken back also where a part of it raises, and where registering itself breaks off: a version that stays half behind would
be in the way of the next, which Blender registers in the same process.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import bpy

from . import icons, picture_overlay, preview, session
from .composing import operator as composing
from .composing import panel as composing_panel
from .data_set import operators as data_set
from .data_set import overlay as data_set_overlay
from .data_set import panel as data_set_panel
from .environments import making as environment_making
from .feedback import alerts
from .guidance import guide, menus
from .incoming import handlers as file_handlers
from .incoming import operators as file_operators
from .lasting import timers
from .library import operators as library_operators
from .operators import (
    anew,
    annotate,
    cameras,
    cloud,
    cloud_parts,
    edit,
    environment,
    frame_clouds,
    invert,
    jobs,
    keys,
    mesh,
    model,
    paint,
    pose,
    segment,
    subject,
    video,
    views,
)
from .painting import keeping
from .panels import annotate as annotate_panel
from .panels import edit as edit_panel
from .panels import main, results
from .panels import pose as pose_panel
from .posing import changes, driver
from .preferences import CLASSES as PREFERENCES
from .presets import operators as preset_operators
from .properties import CLASSES as PROPERTIES
from .properties import SceneProperties
from .version import ADDON_VERSION
from .view_list import keeping as view_keeping
from .view_list import operators as view_list
from .view_list import thumbnails

_OPERATORS = (
    jobs,
    model,
    subject,
    pose,
    cameras,
    views,
    view_list,
    video,
    cloud,
    cloud_parts,
    frame_clouds,
    mesh,
    annotate,
    paint,
    environment,
    invert,
    edit,
    segment,
    guide,
    file_operators,
    library_operators,
    preset_operators,
    data_set,
    composing,
)
_MENUS = (file_handlers, menus)
_PANELS = (main, pose_panel, results, data_set_panel, composing_panel, edit_panel, annotate_panel)
CLASSES = (
    *PROPERTIES,
    *PREFERENCES,
    *(item for module in (*_OPERATORS, *_MENUS, *_PANELS) for item in module.CLASSES),
)


_PARTS = (
    icons,
    thumbnails,
    session,
    preview,
    picture_overlay,
    data_set_overlay,
    keeping,
    view_keeping,
    anew,
    changes,
    pose,
    file_operators,
    menus,
    keys,
)
"""Modules with a `register` and an `unregister` of their own, in order."""
_ENDS = (environment_making.end, driver.forget, timers.stop_all, alerts.forget)
"""What ends that has begun since, before the parts are taken back."""
_registered = ExitStack()
"""Takes back what has been registered, the last first."""


def register() -> None:
    """Raises ImportError, which Blender shows, where the engine's modules on its path are of another version."""
    global _registered  # noqa: PLW0603  # until the next `unregister`
    _check_core()
    with ExitStack() as stack:
        for item in CLASSES:
            bpy.utils.register_class(item)
            stack.callback(bpy.utils.unregister_class, item)
        bpy.types.Scene.dnerf = bpy.props.PointerProperty(type=SceneProperties)
        stack.callback(delattr, bpy.types.Scene, "dnerf")
        for part in _PARTS:
            part.register()
            stack.callback(part.unregister)
        for end in _ENDS:
            stack.callback(end)
        _registered = stack.pop_all()


def unregister() -> None:
    _registered.close()


def _check_core() -> None:
    """The wheel's modules may be hidden by an installed datasetnerf, which serves as well if it is the same version."""
    core = sys.modules["dnerf_core"]  # the package of the modules that are imported here and there
    if core.__version__ != ADDON_VERSION:
        place = Path(str(core.__file__)).parent
        raise ImportError(
            f"DatasetNeRF {ADDON_VERSION}: expected dnerf_core of the same version in Blender's Python, found "
            f"{core.__version__} at {place}; remove that one, or install the extension of its version"
        )
