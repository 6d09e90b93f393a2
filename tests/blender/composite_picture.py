"""Make docs/images/blender-composite.png: `python -m tests.blender.composite_picture docs/images/blender-composite.png`.

A generated car on a road of Blender's, behind a bollard and before a wall: the scene alone, both, labels of both, depth of both.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bpy
import mathutils
import numpy as np
from PIL import Image

from dnerf_core.files.pictures import read_depth, read_image
from dnerf_core.labels import LabelSet
from tests.blender.addon import enabled_addon, interpreter_script
from tests.blender.composed_scene import add_box

SEED = 3
GAP_PX = 8


def main(output: Path) -> None:
    with tempfile.TemporaryDirectory() as name, enabled_addon(interpreter_script(Path(name))) as session:
        folder = Path(name, "set")
        _place_camera(session)
        _build_scene()
        bpy.ops.dnerf.composite(output=str(folder))
        if not session.current().wait(300) or session.current().level != "INFO":
            raise SystemExit(session.current().status)
        scene = bpy.context.scene
        scene.render.filepath, scene.render.image_settings.file_format = str(Path(name, "alone.png")), "PNG"
        bpy.ops.render.render(write_still=True)
        view = f"s{SEED:04d}_v00.png"
        labels = LabelSet.from_json((folder / "labels.json").read_text())
        depth = read_depth(folder / "depth" / view.replace(".png", ".exr"))
        panes = [
            read_image(Path(name, "alone.png"))[..., :3],
            read_image(folder / "images" / view),
            labels.colorize(read_image(folder / "masks" / view)),
            _gray(depth),
        ]
    gap = np.full((len(panes[0]), GAP_PX, 3), 255, np.uint8)
    row = [part for pane in panes for part in (pane, gap)][:-1]
    Image.fromarray(np.concatenate(row, axis=1)).save(output, optimize=True)


def _place_camera(session: object) -> None:
    settings = bpy.context.scene.dnerf
    settings.seed, settings.camera_count, settings.size_px = SEED, 1, 320
    settings.own_yaw = settings.own_pitch = False
    settings.yaw_first_deg = settings.yaw_last_deg = 35.0
    bpy.ops.dnerf.place_cameras()
    session.current().wait(300)  # type: ignore[attr-defined]


def _build_scene() -> None:
    """Below, behind and before the subject, which fills about one unit about the origin of its Empty."""
    scene = bpy.context.scene
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 48, False
    turn = mathutils.Matrix.Rotation(0.0, 4, "Z")
    road = add_box("Road", (3.0, 3.0, 0.02), mathutils.Matrix.Translation((0, 0, -0.2)) @ turn, 1)
    wall = add_box("Wall", (3.0, 0.05, 0.5), mathutils.Matrix.Translation((0, 1.1, 0.2)), 2)
    bollard = add_box("Bollard", (0.05, 0.05, 0.2), mathutils.Matrix.Translation((0.33, -0.78, -0.02)), 3)
    for item, color in ((road, (0.08, 0.08, 0.09)), (wall, (0.5, 0.2, 0.12)), (bollard, (0.8, 0.6, 0.05))):
        material = item.material_slots[0].material
        material.use_nodes = True
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*color, 1.0)
        material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.8
    lamp = next(item for item in scene.objects if item.type == "LIGHT")
    lamp.data.energy, lamp.location = 400.0, (1.5, -2.5, 2.5)


def _gray(depth: np.ndarray) -> np.ndarray:
    """White near, dark far, black where nothing is."""
    seen = np.isfinite(depth)
    gray = np.zeros(depth.shape, np.uint8)
    low, high = depth[seen].min(), np.percentile(depth[seen], 95)
    gray[seen] = np.rint(255 - 205 * np.clip((depth[seen] - low) / (high - low), 0, 1))
    return np.repeat(gray[..., None], 3, axis=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
