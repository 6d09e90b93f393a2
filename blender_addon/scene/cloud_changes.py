"""Whether a cloud is still what was fused: where it stands and how it is shown may change, its name, points and labels may not."""

from __future__ import annotations

import hashlib
import json

import bpy
import numpy as np

_VALUES = {"position": ("vector", 3, np.float32), "color": ("color", 4, np.float32), "label": ("value", 1, np.int32)}


def cloud_digest(item: bpy.types.Object) -> str:
    """A digest of what an artist may have made of a cloud in object mode; a duplicate has another one, by its name."""
    mesh = item.data
    parts = [
        item.name,
        [len(found) for found in (item.modifiers, item.constraints, item.children, item.vertex_groups, mesh.materials)],
        [block.animation_data is not None for block in (item, mesh)],
        mesh.shape_keys is not None,
        len(mesh.polygons),
    ]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16)
    for name, (value, width, dtype) in _VALUES.items():
        attribute = mesh.attributes.get(name)
        if attribute is not None:
            values = np.empty(width * len(attribute.data), dtype)
            attribute.data.foreach_get(value, values)
            digest.update(values.tobytes())
    return digest.hexdigest()
