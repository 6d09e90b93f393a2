"""GNARF's generator against numbers printed by the published one, for formula weights and a free template (float32, midpoint samples)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerf_core.backbone.formula_weights import load_formula_weights
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.gnarf.body.coarse import riding
from dnerf_core.gnarf.body.posed import PosedBody, ride
from dnerf_core.gnarf.body.rig import CoarseMesh, Rig
from dnerf_core.gnarf.body.template import Template
from dnerf_core.gnarf.config import CanonicalPlanesConfig, GnarfConfig, WarpConfig
from dnerf_core.gnarf.generator import Gnarf
from dnerf_core.gnarf.planes import BodyPlanes
from dnerf_core.gnarf.warp.surface_field import Topology, surface_place
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.rendering.view import Rendering, render_view
from dnerf_core.stylegan2.config import BackboneConfig, MappingConfig, SuperResolutionConfig
from tests.core.test_parity import check, check_planes

NAME = "gnarf-biped-narrow"
POSES = 3
CLEAR = 1e-4
"""Least margin of the published map's choices, below which rounding decides them."""

pytestmark = pytest.mark.usefixtures("one_thread")


def parity_rig(parity_dir: Path) -> Rig:
    """The free template that the published modules were given."""
    arrays, data = np.load(parity_dir / f"{NAME}-template.npz"), np.load(parity_dir / f"{NAME}.npz")
    keys = ("faces", "attach_face", "attach_bary", "attach_offset")
    reduced, clip = (CoarseMesh(*(arrays[f"{mesh}_{key}"] for key in keys)) for mesh in ("reduced", "clip"))
    template = Template(
        *(arrays[key] for key in ("vertices", "faces", "joints", "parents", "weights")),
        names=tuple(f"joint{k}" for k in range(len(arrays["joints"]))),
        canonical_pose=np.concatenate([data["canon_pose"], data["canon_transl"][None]]),
    )
    return Rig(template, reduced, clip)


def parity_config(parity_dir: Path, rig: Rig) -> GnarfConfig:
    """Our configuration of the parity file's settings."""
    spec = json.loads((parity_dir / f"{NAME}.json").read_text())["config"]
    rk = spec["rk"]
    return GnarfConfig(
        image_size=spec["img"],
        mapping=MappingConfig(layers=spec["map"], c_scale=rk["c_scale"], c_zero=rk["c_gen_conditioning_zero"]),
        backbone=BackboneConfig(channel_base=spec["cb"], channel_max=spec["cm"]),
        triplane=CanonicalPlanesConfig(rk["box_warp"]),
        rays=RayConfig(
            spec["nrr"],
            rk["depth_resolution"],
            rk["depth_resolution_importance"],
            rk["ray_start"],
            rk["ray_end"],
            rk["white_back"],
        ),
        superresolution=SuperResolutionConfig(kind=rk["superresolution_module"].rsplit("Hybrid", 1)[1]),
        body=rig.config(float(np.load(parity_dir / f"{NAME}.npz")["scale"])),
        warp=WarpConfig(rk["projector"], rk["warping_mask"], rk["mesh_clip_offset"], rk["box_warp_pre_deform"]),
    )


@pytest.fixture(scope="module")
def rig(parity_dir: Path) -> Rig:
    return parity_rig(parity_dir)


@pytest.fixture(scope="module")
def generator(parity_dir: Path, rig: Rig) -> Gnarf:
    generator = Gnarf(parity_config(parity_dir, rig)).eval().requires_grad_(False)
    keys = json.loads((parity_dir / f"{NAME}.json").read_text())["keys"]
    published = {key: tuple(shape) for key, shape in keys.items() if not key.endswith("resample_filter")}
    own = {key: tuple(value.shape) for key, value in generator.state_dict().items() if not key.startswith("body.")}
    assert own == published
    load_formula_weights(generator)
    generator.wear(rig)
    return generator


@pytest.fixture(scope="module")
def data(parity_dir: Path) -> dict[str, np.ndarray]:
    return dict(np.load(parity_dir / f"{NAME}.npz"))


@pytest.fixture(scope="module")
def ws(generator: Gnarf, data: dict[str, np.ndarray]) -> torch.Tensor:
    z, cond = torch.from_numpy(data["z"]), torch.from_numpy(data["cond"])
    return generator.mapping(z, cond, float(data["psi"]), None)


@pytest.fixture(scope="module")
def planes(generator: Gnarf, ws: torch.Tensor) -> BodyPlanes:
    return generator.planes(ws)


def in_pose(planes: BodyPlanes, data: dict[str, np.ndarray], index: int) -> BodyPlanes:
    pose = np.concatenate([data["pose"][index], data["transl"][index][None]])
    return planes.posed(torch.from_numpy(pose)[None])


def camera(data: dict[str, np.ndarray], index: int) -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.from_numpy(data["cam"][index])
    return numbers[:16].view(1, 4, 4), numbers[16:].view(1, 3, 3)


def test_latents_and_planes(planes: BodyPlanes, ws: torch.Tensor, data: dict[str, np.ndarray]) -> None:
    assert int(data["cutoff"]) == -1
    check(ws[0, [0, -1]], data["ws"], "ws", 5e-6, 5e-6)
    flat = planes.canonical.block_outputs[-1]
    check_planes(flat[0, ::7, ::16, ::16], data["planes"])
    assert abs(float(flat.abs().mean()) - float(data["planes_absmean"])) < 1e-5


@pytest.mark.parametrize("index", range(POSES))
def test_the_posed_body(planes: BodyPlanes, data: dict[str, np.ndarray], index: int) -> None:
    body = in_pose(planes, data, index).bodies[0]
    for found, name in (
        (body.vertices[::3] / body.config.scale, f"template_vertices{index}"),
        (body.reduced, f"posed_vertices{index}"),
        (body.clip[::3], f"clip_vertices{index}"),
        (body.canonical_reduced, "canon_vertices"),
    ):
        check(found, data[name], name, 1e-6, 1e-6)


@pytest.mark.parametrize("index", range(POSES))
def test_the_surface_field(planes: BodyPlanes, data: dict[str, np.ndarray], index: int) -> None:
    posed = in_pose(planes, data, index)
    own = data["sf_pose"] == index
    clear = data["sf_tie_gap"][own] >= CLEAR
    assert clear.mean() > 0.98
    points = torch.from_numpy(data["sf_points"][own])[clear]
    found, void = posed.warp(points, None)
    assert not void.any()
    check(found, data["sf_canonical"][own][clear], "canonical", 1e-5, 1e-5)
    body: PosedBody = posed.bodies[0]
    place = surface_place(body.reduced, Topology.of_faces(body.table.reduced.faces, 376), points)
    np.testing.assert_array_equal(place.vertex, data["sf_nearest_vertex"][own][clear])
    np.testing.assert_array_equal(place.face, data["sf_face"][own][clear])
    check(place.height, data["sf_offset"][own][clear], "height", 1e-6, 1e-6)
    # far points have barycentrics up to 11, which no float32 has to more digits
    check(place.bary, data["sf_bary"][own][clear], "barycentrics", 1e-4, 1e-3)


def view(generator: Gnarf, planes: BodyPlanes, data: dict[str, np.ndarray], index: int) -> tuple[Rendering, BodyPlanes]:
    posed = in_pose(planes, data, index)
    return render_view(generator, posed, *camera(data, index)), posed


@pytest.mark.parametrize("index", range(POSES))
def test_rays_are_cut_by_the_clip_mesh(generator: Gnarf, planes: BodyPlanes, data: dict[str, np.ndarray], index: int) -> None:
    rays = ViewRays.from_cameras(*camera(data, index), generator.config.rays.neural_resolution)
    limits = generator.limits(rays, in_pose(planes, data, index))
    np.testing.assert_array_equal(limits.hit, data[f"hit{index}"].ravel())
    check(limits.start, data[f"near{index}"].ravel(), "near", 2e-5, 2e-5)
    check(limits.end, data[f"far{index}"].ravel(), "far", 2e-5, 2e-5)
    assert limits.void_outside


@pytest.mark.parametrize("index", range(POSES))
def test_views(generator: Gnarf, ws: torch.Tensor, planes: BodyPlanes, data: dict[str, np.ndarray], index: int) -> None:
    """99% to 1e-4, all to 2e-2: where a choice of the map flips by rounding, a ray may differ."""
    rendering, _ = view(generator, planes, data, index)
    image = generator.superresolve(rendering.raw, ws)
    for found, name in (
        (rendering.raw.image[0], "image_raw"),
        (image[0, :, ::4, ::4], "image"),
        (rendering.opacity[0], "weight_sum"),
    ):
        error = np.abs(found.numpy() - data[f"{name}{index}"])
        assert np.quantile(error, 0.99) < 1e-4 and error.max() < 2e-2, (name, np.quantile(error, 0.99), error.max())
    lit = data[f"weight_sum{index}"] > 0.01
    assert lit.sum() > 200
    error = np.abs(rendering.distance[0].numpy() - data[f"depth{index}"])[lit]
    assert np.quantile(error, 0.99) < 1e-4 and error.max() < 2e-2
    assert abs(float(image.mean()) - float(data[f"image_mean{index}"])) < 1e-4
    assert abs(float(image.std()) - float(data[f"image_std{index}"])) < 1e-4


def test_coarse_meshes_ride_where_the_published_ones_do(rig: Rig) -> None:
    """Fastening the published coarse mesh once more gives the same places."""
    template = rig.template
    vertices, faces = torch.from_numpy(template.vertices), torch.from_numpy(template.faces.astype(np.int64))
    tensors = (
        torch.from_numpy(np.asarray(x, np.int64 if x.dtype.kind == "i" else np.float32)) for x in vars(rig.reduced).values()
    )
    from dnerf_core.gnarf.body.tables import CoarseTable

    rest = ride(vertices, faces, CoarseTable(*tensors)).numpy()
    again = riding(template, rest.astype(np.float64), rig.reduced.faces)
    same = again.attach_face == rig.reduced.attach_face
    assert same.mean() > 0.9
    np.testing.assert_allclose(again.attach_bary[same], rig.reduced.attach_bary[same], atol=2e-4)
    np.testing.assert_allclose(again.attach_offset[same], rig.reduced.attach_offset[same], atol=1e-6)


def test_our_own_field_sees_the_same_body(generator: Gnarf, planes: BodyPlanes, data: dict[str, np.ndarray]) -> None:
    """On the skin itself all ways agree: what the two fields tell apart is where the coarse mesh leaves the whole one."""
    config = dataclasses.replace(generator.config, warp=WarpConfig("closest"))
    posed = dataclasses.replace(in_pose(planes, data, 1), config=config)
    body = posed.bodies[0]
    found, _ = posed.warp(body.vertices, None)
    np.testing.assert_allclose(found, body.canonical_vertices, atol=1e-5)
