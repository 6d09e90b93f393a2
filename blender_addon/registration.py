"""What Blender is told of: classes in order, the scene's properties, handlers, keys; all of it taken back in reverse."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

from . import environment_making, icons, picture_overlay, preview, session
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
from .properties import CLASSES as PROPERTIES
from .properties import SceneProperties
from .version import ADDON_VERSION

_OPERATORS = (
    jobs,
    model,
    subject,
    pose,
    cameras,
    views,
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
)
_PANELS = (main, pose_panel, results, edit_panel, annotate_panel)
CLASSES = (
    *PROPERTIES,
    *PREFERENCES,
    *(item for module in (*_OPERATORS, *_PANELS) for item in module.CLASSES),
)


def register() -> None:
    """Raises ImportError, which Blender shows, where the engine's modules on its path are of another version."""
    _check_core()
    for item in CLASSES:
        bpy.utils.register_class(item)
    bpy.types.Scene.dnerf = bpy.props.PointerProperty(type=SceneProperties)
    icons.register()
    session.register()
    preview.register()
    picture_overlay.register()
    keeping.register()
    anew.register()
    changes.register()
    pose.register()
    keys.register()


def unregister() -> None:
    keys.unregister()
    pose.unregister()
    changes.unregister()
    driver.forget()
    anew.unregister()
    keeping.unregister()
    picture_overlay.unregister()
    preview.unregister()
    session.unregister()
    environment_making.end()
    icons.unregister()
    del bpy.types.Scene.dnerf
    for item in reversed(CLASSES):
        bpy.utils.unregister_class(item)


def _check_core() -> None:
    """The wheel's modules may be hidden by an installed datasetnerf, which serves as well if it is the same version."""
    core = sys.modules["dnerf_core"]  # the package of the modules that are imported here and there
    if core.__version__ != ADDON_VERSION:
        place = Path(str(core.__file__)).parent
        raise ImportError(
            f"DatasetNeRF {ADDON_VERSION}: expected dnerf_core of the same version in Blender's Python, found "
            f"{core.__version__} at {place}; remove that one, or install the extension of its version"
        )
