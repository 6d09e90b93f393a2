"""What a family of generators gives; everything downstream asks for this and for nothing else.

    ws --planes--> Planes --field--> Field           of B subjects, differentiable: exact views, training, inversion
                          --pack---> SubjectField    of one subject, for inference: guided views
                          --source-> SemanticSource  what a semantic branch reads
    camera --limits--> where rays are sampled;  sums over rays --compose--> RawPicture --superresolve--> image

Frames: points, rays and cameras are in the world frame throughout. A family whose planes live elsewhere (the canonical pose of a body)
takes points there inside its own field and source; nothing outside knows.

Conventions: float32 on the generator's device; cameras OpenCV (`dnerf_core.camera`), intrinsics normalised by image size; distances along
the unit ray, world units; density = softplus(raw density - 1) at the middle of two samples (`rendering.compositing`); images about [-1, 1].

Importing this needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from typing import Self

    import torch
    from torch import Tensor
    from torch.nn import Parameter

    from dnerf_core.backbone.poses import RiggedPoints
    from dnerf_core.backbone.specs import BackboneConfig
    from dnerf_core.convolutions.forms import ConvolutionForm
    from dnerf_core.rendering.density_grid import DensityGrid
    from dnerf_core.rendering.rays import ViewRays
    from dnerf_core.semantic.config import FeatureKind


class Planes(Protocol):
    """What a generator makes of B subjects' latents (EG3D's tri-planes, PanoHead's tri-grids): the family's own, opaque to all others."""

    def __len__(self) -> int:
        """B."""


@runtime_checkable
class PosablePlanes(Planes, Protocol):
    """Planes that serve every pose: what a branch reads of them (`SemanticSource.maps`) and what taps name is the same in all.

    A family whose planes are such gives them this method; a subject in another pose then shares its planes, packed and projected ones too.
    """

    def posed(self, pose: Tensor | None, shape: Tensor | None = None) -> Self:
        """The same B subjects in another pose [B or 1, *pose_shape]; None: the family's usual one.

        Args:
            shape: [B or 1, shape_size] of `LatentSpec`, in place of the latents' own; None: theirs.
        """


@dataclass(frozen=True, eq=False)
class RayLimits:
    """Where M rays are sampled.

    Attributes:
        start, end: [M], along the unit ray, world units; both 0 for a ray that misses.
        hit: bool [M], which rays are worth sampling.
        void_outside: whether nothing counts before `start` and past `end`. Else samples may lie half a step past an end, as EG3D's do,
            and show what is there.
        within: [M] and [M], what counts lies between these distances instead, where `void_outside` is set; None: from `start` to `end`.
    """

    start: Tensor
    end: Tensor
    hit: Tensor
    void_outside: bool = False
    within: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True, eq=False)
class RawPicture:
    """What B views show at neural resolution R, after the family's epilogue (background, scaling, raw colours).

    Attributes:
        features: [B, C, R, R], C = `BackboneConfig.feature_channels`; what the super-resolution takes.
        image: [B, 3, R, R], about [-1, 1].
    """

    features: Tensor
    image: Tensor


class Taps(Protocol):
    """What N points read of a subject's tables."""

    def select(self, keep: Tensor) -> Self:
        """Those of the points that `keep` (index int64 or mask bool) names."""


class TapTable(Protocol):
    """Pictures of a subject, packed to be read with the taps of its field."""

    def read(self, taps: Any) -> Tensor:
        """Sum over pictures [N, C] of what the points read."""


class Field(Protocol):
    """The radiance field of B subjects; differentiable in the latents, in the weights and in the points.

    Points [N, 3], world frame; subject int64 [N], which of the B each point reads, or None: the only one.
    """

    def raw_density(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Raw density [N]."""

    def colors(self, points: Tensor, subject: Tensor | None) -> Tensor:
        """Colour features [N, C]."""

    def density_and_colors(self, points: Tensor, subject: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both at once, [N] and [N, C]; what they have in common is worked out once."""


class SubjectField(Protocol):
    """The radiance field of one subject, packed for inference: density first, colours only where they are seen, all by the same taps."""

    @property
    def color_channels(self) -> int:
        """C."""

    def taps(self, points: Tensor) -> Any:
        """Taps of points [3, N], world frame."""

    def hidden(self, taps: Any) -> Tensor:
        """Hidden activations [N, H] of points' taps."""

    def raw_density(self, hidden: Tensor, taps: Any) -> Tensor:
        """Raw density [N]; the taps are those that `hidden` was made of."""

    def colors(self, hidden: Tensor) -> Tensor:
        """Colour features [N, C]."""

    def table(self, pictures: Tensor) -> TapTable:
        """Pictures [P, R, R, C] of a semantic branch (`SourceSpec`; rows, columns), to be read with this field's taps."""

    def density_grid(self, nodes: int, longest_ray: float, inset: float | None) -> DensityGrid:
        """The density grid of `nodes` nodes an axis; `density_grid.grid_at_nodes` serves any field. See `DensityGrid.build`."""


TapFinder = Callable[["Tensor", "Tensor | None"], "tuple[Tensor, Tensor]"]
"""Points [N, 3] (world frame) and the subject int64 [N] of each (None: the only one) -> rows int64 [N, T] and weights [N, T].

Rows are of one subject's table [R*R*P, ...], in which row (i*R + j)*P + p is texel (row i, column j) of picture p; a texel that is not
there has weight 0. Weights carry gradients to the points. A finder is kept through a training, so it holds no pictures.
"""


class SemanticSource(Protocol):
    """What a semantic branch reads of B subjects."""

    @property
    def finder(self) -> TapFinder:
        """Where points read."""

    def maps(self, kind: FeatureKind) -> list[Tensor]:
        """Pictures of every scale of `SourceSpec.scales`, [B, c, s, s] each, differentiable.

        Of "features" c is the scale's block channels, which all P pictures share. Of "planes" c is P * plane_channels, picture by picture.
        """


Superresolve = Callable[[RawPicture], "Tensor"]
"""Raw pictures of B views of one subject -> images [B, 3, S, S]."""

P = TypeVar("P", bound=Planes)


class Backbone(Protocol[P]):
    """A frozen generator: a torch module (see the last methods) whose state has the published names."""

    @property
    def config(self) -> BackboneConfig:
        """What its weights are the function of."""

    def mapping(self, z: Tensor, conditioning: Tensor | None, truncation: float, cutoff: int | None) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim], differentiable.

        Args:
            conditioning: [B, 25], the camera it is conditioned on, see `Camera.conditioning`; a family without one ignores it.
            truncation: the factor psi: 1 keeps the latent, 0 gives the mean.
            cutoff: how many of the ws are truncated; None: all.
        """

    def planes(self, ws: Tensor, pose: Tensor | None = None, *, until: int | None = None) -> P:
        """The planes of subjects ws [B, num_ws, w_dim], which all views of them read.

        Args:
            pose: [B, *pose_shape] of `LatentSpec.pose_shape`; None: the family's usual pose, or it has none.
            until: stop at the block of this resolution, for coarser planes; None: the full resolution.
        """

    def field(self, planes: P) -> Field:
        """The radiance field of the subjects."""

    def pack(self, planes: P) -> SubjectField:
        """The radiance field of the only subject, for inference."""

    def source(self, planes: P) -> SemanticSource:
        """What a semantic branch reads of the subjects."""

    def limits(self, view: ViewRays, planes: P) -> RayLimits:
        """Where the rays of B views are sampled, M = B * N, view by view; view b shows subject b, or the only one."""

    def compose(self, color: Tensor, opacity: Tensor, planes: P, side: int) -> RawPicture:
        """The epilogue of volume rendering: what is behind, and the range of values.

        Args:
            color: [B * R * R, C], weighted sums of colour features of every ray of B views, view by view, rows first; it may be written to
                where no gradients are followed.
            opacity: [B * R * R], sums of weights.
            planes: of the B subjects, or of the only one.
            side: R.
        """

    def joints(self, planes: P) -> Tensor | None:
        """Where the joints of the subjects are, [B, K, 3], world frame; None: they have none."""

    def posed_vertices(self, planes: P) -> Tensor | None:
        """Where the vertices of the subjects' `Family.template_mesh` are, [B, V, 3], world frame; None: they have none."""

    def vertices_in(self, ws: Tensor, pose: Tensor) -> Tensor | None:
        """`posed_vertices` [B, V, 3] of subjects ws [B or 1, num_ws, w_dim] in poses [B, *pose_shape], without planes; differentiable."""

    def rig(self, planes: P, points: Tensor) -> RiggedPoints | None:
        """Points [N, 3] (world frame) of the only subject's surface with the skeleton that moves them; None: it has none."""

    def canonical(self, planes: P, points: Tensor) -> Tensor | None:
        """Points [N, 3] (world frame) of the only subject's surface where they are in its canonical pose; None: it does not move."""

    def superresolve(self, picture: RawPicture, ws: Tensor) -> Tensor:
        """Images [B, 3, S, S] of subjects ws [B or 1, num_ws, w_dim], differentiable."""

    def superresolution_activations(self, picture: RawPicture, ws: Tensor) -> list[Tensor]:
        """What the super-resolution's layers hold on the way to the image, [B, c, s, s] each, coarse to fine; of one without any, none."""

    def prepare_superresolution(self, ws: Tensor, form: ConvolutionForm) -> Superresolve:
        """The super-resolution of one subject ws [1, num_ws, w_dim], with its styles folded in; its convolutions run in `form`."""

    # what a torch module has

    def load_published(self, state: dict[str, Tensor]) -> None:
        """Load a flat state of the published names; see `backbone.weights.PublishedWeights`, which families derive from."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Its weights and buffers by name."""

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Its weights by name."""

    def to(self, device: torch.device) -> Self:
        """Moved to a device."""

    def eval(self) -> Self:
        """As it is used."""

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether gradients to its weights are followed."""
