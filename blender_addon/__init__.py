"""The Blender extension: properties, operators and panels; scene/ (bpy data in and out); bridge/ (the worker's client).

Importing this package loads no bpy, so that the bridge works anywhere.
"""

from pathlib import Path

from .lasting.renewal import forget_stale

forget_stale(__name__, Path(__file__).parent)

from .version import ADDON_VERSION  # noqa: E402  # after an update the one that is loaded would be the one before

__all__ = ["ADDON_VERSION", "register", "unregister"]


def register() -> None:
    """Make the extension known to Blender: called when it is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Take everything back: called when it is disabled, and by Blender's end."""
    from . import registration

    registration.unregister()
