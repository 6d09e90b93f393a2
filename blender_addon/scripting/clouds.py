"""From where a subject is seen for a cloud or a mesh, and how a cloud is fused: what the panel says, or a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy

from dnerf_core.camera import ALL_AROUND_YAW_DEG, arc_cameras, view_ranges
from dnerf_core.errors import UsageError

from ..lasting.identity import Held, hold
from ..model_facts import ModelFacts
from ..scene.errors import SceneError
from ..viewpoints import camera_params, chosen_poses, selected_cameras, squares_of
from .given import Given

_OF_ARC = ("views", "yaw", "pitch")
_OF_FUSION = ("voxel", "points", "canonical")


@dataclass(frozen=True)
class FusedViews:
    """From where a subject is seen, and how the views are put together.

    Attributes:
        count: of the views all around.
        yaw_deg, pitch_deg: of these; None, each: the model's own.
        cameras: those of the scene in their place; None: views all around.
        more: the part of a request that says how: `size_px`, `voxel`, `points`, `canonical`.
    """

    count: int
    yaw_deg: tuple[float, float] | None = None
    pitch_deg: tuple[float, float] | None = None
    cameras: tuple[Held, ...] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def params(self, scene: bpy.types.Scene, facts: ModelFacts) -> dict[str, Any]:
        """The part of a request that says it.

        Raises:
            SceneError, UsageError: a camera cannot be used, or has been deleted.
        """
        if self.cameras is None:
            ranges = view_ranges(facts.cameras, self.yaw_deg, self.pitch_deg, default_yaw_deg=ALL_AROUND_YAW_DEG)
            around = arc_cameras(facts.cameras, *ranges, count=self.count)
            return {
                "cameras": [{**camera.to_json(), "name": f"v{index:02d}"} for index, camera in enumerate(around)],
                **self.more,
            }
        poses = chosen_poses(scene, facts, "SELECTED", self.cameras)
        return {"cameras": camera_params(poses, squares_of(poses)), **self.more}


def panel_views(scene: bpy.types.Scene) -> FusedViews:
    """Views all around, as many as the panel says, fused as it says."""
    points = scene.dnerf.cloud_points
    return FusedViews(scene.dnerf.cloud_views, more={"points": points} if points else {})


def mesh_views(context: bpy.types.Context, given: Given) -> FusedViews:
    """What a call of a mesh gives, over views all around, as many as the panel says.

    Raises:
        UsageError, SceneError: options that do not go together, or no cameras.
    """
    return _views(context, given, "AROUND", {})


def cloud_views(context: bpy.types.Context, given: Given) -> FusedViews:
    """What a call of a cloud gives, over what the panel says.

    Raises:
        UsageError, SceneError: as `mesh_views`.
    """
    return _views(context, given, context.scene.dnerf.cloud_source, _fusion(given))


def asset_views(context: bpy.types.Context, given: Given) -> FusedViews:
    """What a call of an asset gives: as `cloud_views`, but from all sides whatever cameras the panel says.

    Raises:
        UsageError, SceneError: as `mesh_views`.
    """
    return _views(context, given, "AROUND", _fusion(given))


def _fusion(given: Given) -> dict[str, Any]:
    more = given.alone(*_OF_FUSION)
    if "voxel" not in more or "points" in more:
        more["points"] = given["points"]
    return more if more.get("points") else {name: value for name, value in more.items() if name != "points"}


def _views(context: bpy.types.Context, given: Given, panels: str, more: dict[str, Any]) -> FusedViews:
    source = given["cameras"] if given.has("cameras") else panels
    arc = [name for name in _OF_ARC if given.has(name)]
    if arc and not given.has("cameras"):
        source = "AROUND"
    elif arc and source != "AROUND":
        raise UsageError(f"{arc[0]}: expected none beside cameras of the scene, found one; leave it out, or take AROUND")
    if given.has("resolution") and given["resolution"]:
        more = {**more, "size_px": given["resolution"]}
    yaw_deg, pitch_deg = (given[name] if given.has(name) else None for name in ("yaw", "pitch"))
    return FusedViews(given["views"], yaw_deg, pitch_deg, _cameras(context, source), more)


def _cameras(context: bpy.types.Context, source: str) -> tuple[Held, ...] | None:
    if source == "AROUND":
        return None
    if source == "SELECTED":
        return tuple(selected_cameras(context))
    found = sorted((item for item in context.scene.objects if item.type == "CAMERA"), key=lambda item: item.name)
    if not found:
        raise SceneError(f"scene {context.scene.name!r}: expected cameras, found none; add some, or take AROUND")
    return tuple(hold(item) for item in found)
