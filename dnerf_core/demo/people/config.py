"""The configuration of the demo's generator of people (no torch): GNARF's class, at a size that two cores train."""

from __future__ import annotations

from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.gnarf.config import BodyConfig, CanonicalPlanesConfig, GnarfConfig, WarpConfig
from dnerf_core.stylegan2.config import BackboneConfig, MappingConfig, SuperResolutionConfig

DEMO_PEOPLE_NAME = "demo-people"
CLIP_OFFSET = 0.05
"""How far the mesh that cuts rays is grown, metres: past the thickest hair and what density reaches beyond it."""

DEMO_PEOPLE = GnarfConfig(
    name=DEMO_PEOPLE_NAME,
    image_size=256,
    mapping=MappingConfig(z_dim=22, w_dim=128, c_dim=0, layers=4, c_scale=0.0),
    backbone=BackboneConfig(resolution=256, channel_base=8192, channel_max=256, plane_channels=32),
    triplane=CanonicalPlanesConfig(box_warp=1.92, plane_axes=("xy", "xz", "yz"), axis_stretch=(1.36, 1.0, 4.4)),
    rays=RayConfig(128, 32, 32, "auto", "auto", white_back=True, edge_rays=True),
    superresolution=SuperResolutionConfig(kind="4X", conv_clamp=None, channels=(32, 16)),
    cameras=CameraConfig(radius=4.0, pivot=(0.0, 0.15, 0.0), focal=1.7074, pitch_deg=8.0),
    body=BodyConfig(shape_directions=16),
    warp=WarpConfig(projector="closest", mask="mesh", mesh_clip_offset=CLIP_OFFSET, reach=0.045),
    shape_hidden=64,
    posed_side=3.2,
)
"""People of `dnerf_core.demo.people.world`, metres, y up; the body's own sizes are left to `body.people_rig`."""
