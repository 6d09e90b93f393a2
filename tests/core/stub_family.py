"""A family that has nothing of EG3D: a ball in a plain box, in front of a coloured background, which a pose moves about.

Its planes are two pictures that a point looks up by the nearest texel; its rays stop at a sphere round the ball, outside of which nothing
counts; its raw image is a matrix product of its features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import trimesh
from numpy.typing import NDArray
from torch import Tensor, nn

from dnerf_core.backbone.family import Family
from dnerf_core.backbone.poses import Motion, TemplateMesh
from dnerf_core.backbone.protocols import RawPicture, RayLimits, Superresolve, TapFinder
from dnerf_core.backbone.ranges import check_numbers, check_view, image_size_range, ray_ranges, refusal
from dnerf_core.backbone.registry import FAMILIES
from dnerf_core.backbone.signature import Signature
from dnerf_core.backbone.specs import LatentSpec, Shape, SourceSpec
from dnerf_core.backbone.viewing import CameraConfig, RayConfig
from dnerf_core.backbone.weights import PublishedWeights
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.errors import UsageError
from dnerf_core.rendering.density_grid import DensityGrid, grid_at_nodes
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.semantic.config import FeatureKind

SIDE_PX, TEXELS, CHANNELS = 32, 16, 5
STEEPNESS = 3000.0
"""Of the raw density, a world unit: light goes sqrt(pi / 6000) = 0.023 into a ball, in the mean."""
REACH = 0.62
"""Radius of the sphere that rays stop at; balls are smaller."""


@dataclass(frozen=True)
class BallConfig:
    """Its only size is that of the box."""

    name: str = "balls"
    image_size: int = 64
    side: float = 2.0
    rays: RayConfig = field(default_factory=lambda: RayConfig(SIDE_PX, 24, 24, "auto", "auto"))
    cameras: CameraConfig = field(default_factory=lambda: CameraConfig(radius=3.0, pivot=(0.0, 0.0, 0.0), focal=1.5))

    @property
    def box_side(self) -> float:
        return self.side

    @property
    def ray_limits(self) -> tuple[float, float] | None:
        return None

    @property
    def feature_channels(self) -> int:
        return CHANNELS

    @property
    def planes_text(self) -> str:
        return "a ball"

    @property
    def superresolution_text(self) -> str:
        return "bilinear"

    @property
    def latent(self) -> LatentSpec:
        return LatentSpec(z_dim=6, num_ws=3, w_dim=4, pose_shape=(3,))

    @property
    def source(self) -> SourceSpec:
        return SourceSpec(scales=(8, TEXELS), block_channels=(3, 4), num_planes=2, plane_channels=2, resolution=TEXELS)


def ball_shapes(config: BallConfig) -> dict[str, Shape]:
    return {"latents.weight": (4, 6), "paint.weight": (CHANNELS, 4), "paint.bias": (CHANNELS,), "torgb": (3, CHANNELS)}


def check_ball(config: BallConfig, where: str, remedy: str) -> None:
    refuse = refusal(where, remedy)
    check_numbers(config, [image_size_range(config), *ray_ranges(config.rays)], refuse)
    check_view(config, "side", refuse)


@dataclass(frozen=True, eq=False)
class Balls:
    """Radius [B], paint [B, C], background [B, C] and centre [B, 3] (world frame) of balls."""

    radius: Tensor
    paint: Tensor
    behind: Tensor
    centre: Tensor

    def __len__(self) -> int:
        return len(self.radius)

    def canonical(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Points [N, 3] from the world frame to that of the ball."""
        return points - (self.centre if subject is None else self.centre[subject])


def texels_of(points: Tensor) -> Tensor:
    """int64 [N, 2, 2]: (row, column) of the nearest texels of points [N, 3] of the ball's frame: y and x, y and z."""
    place = ((points / 2 + 0.5) * TEXELS).long().clamp(0, TEXELS - 1)
    return torch.stack([place[:, [1, 0]], place[:, [1, 2]]], dim=1)


@dataclass(frozen=True, eq=False)
class BallSource:
    """Ramps: of x, of y and of both, the same for every ball."""

    balls: Balls

    @property
    def finder(self) -> TapFinder:
        balls = dataclasses.replace(self.balls, paint=self.balls.paint[:0])

        def find(points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
            texel = texels_of(balls.canonical(points, subject))
            rows = (texel[..., 0] * TEXELS + texel[..., 1]) * 2 + torch.arange(2, device=points.device)
            return rows, torch.ones_like(rows, dtype=points.dtype)

        return find

    def maps(self, kind: FeatureKind) -> list[Tensor]:
        maps = []
        for side, wide in ((8, 3), (TEXELS, 4)):
            steps = torch.linspace(-1, 1, side)
            down, across = torch.meshgrid(steps, steps, indexing="ij")
            ramps = torch.stack([across, down, across.sign(), across * down])[: wide if kind == "features" else 4]
            maps.append(ramps.expand(len(self.balls), -1, -1, -1))
        return maps


@dataclass(frozen=True, eq=False)
class BallField:
    """Raw density falls from inside to outside; one colour."""

    balls: Balls

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        radius = self.balls.radius if subject is None else self.balls.radius[subject]
        return STEEPNESS * (radius - self.balls.canonical(points, subject).norm(dim=1))

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        return self.balls.paint.expand(len(points), -1) if subject is None else self.balls.paint[subject]

    def density_and_colors(self, points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.raw_density(points, subject), self.colors(points, subject)


@dataclass(frozen=True)
class BallTaps:
    points: Tensor

    def select(self, keep: Tensor) -> BallTaps:
        return BallTaps(self.points[keep])


@dataclass(frozen=True)
class BallTable:
    pictures: Tensor

    def read(self, taps: BallTaps) -> Tensor:
        texel = texels_of(taps.points)
        return sum((self.pictures[p][texel[:, p, 0], texel[:, p, 1]] for p in (0, 1)), torch.zeros(()))


@dataclass(frozen=True, eq=False)
class OneBall:
    balls: Balls
    side: float
    color_channels: int = CHANNELS

    def taps(self, points: Tensor) -> BallTaps:
        return BallTaps(self.balls.canonical(points.t(), None))

    def hidden(self, taps: BallTaps) -> Tensor:
        return self.balls.radius - taps.points.norm(dim=1, keepdim=True)

    def raw_density(self, hidden: Tensor, taps: BallTaps) -> Tensor:
        assert len(hidden) == len(taps.points)
        return STEEPNESS * hidden[:, 0]

    def colors(self, hidden: Tensor) -> Tensor:
        return self.balls.paint.expand(len(hidden), -1)

    def table(self, pictures: Tensor) -> BallTable:
        return BallTable(pictures)

    def density_grid(self, nodes: int, longest_ray: float, inset: float | None) -> DensityGrid:
        def density(points: Tensor) -> Tensor:
            taps = self.taps(points)
            return self.raw_density(self.hidden(taps), taps)

        return grid_at_nodes(density, nodes, self.side, longest_ray, inset, self.balls.radius)


_BALL = trimesh.creation.icosphere(subdivisions=3)
BALL_VERTICES = _BALL.vertices.astype(np.float32)


def ball_mesh(path: Path) -> TemplateMesh:
    """A ball's template, for a `Family.template_mesh`."""
    return TemplateMesh(
        _BALL.faces.astype(np.int32), np.ones((len(BALL_VERTICES), 2), np.float32) / 2, ("middle", "top"), np.zeros(0, np.uint8)
    )


class BallBackbone(PublishedWeights):
    config: BallConfig

    def __init__(self, config: BallConfig) -> None:
        super().__init__()
        self.config = config
        self.latents = nn.Linear(6, 4, bias=False)
        self.paint = nn.Linear(4, CHANNELS)
        self.torgb = nn.Parameter(torch.eye(CHANNELS)[[4, 3, 2]])

    def mapping(self, z: Tensor, conditioning: Tensor | None, truncation: float, cutoff: int | None) -> Tensor:
        return (self.latents(z) * truncation)[:, None].expand(-1, 3, -1)

    def planes(self, ws: Tensor, pose: Tensor | None = None, *, until: int | None = None) -> Balls:
        centre = ws.new_zeros(len(ws), 3) if pose is None else pose
        radius = 0.45 + 0.1 * torch.tanh(ws[:, 0, 0])
        return Balls(radius, torch.sigmoid(self.paint(ws[:, 1])), torch.sigmoid(ws[:, 2].repeat(1, 2)[:, :CHANNELS]), centre)

    def field(self, planes: Balls) -> BallField:
        return BallField(planes)

    def pack(self, planes: Balls) -> OneBall:
        assert len(planes) == 1
        return OneBall(planes, self.config.side)

    def source(self, planes: Balls) -> BallSource:
        return BallSource(planes)

    def limits(self, view: ViewRays, planes: Balls) -> RayLimits:
        """Where rays meet the sphere of `REACH` round the ball."""
        to_centre = planes.centre[:, None] - view.origins
        along = (to_centre * view.directions).sum(dim=-1).flatten()
        apart = to_centre.square().sum(dim=-1).flatten() - along.square()
        hit = apart < REACH**2
        half = (REACH**2 - apart).clamp_min(0).sqrt()
        zero = torch.zeros_like(along)
        return RayLimits(torch.where(hit, along - half, zero), torch.where(hit, along + half, zero), hit, void_outside=True)

    def compose(self, color: Tensor, opacity: Tensor, planes: Balls, side: int) -> RawPicture:
        views = len(opacity) // side**2
        behind = planes.behind[:, None].expand(views, side * side, -1).reshape(-1, CHANNELS)
        features = (color + (1 - opacity)[:, None] * behind).reshape(views, side, side, CHANNELS).permute(0, 3, 1, 2)
        return RawPicture(features, torch.einsum("oc,bcij->boij", self.torgb, features) * 2 - 1)

    def canonical(self, planes: Balls, points: Tensor) -> Tensor:
        return planes.canonical(points, None)

    def joints(self, planes: Balls) -> Tensor:
        """The middle, and a point above it on the skin."""
        up = torch.tensor([0.0, 1.0, 0.0]) * planes.radius[:, None]
        return torch.stack([planes.centre, planes.centre + up], dim=1)

    def posed_vertices(self, planes: Balls) -> Tensor:
        """Of `ball_mesh`."""
        return planes.centre[:, None] + planes.radius[:, None, None] * torch.from_numpy(BALL_VERTICES)

    def vertices_in(self, ws: Tensor, pose: Tensor) -> Tensor:
        return self.posed_vertices(self.planes(ws.expand(len(pose), -1, -1), pose))

    def superresolve(self, picture: RawPicture, ws: Tensor) -> Tensor:
        size = self.config.image_size
        return F.interpolate(picture.image, size=(size, size), mode="bilinear", align_corners=False)

    def superresolution_activations(self, picture: RawPicture, ws: Tensor) -> list[Tensor]:
        return []

    def prepare_superresolution(self, ws: Tensor, form: ConvolutionForm) -> Superresolve:
        assert ws.shape == (1, 3, 4)
        return lambda picture: self.superresolve(picture, ws)


@dataclass(frozen=True)
class BallPoser:
    """Poses out of a text: a line of three numbers a frame."""

    model: Path

    joint_names = ("middle", "top")
    joint_parents = (-1, 0)

    joint_places = np.zeros((2, 3), np.float32)
    scale = 1.0
    place = (0, 1, 2)

    def turns(self, poses: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.tile(np.float32([0, 0, 0, 1]), (len(poses), 2, 1)), poses

    def read(
        self, source: Path, frames: tuple[int, int] | None = None, fps: float | None = None, bone_map: Path | None = None
    ) -> Motion:
        try:
            poses = np.loadtxt(source, dtype=np.float32, ndmin=2)
        except (OSError, ValueError) as error:
            raise UsageError(f"--pose {source}: expected three numbers a line, found {error}; correct it") from error
        first, last = frames or (1, len(poses))
        return Motion(source.name, poses[first - 1 : last], 12.0, ("middle <- middle",), ("a ball has no legs",), {"pairs": []})

    def drawn(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        return rng.uniform(-0.2, 0.2, (count, 3)).astype(np.float32)


BALLS = Family(
    name="balls",
    title="Balls",
    config_class=BallConfig,
    expected_shapes=ball_shapes,
    check_ranges=check_ball,
    builder="tests.core.stub_family:BallBackbone",
    read_release="tests.core.stub_release:read_balls",
    poser="tests.core.stub_family:BallPoser",
    signature=Signature(
        network_class="BallGenerator",
        modules=frozenset({"latents", "paint"}),
        state_key=r"paint\.weight$",
        own_tensors=(r"^latents\.weight$", r"^torgb$"),
    ),
    unseen_by_views=("latents.",),
)


@pytest.fixture
def balls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """The family, while it is registered."""
    monkeypatch.setitem(FAMILIES, BALLS.name, BALLS)
    yield BALLS
