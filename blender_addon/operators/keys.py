"""ESC cancels while a job runs; at any other time the key means what it always meant, since the operator's poll lets it pass."""

from __future__ import annotations

import bpy

_added: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def register() -> None:
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # Blender without a window has no keys
        return
    keymap = configuration.keymaps.new(name="Window", space_type="EMPTY")
    _added.append((keymap, keymap.keymap_items.new("dnerf.cancel", "ESC", "PRESS")))


def unregister() -> None:
    for keymap, item in _added:
        keymap.keymap_items.remove(item)
    _added.clear()
