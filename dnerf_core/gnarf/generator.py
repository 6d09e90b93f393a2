"""GNARF's generator (Bergman et al., NeurIPS 2022, arXiv 2206.14314): EG3D's parts, with a body between the rays and the planes.

The planes stand in the body's canonical pose, so one set serves every pose: a sample of a posed view is carried to canonical space
(`warp.projectors`) and read there; rays are sampled from the first to the last surface of a grown mesh that moves with the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.backbone.poses import RiggedPoints
from dnerf_core.backbone.protocols import RawPicture, RayLimits, Superresolve
from dnerf_core.backbone.weights import PublishedWeights
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.generator.eg3d import Decoder, Triplanes, plain_picture
from dnerf_core.gnarf.body.checks import check_body
from dnerf_core.gnarf.body.posed import posed_vertices
from dnerf_core.gnarf.body.rigging import canonical_points, rigged_points
from dnerf_core.gnarf.body.tables import BodyTables
from dnerf_core.gnarf.config import GnarfConfig
from dnerf_core.gnarf.field import CanonicalField, PosedField
from dnerf_core.gnarf.packed_field import PackedBodyField
from dnerf_core.gnarf.planes import BodyPlanes
from dnerf_core.gnarf.warp.limits import posed_limits
from dnerf_core.rendering.rays import ViewRays
from dnerf_core.stylegan2.networks import LRELU_GAIN, LRELU_SLOPE, Backbone, FullyConnected
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from dnerf_core.stylegan2.superresolution import SuperResolution

if TYPE_CHECKING:
    from dnerf_core.gnarf.body.rig import Rig


class ShapeHead(nn.Module):
    """w -> S shape coefficients of a body: one linear layer, or two with leaky ReLU (0.2) times sqrt(2) between."""

    def __init__(self, w_dim: int, hidden: int, directions: int) -> None:
        super().__init__()
        self.fc0 = FullyConnected(w_dim, hidden or directions)
        self.fc1 = FullyConnected(hidden, directions) if hidden else None

    def forward(self, ws: Tensor) -> Tensor:
        """Coefficients [B, S] of ws [B, num_ws, w_dim]; of ws that differ, their mean is read."""
        x: Tensor = self.fc0(ws.mean(dim=1))
        return x if self.fc1 is None else self.fc1(F.leaky_relu(x, LRELU_SLOPE) * LRELU_GAIN)


class Gnarf(PublishedWeights):
    """G(z, pose, camera) -> image, raw image and depth; state names are EG3D's, with `body.*` and `shape_head.*`.

    Frozen in production; differentiable to z, w, the planes, the pose and the camera (but for where rays are sampled).
    """

    config: GnarfConfig

    def __init__(self, config: GnarfConfig) -> None:
        super().__init__()
        self.config = config
        channels, w_dim = config.backbone.plane_channels, config.mapping.w_dim
        self.backbone = Backbone(config.mapping, config.backbone, config.image_channels)
        self.decoder = Decoder(channels, config.triplane)
        self.superresolution = SuperResolution(config.superresolution, channels, w_dim)
        self.body = BodyTables(config.body)
        directions = config.body.shape_directions
        self.shape_head = ShapeHead(w_dim, config.shape_hidden, directions) if directions else None

    def load_published(self, state: dict[str, Tensor]) -> None:
        """See `PublishedWeights`; a body that could not be posed is refused by a `CheckpointError`, too."""
        super().load_published(state)
        check_body(dict(self.body.named_buffers()), self.config.body)

    def wear(self, rig: Rig) -> None:
        """Take a rig's numbers for the body; its sizes are those of the configuration's `body`."""
        self.body.fill(rig.arrays())

    def mapping(
        self, z: Tensor, conditioning: Tensor | None = None, truncation: float = 1.0, cutoff: int | None = None
    ) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim]; see `stylegan2.Mapping`."""
        return self.backbone.mapping(z, conditioning, truncation, cutoff)

    def shape(self, ws: Tensor) -> Tensor:
        """Shape coefficients [B, S] of subjects ws [B, num_ws, w_dim]; S is 0 for a body of one shape."""
        return ws.new_zeros(len(ws), 0) if self.shape_head is None else self.shape_head(ws)

    # what any family does, see `Backbone`

    def planes(
        self, ws: Tensor, pose: Tensor | None = None, *, noise_mode: str = "const", until: int | None = None
    ) -> BodyPlanes:
        """The canonical tri-planes of subjects ws [B, num_ws, w_dim], and their bodies.

        Args:
            pose: [B or 1, K + 1, 3]; None: the canonical one.
            noise_mode: "const" (the published default) or "none".
            until: stop at the block of this resolution, for coarser planes; None: the full resolution.
        """
        image, block_features, block_outputs = self.backbone.synthesis(ws, noise_mode, until)
        channels = self.config.backbone.plane_channels
        triplane = image.reshape(image.shape[0], -1, channels, *image.shape[-2:])
        canonical = Triplanes(triplane, block_features, block_outputs, self.config.triplane)
        return BodyPlanes.make(canonical, pose, self.shape(ws), self.body.table(), self.config)

    def field(self, planes: BodyPlanes) -> PosedField:
        """The radiance field of B posed subjects."""
        return PosedField(planes, self.decoder)

    def canonical_field(self, planes: BodyPlanes | Tensor) -> CanonicalField:
        """The field of canonical points, undeformed, of B subjects' planes, or of tri-planes [B, 3, C, R, R]."""
        triplane = planes if isinstance(planes, Tensor) else planes.canonical.triplane
        return CanonicalField(triplane, self.decoder, self.config)

    def pack(self, planes: BodyPlanes) -> PackedBodyField:
        """The radiance field of the only posed subject, for inference; what no pose changes is packed once."""
        return PackedBodyField.pack(planes, self.decoder)

    def source(self, planes: BodyPlanes) -> BodyPlanes:
        """The planes themselves, read at canonical points."""
        return planes

    def limits(self, view: ViewRays, planes: BodyPlanes) -> RayLimits:
        """First and last surface of the clip mesh, or what the configuration's mask says."""
        return posed_limits(view, planes.bodies, self.config)

    def compose(self, color: Tensor, opacity: Tensor, planes: BodyPlanes, side: int) -> RawPicture:
        """As EG3D's."""
        return plain_picture(color, opacity, side, white_back=self.config.rays.white_back)

    def joints(self, planes: BodyPlanes) -> Tensor:
        """Where the joints of the bodies are, [B, K, 3], world frame."""
        return torch.stack([body.joints for body in planes.bodies])

    def posed_vertices(self, planes: BodyPlanes) -> Tensor:
        """Where the vertices of the bodies' whole template are, [B, V, 3], world frame."""
        return torch.stack([body.vertices for body in planes.bodies])

    def vertices_in(self, ws: Tensor, pose: Tensor) -> Tensor:
        """The same of subjects ws [B or 1, num_ws, w_dim] in poses [B, K + 1, 3], without planes."""
        return posed_vertices(self.config.body, self.body.table(), pose, self.shape(ws))

    def rig(self, planes: BodyPlanes, points: Tensor) -> RiggedPoints:
        """Points [N, 3] (world frame) of the only subject's surface with the skeleton that moves them."""
        return rigged_points(planes.bodies[0], points)

    def canonical(self, planes: BodyPlanes, points: Tensor) -> Tensor:
        """Points [N, 3] (world frame) about the only body where they are when it takes the canonical pose."""
        return canonical_points(planes.bodies[0], points)

    def superresolve(self, picture: RawPicture, ws: Tensor) -> Tensor:
        """Final image [B, 3, S, S], about [-1, 1]."""
        image: Tensor = self.superresolution(picture.features, ws)
        return image

    def superresolution_activations(self, picture: RawPicture, ws: Tensor) -> list[Tensor]:
        """Hidden channels of the super-resolution's two blocks."""
        return self.superresolution.activations(picture.features, ws)

    def prepare_superresolution(self, ws: Tensor, form: ConvolutionForm) -> Superresolve:
        """The super-resolution of one subject."""
        prepared = PreparedSuperResolution(self.superresolution, ws, form.dtype, form.memory_format)
        return lambda picture: prepared(picture.features)
