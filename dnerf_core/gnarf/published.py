"""The published configurations of bodies, and the joints that they have. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.gnarf.config import BodyConfig, CanonicalPlanesConfig, GnarfConfig, MeshCounts, WarpConfig

SMPL_JOINTS = (
    *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle", "spine3"),
    *("left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand"),
)
"""The joints of SMPL's skeleton, in its order."""

_SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

_SMPL = BodyConfig(
    joint_names=SMPL_JOINTS,
    parents=_SMPL_PARENTS,
    mesh=MeshCounts(6890, 13776),
    reduced=MeshCounts(691, 1377),
    clip=MeshCounts(691, 1377),
    shape_directions=10,
    pose_correctives=True,
)

PUBLISHED_WARP = WarpConfig("surface_field", "mesh", 0.05)
_AIST_FOCAL, _AIST_AWAY = 4.89, 10.589
"""Of the published per-image fits: normalised focal length, and distance from the body at scale 1."""

_AIST_SCALE = 1 / 3.23


def _preset(
    name: str, box: float, scale: float, start: float, end: float, away: float, focal: float, *, white: bool
) -> GnarfConfig:
    return GnarfConfig(
        name=name,
        triplane=CanonicalPlanesConfig(box),
        rays=RayConfig(64, 64, 64, start, end, white_back=white),
        cameras=CameraConfig(
            radius=away, pivot=(0.0, 0.0, 0.0), focal=focal, yaw_range_deg=(-180.0, 180.0), pitch_range_deg=(-20.0, 20.0)
        ),
        body=dataclasses.replace(_SMPL, scale=scale),
        warp=PUBLISHED_WARP,
    )


PRESETS: Mapping[str, GnarfConfig] = {
    config.name: config
    for config in (
        _preset("aist_rescaled", 0.8, _AIST_SCALE, 0.7, 3.2, _AIST_AWAY * _AIST_SCALE, _AIST_FOCAL, white=True),
        _preset("shhq", 2.0, 1.0, 8.0, 12.0, 10.0, 5.0, white=True),
        _preset("deepfashion", 3.0, 1.0, 8.0, 14.0, 11.0, 4.0, white=True),
        _preset("aist", 4.0, 1.0, 4.0, 7.0, _AIST_AWAY, _AIST_FOCAL, white=True),
        _preset("surreal", 1.6, 1.0, 0.1, 2.6, 1.7, 1.0, white=False),
        _preset("surreal_new", 1.6, 1.0, 0.1, 2.6, 1.7, 1.0, white=False),
        _preset("mads", 1.6, 1.0, 0.1, 2.6, 1.7, 1.0, white=False),
    )
}
"""By the name that `rendering_kwargs` has for `cfg_name`. Cameras of AIST's are as far away as the published fits'; the others' show the
body whole.
"""
