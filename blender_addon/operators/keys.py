"""Keys: ESC cancels while a job runs, and over the preferences the making of an environment, at any other time it means what it always
meant; and two of their own in 3D views.

All of them are in Preferences > Keymap, where they may be changed, and in the extension's preferences.
"""

from __future__ import annotations

import bpy

KEYS: tuple[tuple[str, str, str, str, dict[str, bool]], ...] = (
    ("Window", "EMPTY", "dnerf.cancel", "ESC", {}),
    ("Window", "EMPTY", "dnerf.cancel_environment", "ESC", {}),
    ("3D View", "VIEW_3D", "dnerf.render_views", "V", {"ctrl": True, "alt": True}),
    ("3D View", "VIEW_3D", "dnerf.toggle_preview", "V", {"shift": True, "alt": True}),
)
"""Keymap and its space, operator, key, and what is held beside it. Blender's own keymap has nothing there but on ESC."""

_added: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def register() -> None:
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # Blender without a window has no keys
        return
    for name, space, operator, key, held in KEYS:
        keymap = configuration.keymaps.new(name=name, space_type=space)
        _added.append((keymap, keymap.keymap_items.new(operator, key, "PRESS", **held)))


def unregister() -> None:
    for keymap, item in _added:
        keymap.keymap_items.remove(item)
    _added.clear()


def draw_keys(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The keys as the user has them, to be changed in place."""
    import rna_keymap_ui  # Blender's own, for windows only

    configuration = context.window_manager.keyconfigs.user
    for keymap, item in _added:
        users = None if configuration is None else configuration.keymaps.get(keymap.name)
        found = None if users is None else users.keymap_items.get(item.idname)
        if found is not None:
            column = layout.column()
            column.context_pointer_set("keymap", users)
            rna_keymap_ui.draw_kmi([], configuration, users, found, column, 0)
