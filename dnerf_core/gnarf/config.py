"""What a GNARF generator is made of, as data (no torch): a body, a tri-plane in its canonical pose, and the way from posed to canonical."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dnerf_core.backbone.config_json import OPTIONAL
from dnerf_core.backbone.specs import LatentSpec
from dnerf_core.backbone.viewing import RayConfig
from dnerf_core.generator.config import TriplaneConfig
from dnerf_core.stylegan2.config import PlaneGeneratorConfig

Projector = Literal["closest", "surface_field", "skinning", "mvc", "mvc_grid", "none"]
WarpingMask = Literal["mesh", "cube", "none"]

MAX_JOINTS = 1024
MAX_VERTICES = MAX_FACES = 2**20
"""Of a body's meshes; whole numbers are kept as float32, which is exact to 2^24."""
MAX_SHAPE_DIRECTIONS = 256
MAX_PARTS = 254


@dataclass(frozen=True)
class MeshCounts:
    """Sizes of a triangle mesh: V vertices and F faces."""

    vertices: int = 4
    faces: int = 4


@dataclass(frozen=True)
class BodyConfig:
    """The sizes and names of a body; its numbers are tensors of the generator, `body.*` (`shapes.body_shapes`).

    Attributes:
        joint_names: K names, the root first.
        parents: K numbers, -1 for the root; every parent comes before its children.
        mesh: of the whole template.
        reduced: of the coarse mesh that points are projected on by the published methods.
        clip: of the coarse mesh, grown, that rays are cut by.
        shape_directions: S, 0 for a body of one shape.
        pose_correctives: whether the template's vertices at rest are moved by each pose, as SMPL's are; None: they are not.
        part_names: what the body's vertices are parts of; empty: not told.
        scale: world units a template unit; applied last, after the translation.
        licence, source: terms of use of mesh and rig, and where they come from, for people.
    """

    joint_names: tuple[str, ...] = ("root",)
    parents: tuple[int, ...] = (-1,)
    mesh: MeshCounts = field(default_factory=MeshCounts)
    reduced: MeshCounts = field(default_factory=MeshCounts)
    clip: MeshCounts = field(default_factory=MeshCounts)
    shape_directions: int = 0
    part_names: tuple[str, ...] = ()
    scale: float = 1.0
    licence: str = ""
    source: str = ""
    pose_correctives: bool | None = field(default=None, metadata=OPTIONAL)

    @property
    def num_joints(self) -> int:
        """K."""
        return len(self.joint_names)


@dataclass(frozen=True)
class CanonicalPlanesConfig(TriplaneConfig):
    """The tri-plane that the body in its canonical pose fills.

    Attributes:
        axis_stretch: canonical x, y and z are multiplied by these before the box is applied, so that a flat body fills its planes.
    """

    box_warp: float = 2.0
    axis_stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class WarpConfig:
    """How a point of the posed space finds its canonical one, and where a ray is sampled (GNARF section 3.2).

    Attributes:
        projector: "closest", by the true closest point of the posed body; "surface_field", "skinning", "mvc" and "mvc_grid", the published
            ones; "none", points are canonical.
        mask: rays are cut by the posed clip mesh, by the planes' cube, or by the configured distances alone.
        mesh_clip_offset: how far the clip mesh was grown, template units; it is no part of the function, since the mesh itself is kept.
        box_warp_pre_deform: points are divided by half the box before they are carried to canonical space, and not at the planes.
        project_inside_only: with mask "cube", what lies outside of the clip mesh along a ray is void too.
        reach: of "closest", distance from the posed surface past which nothing is, world units; None: no end.
    """

    projector: Projector = "closest"
    mask: WarpingMask = "mesh"
    mesh_clip_offset: float = 0.05
    box_warp_pre_deform: bool = False
    project_inside_only: bool = False
    reach: float | None = None

    @property
    def is_published(self) -> bool:
        """Whether views are to be the published generator's, down to how finely it sees the clip mesh."""
        return self.projector != "closest"


@dataclass(frozen=True)
class GnarfConfig(PlaneGeneratorConfig):
    """Everything but its numbers that decides what function a GNARF generator is.

    Attributes:
        triplane: the canonical planes.
        body: the body that moves.
        warp: from posed to canonical.
        shape_hidden: width of the hidden layer between w and the shape coefficients; 0: one linear layer.
        posed_side: side of the cube about the world's origin that the body keeps within in any pose, world units; None: the planes' own.
    """

    name: str = "gnarf"
    triplane: CanonicalPlanesConfig = field(default_factory=CanonicalPlanesConfig)
    rays: RayConfig = field(default_factory=lambda: RayConfig(64, 64, 64, 0.7, 3.2))
    body: BodyConfig = field(default_factory=BodyConfig)
    warp: WarpConfig = field(default_factory=WarpConfig)
    shape_hidden: int = 0
    posed_side: float | None = None

    @property
    def box_side(self) -> float:
        """Side of the world's cube that the posed body keeps within."""
        return self.triplane.box_warp if self.posed_side is None else self.posed_side

    @property
    def ray_limits(self) -> tuple[float, float] | None:
        """None where a clip mesh tells which part of a ray is sampled."""
        return super().ray_limits if self.warp.mask == "none" else None

    @property
    def planes_text(self) -> str:
        """The planes and the body, for people."""
        body = self.body
        return f"{super().planes_text}, canonical; body of {body.num_joints} joints, {body.mesh.vertices} vertices"

    @property
    def latent(self) -> LatentSpec:
        """What makes a subject: a latent, and a pose of K rotations and a translation."""
        return LatentSpec(
            self.mapping.z_dim,
            self.backbone.num_ws,
            self.mapping.w_dim,
            (self.body.num_joints + 1, 3),
            self.body.shape_directions,
        )
