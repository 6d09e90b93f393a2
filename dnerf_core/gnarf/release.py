"""GNARF's releases: settings, as the modules of one carry them, turned into a `GnarfConfig`, and its body, which becomes a rig. No torch.

Its snapshots are EG3D's with a body in the renderer, whose classes (smplx's among them) are inert records here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.checkpoints.inert.mapped_file import file_stem
from dnerf_core.checkpoints.inert.records import ModuleRecord
from dnerf_core.checkpoints.release import ImportOptions, Release
from dnerf_core.checkpoints.releases.camera_choice import chosen_cameras
from dnerf_core.checkpoints.releases.networks import Network
from dnerf_core.checkpoints.releases.plane_settings import (
    TRAINING_OPTIONS,
    USED_OPTIONS,
    backbone_config,
    box_warp_of,
    check_gains,
    checked_options,
    decoder_lr_mul_of,
    hidden_dim_of,
    image_size_of,
    mapping_config,
    orbit,
    plane_axes_of,
    ray_config,
    superresolution_config,
)
from dnerf_core.checkpoints.releases.reader import Configured, ReleaseReader
from dnerf_core.checkpoints.releases.settings import ReleaseSettings
from dnerf_core.checkpoints.releases.shape_facts import ShapeFacts, settings_of_options, shape_facts, with_shapes
from dnerf_core.generator.config import RELEASED_PLANE_AXES, PlaneAxes
from dnerf_core.gnarf.config import BodyConfig, CanonicalPlanesConfig, GnarfConfig, Projector, WarpConfig, WarpingMask
from dnerf_core.gnarf.published import PRESETS
from dnerf_core.gnarf.release_body import LICENCE, RENDERER_TENSORS, PublishedBody, published_body, tensor_of_array

_OWN_OPTIONS = {
    *("projector", "warping_mask", "mesh_clip_offset", "box_warp_pre_deform", "cfg_name", "project_inside_only"),
    *("canon_logging", "cam2world", "intrinsics", "c_disc_bp_conditioning_zero"),
}
"""Options of bodies: the last four act in training only, or are leavings of its last batch."""

_PUBLISHED_PROJECTORS = tuple(name for name in get_args(Projector) if name != "closest")
_LABEL_WIDTHS = (107, 108, 110, 111)
"""Numbers of a label: a camera, turns and a shape, with a translation or without, and the loader's dummy. The mapping sees the first 25."""


def _warp(settings: ReleaseSettings, options: Mapping[str, Any]) -> WarpConfig:
    projector, mask = options.get("projector", "none"), options.get("warping_mask", "none")
    if projector not in _PUBLISHED_PROJECTORS:
        settings.refuse("rendering_kwargs.projector", f"one of {', '.join(_PUBLISHED_PROJECTORS)}", projector)
    if mask not in get_args(WarpingMask):
        settings.refuse("rendering_kwargs.warping_mask", f"one of {', '.join(get_args(WarpingMask))}", mask)
    return WarpConfig(
        projector,
        mask,
        settings.number("rendering_kwargs.mesh_clip_offset", options.get("mesh_clip_offset", 0.05), 0.0, 1e3),
        settings.flag("rendering_kwargs.box_warp_pre_deform", options.get("box_warp_pre_deform", False)),
        settings.flag("rendering_kwargs.project_inside_only", options.get("project_inside_only", False)),
    )


def _of_modules(settings: ReleaseSettings, body: BodyConfig) -> Configured:
    options, remarks = checked_options(settings, USED_OPTIONS | TRAINING_OPTIONS | _OWN_OPTIONS)
    config = GnarfConfig(
        name=file_stem(settings.path),
        image_size=image_size_of(settings),
        mapping=mapping_config(settings, options),
        backbone=backbone_config(settings, 96),
        triplane=CanonicalPlanesConfig(
            box_warp=box_warp_of(settings, options),
            plane_axes=plane_axes_of(settings, get_args(PlaneAxes), RELEASED_PLANE_AXES),
            hidden_dim=hidden_dim_of(settings),
            decoder_lr_mul=decoder_lr_mul_of(settings, options),
        ),
        rays=ray_config(settings, options, remarks, {}),
        superresolution=superresolution_config(settings, options),
        cameras=_cameras(settings, options, remarks),
        body=body,
        warp=_warp(settings, options),
    )
    check_gains(settings, config.triplane.decoder_lr_mul)
    return config, tuple(remarks)


def _cameras(settings: ReleaseSettings, options: Mapping[str, Any], remarks: list[str]) -> CameraConfig:
    """By the name of the training's data; else round the origin, at the file's radius and with the planes' box in view."""
    name = options.get("cfg_name")
    known = PRESETS.get(name) if isinstance(name, str) else None
    if known is None:
        radius, pivot = orbit(settings, options)
        focal = radius / box_warp_of(settings, options)
        base = CameraConfig(radius=radius, pivot=pivot, focal=focal, yaw_range_deg=(-180.0, 180.0))
    else:
        base = known.cameras
        remarks.append(f"cameras on an orbit as far away as those of {known.name} were: a release's own come with every picture")
    cameras, camera_remarks = chosen_cameras(
        base, settings.cameras, release=None if known is None else known.name, video_cameras={}, is_assumed=known is None
    )
    remarks.extend(camera_remarks)
    return cameras


def _of_options(bare: ReleaseSettings, options: Mapping[str, Any], facts: ShapeFacts, body: BodyConfig) -> Configured:
    settings, changed = settings_of_options(bare, options, facts, 3 * _plane_channels(facts))
    config, remarks = _of_modules(settings, body)
    return config, (*changed, *remarks)


def _with_shapes(config: GnarfConfig, facts: ShapeFacts, body: BodyConfig) -> Configured:
    by_shape, remarks = with_shapes(config, facts, _plane_channels(facts))
    return dataclasses.replace(by_shape, body=body), remarks


def _plane_channels(facts: ShapeFacts) -> int:
    return max(1, facts.image_channels // 3)


def _reader(body: BodyConfig) -> ReleaseReader[ShapeFacts]:
    """How releases with that body are read."""
    return ReleaseReader(
        title="GNARF",
        licence=(
            "Weights converted from a GNARF release. GNARF's code is EG3D's under the NVIDIA Source Code License for non-commercial use; "
            f"the terms that came with the release govern these weights too. {LICENCE}"
        ),
        presets=PRESETS,
        video_cameras={},
        of_modules=functools.partial(_of_modules, body=body),
        read_shapes=functools.partial(shape_facts, title="GNARF"),
        of_options=functools.partial(_of_options, body=body),
        with_shapes=functools.partial(_with_shapes, body=body),
    )


def read_gnarf(network: Network, path: Path, options: ImportOptions) -> Release:
    """See `Family.read_release`."""
    where = f"{path}: {network.place}"
    remedy = _reader(BodyConfig()).remedy
    body = published_body(network.tensors, where, remedy)
    reader = _reader(body.config)
    tensors = {name: record for name, record in network.tensors.items() if not RENDERER_TENSORS.match(name)}
    modules = None if network.modules is None else {**network.modules, "": _with_mapping_width(network)}
    own = dataclasses.replace(network, tensors=tensors | body.records(), modules=modules)
    release = _with_shape_head(reader, own, path, options, body)
    return dataclasses.replace(release, remarks=(*release.remarks, *body.remarks, *_body_remarks(body)))


def _with_mapping_width(network: Network) -> ModuleRecord:
    """The root with the width of what its mapping sees, which is a camera's, in the place of a whole label's."""
    assert network.modules is not None
    root = network.modules[""]
    if root.state.get("c_dim") not in _LABEL_WIDTHS:
        return root
    width = 25 if "backbone.mapping.embed.weight" in network.tensors else 0
    return ModuleRecord(root.class_name, {**root.state, "c_dim": width}, is_built=True)


def _with_shape_head(
    reader: ReleaseReader[ShapeFacts], network: Network, path: Path, options: ImportOptions, body: PublishedBody
) -> Release:
    """The release read with a head that gives the mean shape to every latent, as a body with shape directions needs one."""
    if not body.config.shape_directions:
        return reader.read(network, path, options)
    embed = network.tensors.get("backbone.mapping.w_avg")
    width = embed.shape[0] if embed is not None and len(embed.shape) == 1 else 0
    zeros = {
        "shape_head.fc0.weight": np.zeros((body.config.shape_directions, width), np.float32),
        "shape_head.fc0.bias": np.zeros(body.config.shape_directions, np.float32),
    }
    heads = {name: tensor_of_array(array) for name, array in zeros.items()}
    return reader.read(dataclasses.replace(network, tensors={**network.tensors, **heads}), path, options)


def _body_remarks(body: PublishedBody) -> tuple[str, ...]:
    config = body.config
    kinds = [
        f"{config.num_joints} joints, {config.mesh.vertices} vertices",
        *([f"{config.shape_directions} shape directions, 0 for every latent unless set"] if config.shape_directions else []),
        *(["pose correctives"] if config.pose_correctives else []),
    ]
    return (f"the body ({', '.join(kinds)}) comes out of the release and stays bound to its licence",)
