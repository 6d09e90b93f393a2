"""What Blender does with its file, told to the list of views; and images of files that had no list, which are put into it."""

from __future__ import annotations

import bpy

from ..lasting.timers import Timer
from ..scene.views import IMAGE_PROPERTY
from ..shown_views import known_shown
from .items import add_kept_item, find_places, note_places, own_scenes
from .thumbnails import forget_thumbnails

_LISTED_AFTER_S = 0.1
"""After the extension has been enabled: Blender lets it have no data while it is."""


def list_kept_images() -> None:
    """Put views into the list whose images the .blend file has from a version that had no list: each into its scene's, as far as known."""
    scenes = own_scenes()
    if not any(scene.dnerf.has_view_list for scene in scenes):
        own = {image.name for image in bpy.data.images if image.get(IMAGE_PROPERTY) and image.library is None}
        shown = {pose.name: scene for scene in scenes if (views := known_shown(scene)) is not None for pose in views.poses}
        for name in sorted(own):
            is_view = name in shown or f"{name} labels" in own or f"{name} depth" in own
            if is_view and not name.endswith("_edit"):  # those to paint edits on are no views of a data set
                add_kept_item(shown.get(name) or bpy.context.scene or scenes[0], name)
    for scene in scenes:
        scene.dnerf.has_view_list = True


@bpy.app.handlers.persistent
def _before_save(path: str, *_: object) -> None:
    note_places(path)


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    forget_thumbnails()


@bpy.app.handlers.persistent
def _after_load(*_: object) -> None:
    find_places()
    list_kept_images()


def _list_now() -> None:
    list_kept_images()


_timer = Timer(_list_now, _LISTED_AFTER_S, persistent=False)
_HANDLERS = (("save_pre", _before_save), ("load_pre", _before_load), ("load_post", _after_load))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    _timer.start()


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
