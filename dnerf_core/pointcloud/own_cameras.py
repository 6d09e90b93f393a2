"""Where a subject is seen from to be fused, when nobody says (numpy only)."""

from __future__ import annotations

from dnerf_core.camera import Camera, CameraRig, arc_cameras
from dnerf_core.own_views import ALL_AROUND_YAW_DEG, view_ranges

CLOUD_VIEWS = 8
"""Views that are fused where no cameras are given."""


def own_cloud_cameras(rig: CameraRig, count: int = CLOUD_VIEWS) -> list[Camera]:
    """Cameras over the directions that a generator tells, all around where it tells none; one camera, if that is a single direction."""
    yaw_deg, pitch_deg = view_ranges(rig, default_yaw_deg=ALL_AROUND_YAW_DEG)
    single = yaw_deg[0] == yaw_deg[1] and pitch_deg[0] == pitch_deg[1]
    return arc_cameras(rig, yaw_deg, pitch_deg, count=1 if single else count)
