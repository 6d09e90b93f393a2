"""Where a rule's cameras will stand, drawn in the viewports while Show is on: the sphere, and a mark a camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from .. import session
from ..model_facts import ModelCameras, ModelFacts, known_facts
from ..scene.subject import engine_to_root, root_transform, subject_root
from .cameras import chosen_rule, path_rule
from .chosen import Chosen, chosen
from .options import RULES
from .rules import CameraRule, camera_lines, rule_cameras, sphere_lines, sphere_of

_COLORS = {"sphere": (0.55, 0.55, 0.55, 0.6), "cameras": (1.0, 0.6, 0.1, 1.0), "tests": (0.25, 0.75, 1.0, 1.0)}
_handle: Any = None


@dataclass(frozen=True, eq=False)
class ShownRule:
    """A rule as it is drawn, in Blender's world.

    Attributes:
        lines: by the names in `_COLORS`, segments [N, 2, 3].
        center: of the sphere [3].
        radius: its, in Blender's units.
    """

    lines: dict[str, NDArray[np.float64]]
    center: NDArray[np.float64]
    radius: float


def shown_rule(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen) -> ShownRule | None:
    """What is drawn of a choice; None: neither its cameras nor its test cameras are by a rule.

    Raises:
        UsageError, SceneError: a rule that cannot be, as its button says.
    """
    found: dict[str, CameraRule] = {}
    for name, key in (("cameras", "cameras"), ("tests", "test_cameras")):
        if choice[key] == "PATH":
            found[name] = path_rule(scene)
        elif choice[key] in RULES:
            found[name] = chosen_rule(scene, facts, choice, of_tests=name == "tests")
    if not found:
        return None
    own, up = facts.cameras, facts.cameras.world_up
    center, radius = sphere_of(next(iter(found.values())), own)
    place = root_transform(subject_root(scene, create=False))
    matrix = place.matrix @ engine_to_root(up)
    lines = _lines(tuple(found.items()), own)
    moved = {name: segments @ matrix[:3, :3].T + matrix[:3, 3] for name, segments in lines.items()}
    return ShownRule(moved, matrix[:3, :3] @ center + matrix[:3, 3], place.scale * radius)


@lru_cache(maxsize=2)
def _lines(rules: tuple[tuple[str, CameraRule], ...], own: ModelCameras) -> dict[str, NDArray[np.float64]]:
    """Segments in the model's world by their names; kept, since a rule may have thousands of cameras, and viewports are redrawn often."""
    first = rules[0][1]
    center, radius = sphere_of(first, own)
    lines = {"sphere": sphere_lines(center, radius, up_axis=1 if own.world_up == "y" else 2, upper=_is_upper(first))}
    return lines | {name: camera_lines(rule_cameras(rule, own), radius) for name, rule in rules}


def _is_upper(rule: CameraRule) -> bool:
    return rule.upper and rule.kind in ("SPHERE", "RANDOM")


def _draw() -> None:
    """In every viewport, at each of its redraws."""
    context = bpy.context
    scene = context.scene
    facts = known_facts(scene) if scene.dnerf.data_set.show_cameras else None
    if facts is None:
        return
    try:
        shown = shown_rule(scene, facts, chosen(context, subjects_from="ONE"))
    except session.EXPECTED:  # the panel says so where it is chosen, and the button why; there is nothing to draw
        return
    if shown is None:
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("LESS_EQUAL")
    shader.bind()
    for name, segments in shown.lines.items():
        batch = batch_for_shader(shader, "LINES", {"pos": segments.reshape(-1, 3).astype(np.float32)})
        shader.uniform_float("color", _COLORS[name])
        batch.draw(shader)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def register() -> None:
    global _handle  # noqa: PLW0603
    if not bpy.app.background:  # without a window there is nothing to draw on
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    global _handle  # noqa: PLW0603
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
