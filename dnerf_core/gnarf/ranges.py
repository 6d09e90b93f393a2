"""What a configuration of GNARF's generator may claim beyond that of any generator of painted planes. No torch."""

from __future__ import annotations

from collections.abc import Iterator

from dnerf_core.backbone.ranges import Refusal, WholeNumber, refusal
from dnerf_core.errors import brief
from dnerf_core.gnarf.config import (
    MAX_FACES,
    MAX_JOINTS,
    MAX_PARTS,
    MAX_SHAPE_DIRECTIONS,
    MAX_VERTICES,
    BodyConfig,
    GnarfConfig,
)
from dnerf_core.stylegan2.ranges import check_plane_generator

MAX_NUMBERS = 2**27
"""Of any one table of a body, half a gigabyte: skinning weights are vertices times joints."""


def check_gnarf_ranges(config: GnarfConfig, where: str, remedy: str) -> None:
    """Refuses a config that could not be built or rendered; see `Family.check_ranges`."""
    refuse = refusal(where, remedy)
    if config.posed_side is not None and config.posed_side <= 0:
        raise refuse("posed_side", "a number above 0, or null", config.posed_side)
    check_plane_generator(config, refuse, _whole_numbers(config))
    _check_body(config.body, refuse)
    for axis, factor in zip("xyz", config.triplane.axis_stretch, strict=True):
        if not 1e-3 <= factor <= 1e3:
            raise refuse(f"triplane.axis_stretch ({axis})", "a number from 0.001 to 1000", factor)
    if config.warp.reach is not None and config.warp.reach <= 0:
        raise refuse("warp.reach", "a number above 0, or null", config.warp.reach)
    if config.warp.mesh_clip_offset < 0:
        raise refuse("warp.mesh_clip_offset", "0 or more", config.warp.mesh_clip_offset)


def _whole_numbers(config: GnarfConfig) -> Iterator[WholeNumber]:
    body = config.body
    yield "body.joint_names", body.num_joints, 1, MAX_JOINTS
    for name, mesh in (("mesh", body.mesh), ("reduced", body.reduced), ("clip", body.clip)):
        yield f"body.{name}.vertices", mesh.vertices, 3, MAX_VERTICES
        yield f"body.{name}.faces", mesh.faces, 1, MAX_FACES
    yield "body.shape_directions", body.shape_directions, 0, MAX_SHAPE_DIRECTIONS
    yield "body.part_names", len(body.part_names), 0, MAX_PARTS
    yield "body.mesh.vertices x joints", body.mesh.vertices * body.num_joints, 1, MAX_NUMBERS
    yield "body.mesh.vertices x shape_directions", 3 * body.mesh.vertices * body.shape_directions, 0, MAX_NUMBERS
    if body.pose_correctives:
        yield "body.mesh.vertices x pose_correctives", 27 * body.mesh.vertices * (body.num_joints - 1), 0, MAX_NUMBERS
    yield "shape_hidden", config.shape_hidden, 0, 2**16


def _check_body(body: BodyConfig, refuse: Refusal) -> None:
    if len(body.parents) != body.num_joints:
        raise refuse("body.parents", f"{body.num_joints}, one a joint", len(body.parents))
    if body.parents[0] != -1:
        raise refuse("body.parents[0]", "-1, since the root comes first", body.parents[0])
    for joint, parent in enumerate(body.parents[1:], start=1):
        if not 0 <= parent < joint:
            raise refuse(f"body.parents[{joint}]", f"0 to {joint - 1}, a joint before it", parent)
    for kind, names in (("joint_names", body.joint_names), ("part_names", body.part_names)):
        if len(set(names)) != len(names) or not all(names):
            raise refuse(f"body.{kind}", "names that differ, none empty", brief(list(names)))
    if body.scale <= 0:
        raise refuse("body.scale", "a number above 0", body.scale)
