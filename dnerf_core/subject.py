"""A latent made solid is a Subject; a Subject seen from a camera is a LabeledView."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dnerf_core.backbone.posing import canonical_cloud, posed_planes
from dnerf_core.backbone.protocols import Planes, PosablePlanes, SubjectField, Superresolve
from dnerf_core.camera import Camera
from dnerf_core.loaded_model import LoadedModel
from dnerf_core.mesh.mesh import Mesh, mesh_of, surface_of
from dnerf_core.mesh.options import MeshOptions
from dnerf_core.mesh.surface import Surface
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.pointcloud.fusion import FusionOptions, fuse_views
from dnerf_core.pointcloud.own_cameras import own_cloud_cameras
from dnerf_core.rendering.camera_tensors import camera_tensors
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.depth import planar_depth
from dnerf_core.rendering.final_picture import resized, uint8_pixels
from dnerf_core.rendering.labeled_view import LabeledView, PartialView, sample_side_px
from dnerf_core.rendering.limits import GRID_NODES, subject_grid
from dnerf_core.seeing.edge_rays import edge_rays
from dnerf_core.seeing.raw_view import RawView, exact_raw, guided_raw
from dnerf_core.seeing.shown import Shown
from dnerf_core.semantic.branch import SemanticBranch, label_mask, uncertainty
from dnerf_core.semantic.packed import PackedSemantics
from dnerf_core.semantic.triplane import ProjectedPlanes
from dnerf_core.work.interruption import checkpoint
from dnerf_core.work.made_once import MadeOnce, Making

Channel = Literal["rgb", "mask", "depth", "uncertainty", "joints", "vertices", "coverage"]
ALL_CHANNELS: tuple[Channel, ...] = ("rgb", "mask", "depth")


class Subject(Making):
    """One latent made solid: its planes and what is derived from them are made once, on first need, and every view reads them.

    Views may be rendered from several threads.
    """

    def __init__(self, model: LoadedModel, ws: Tensor, pose: Tensor | None = None, shape: Tensor | None = None) -> None:
        """Latents, on the model's device.

        Args:
            ws: [1, num_ws, w_dim].
            pose: [1, *pose_shape]; None: the family's usual one, or it has none.
            shape: [1, shape_size], of a body; None: that of the latents, or it has none.
        """
        super().__init__()
        self.model, self.ws, self.pose, self.shape = model, ws, pose, shape
        self._first: Subject | None = None

    def posed(self, pose: Tensor | None) -> Subject:
        """The same latents, and the same shape, in another pose; of a family whose planes serve every pose they are shared."""
        return self._other(pose, self.shape)

    def shaped(self, shape: Tensor | None) -> Subject:
        """The same latents and pose with other coefficients [1, shape_size] of the body's shape; None: those of the latents."""
        return self._other(self.pose, shape)

    def _other(self, pose: Tensor | None, shape: Tensor | None) -> Subject:
        other = Subject(self.model, self.ws, pose, shape)
        other._first = self if self._first is None else self._first
        return other

    @MadeOnce
    def _shared(self) -> Subject | None:
        """The subject whose planes this one has too, in another pose; None: it has its own."""
        return self._first if self._first is not None and isinstance(self._first.planes, PosablePlanes) else None

    def __repr__(self) -> str:
        return f"Subject(of {self.model.config.name}, latents {self.ws.shape[1]} x {self.ws.shape[2]}, on {self.ws.device})"

    @MadeOnce
    def planes(self) -> Planes:
        """What the generator makes of the latents, such as a tri-plane, in its family's own form; all else is derived from it."""
        with self.model.inference():
            shared = None if self._shared is None else self._shared.planes
            return posed_planes(self.model.generator, self.ws, self.pose, self.shape, shared)

    @MadeOnce
    def joints(self) -> NDArray[np.float32] | None:
        """Where its joints are in its pose, [K, 3], world frame; None: it has none."""
        with self.model.inference():
            places = self.model.generator.joints(self.planes)
            return None if places is None else places[0].cpu().numpy()

    @MadeOnce
    def vertices(self) -> NDArray[np.float32] | None:
        """Where the vertices of its template mesh are in its pose and shape, [V, 3], world frame; None: it has none."""
        with self.model.inference():
            places = self.model.generator.posed_vertices(self.planes)
            return None if places is None else places[0].float().cpu().numpy()

    @MadeOnce
    def projected(self) -> ProjectedPlanes:
        """The subject's semantic tri-plane, after the decoder's first layer."""
        assert self.model.branch is not None
        with self.model.inference():
            source = self.model.generator.source(self.planes)
            if self._shared is not None:
                return dataclasses.replace(self._shared.projected, finder=source.finder)
            return self.model.branch.project(source)

    @MadeOnce
    def field(self) -> SubjectField:
        """The radiance field, packed for inference."""
        with self.model.inference():
            return self.model.generator.pack(self.planes)

    @MadeOnce
    def grid(self) -> DensityGrid:
        """The density grid that all views share."""
        with self.model.inference():
            return self._density_grid(GRID_NODES)

    def _density_grid(self, nodes: int) -> DensityGrid:
        return subject_grid(self.field, self.model.config, nodes)

    @MadeOnce
    def semantics(self) -> PackedSemantics:
        """The semantic tri-plane, packed for inference."""
        assert self.model.branch is not None
        if self._shared is not None:
            return self._shared.semantics
        with self.model.inference():
            return PackedSemantics.pack(self.model.branch, self.projected, self.field)

    @MadeOnce
    def superresolution(self) -> Superresolve:
        """The super-resolution with this subject's styles folded in."""
        if self._shared is not None:
            return self._shared.superresolution
        with self.model.inference():
            return self.model.generator.prepare_superresolution(self.ws, self.model.convolutions)

    def prepare(self) -> None:
        """Make what views read now, instead of with the first view; for a model that is not exact."""
        prepared = [self.field, self.grid, self.superresolution]
        if self.model.branch is not None:
            prepared.append(self.semantics if self.model.branch.config.density_prior else self.projected)

    def render(self, camera: Camera, size_px: int | None = None, *, exact: bool | None = None) -> LabeledView:
        """See the subject from a camera, all channels; see `channels` for the arguments."""
        view = self.channels(camera, size_px, exact=exact)
        assert view.rgb is not None
        assert view.depth_planar is not None
        sample_px = sample_side_px(view.depth_planar.shape[0], self.model.config.rays.neural_resolution)
        return LabeledView(camera, view.rgb, view.mask, view.depth_planar, sample_px)

    def point_cloud(
        self,
        cameras: Sequence[Camera] | None = None,
        size_px: int | None = None,
        options: FusionOptions | None = None,
    ) -> PointCloud:
        """The subject's surface as points, fused from views of it; with labels where the model has a semantic branch.

        Args:
            cameras: where it is seen from; None: `CLOUD_VIEWS` cameras over the directions that the model tells, all around where it
                tells none, as `dnerf-headless pointcloud` has it.
            size_px: side of the views in pixels; None: the generator's image size.
            options: how views are fused, such as how many points are kept; None: as `FusionOptions` has it.

        Raises:
            DNeRFError: the views have no surface that they agree on; see `dnerf_core.pointcloud.fusion.fuse_views`.

        Example:
            >>> Model.load("demo-cars").subject(seed=3).point_cloud().save("car.ply")
        """
        rig = self.model.config.cameras
        chosen = own_cloud_cameras(rig) if cameras is None else cameras
        views = [self.render(camera, size_px) for camera in chosen]
        labels = self.model.labels if self.model.has_semantics else None
        return fuse_views(views, options=options, label_set=labels, world_up=rig.world_up)

    def canonical_cloud(self, cloud: PointCloud) -> PointCloud:
        """A cloud of the subject in its pose with each point where it is in the canonical one: clouds of all poses lie on each other.

        A subject that does not move has its cloud back as it is.
        """
        with self.model.inference():
            return canonical_cloud(cloud, self.model.generator, self.planes, self.ws.device)

    def surface(self, options: MeshOptions | None = None) -> Surface:
        """Where the subject's raw density passes a level, as triangles without colours (marching cubes).

        Raises:
            UsageError: a package is missing (the extra `mesh` has it).
            DNeRFError: nothing passes the level.
        """
        options = options or MeshOptions()
        with self.model.inference():
            grid = self._density_grid(options.nodes)
        surface = surface_of(grid.values[0, 0].cpu().numpy(), grid.side, options)
        return surface if grid.middle is None else surface.moved(grid.middle.cpu().double().numpy())

    def mesh(
        self,
        options: MeshOptions | None = None,
        cameras: Sequence[Camera] | None = None,
        size_px: int | None = None,
    ) -> Mesh:
        """The subject's surface as a closed mesh whose vertices are coloured and labelled by views, as `dnerf-headless mesh` makes it.

        Args:
            options: the grid, the level, how many faces, which pieces; None: as `MeshOptions` has it.
            cameras, size_px: see `point_cloud`.

        Raises:
            UsageError: a package is missing (the extra `mesh` has it).
            DNeRFError: nothing passes the level, or `faces` are too few.

        Example:
            >>> Model.load("demo-cars").subject(seed=3).mesh().save("car.glb")
        """
        options = options or MeshOptions()
        options.check_packages()
        rig = self.model.config.cameras
        chosen = own_cloud_cameras(rig) if cameras is None else cameras
        views = [self.render(camera, size_px) for camera in chosen]
        labels = self.model.labels if self.model.has_semantics else None
        return mesh_of(self.surface(options), views, options, labels, rig.world_up)

    def channels(
        self,
        camera: Camera,
        size_px: int | None = None,
        channels: tuple[Channel, ...] = ALL_CHANNELS,
        *,
        exact: bool | None = None,
        raw: RawView | None = None,
    ) -> PartialView:
        """See the subject from a camera; nothing is computed for channels that are not asked for.

        Args:
            size_px: side of the pictures in pixels; None: the generator's image size.
            exact: the literal method's numbers (`generator.reference`) to 1e-4: both passes read at every sample, float32. Else samples
                are read where the density grid says that they matter, and the super-resolutions run in the model's
                `convolutions`; docs/performance.md has the differences. None: as the model was loaded.
            raw: the same view at neural resolution, as `seeing.raw_view` makes it for these channels; None: it is made here.
        """
        exact = self.model.exact if exact is None else exact
        size = size_px or self.model.config.image_size
        with self.model.inference():
            where = camera_tensors(camera, self.model.device)
            found, again = self._shown(*where, size, channels, exact, raw=raw).on_host()
            if again:
                found, _ = self._shown(*where, size, channels, exact, whole=True).on_host()
        joints = self.joints if "joints" in channels else None
        return PartialView(**found, joints=joints, vertices=self.vertices if "vertices" in channels else None)

    def _shown(
        self,
        cam2world: Tensor,
        intrinsics: Tensor,
        size: int,
        channels: tuple[Channel, ...],
        exact: bool,
        *,
        whole: bool = False,
        raw: RawView | None = None,
    ) -> Shown:
        """The channels where they are made; `whole` as in `guided_raw`, `raw` as in `channels`."""
        branch = self.model.branch if "mask" in channels or "uncertainty" in channels else None
        guide_kind = "none" if branch is None else branch.config.refiner.guide
        colors = "rgb" in channels or guide_kind != "none"
        if whole:
            raw = guided_raw(self, cam2world, intrinsics, branch, colors, whole=True)
        elif raw is None:
            see = self._see_exactly if exact else self._see
            raw = see(cam2world, intrinsics, branch, colors)
        edges = None
        if branch is not None or not {"rgb", "depth"}.isdisjoint(channels):
            edges = edge_rays(self, cam2world, intrinsics, raw, size, branch, colors="rgb" in channels, exact=exact, whole=whole)
        checkpoint()
        image = None
        if raw.picture is not None and ("rgb" in channels or guide_kind == "rgb"):
            image = self.model.generator.superresolve(raw.picture, self.ws) if exact else self.superresolution(raw.picture)
        mask = depth = rgb = doubt = coverage = None
        if branch is not None and raw.maps is not None:
            features = None if raw.picture is None else raw.picture.features
            guide_image = {"none": None, "rendered": features, "rgb": image}[guide_kind]
            checkpoint()
            refine = branch.refiner if exact else self.model.prepared_refiner
            scores = resized(refine(raw.maps.scores, raw.maps.features, guide_image), size)
            if edges is not None:
                scores = edges.in_scores(scores, raw.maps.scores, self.model.config.image_size)
            mask = label_mask(scores)[0] if "mask" in channels else None
            doubt = uncertainty(scores)[0] if "uncertainty" in channels else None
        if "depth" in channels:
            planar = planar_depth(raw.distance, raw.opacity, intrinsics, size, self.model.config.box_side)
            depth = (planar if edges is None else edges.in_depth(planar))[0]
        if "rgb" in channels:
            assert image is not None
            image = resized(image, size)
            rgb = uint8_pixels(image if edges is None else edges.in_rgb(image), size)[0]
        if "coverage" in channels:
            stopped = resized(raw.opacity[:, None], size)
            coverage = (stopped if edges is None else edges.in_coverage(stopped))[0, 0].clamp(0, 1)
        short = (part.short for part in (raw, edges) if part is not None)
        return Shown(rgb, mask, depth, doubt, coverage, tuple(flag for flag in short if flag is not None))

    def coarse(self, camera: Camera, side_px: int | None = None) -> PartialView:
        """A quick look: image and mask of `side_px` x `side_px` rays, without super-resolutions.

        The image is the generator's raw one, the mask the most probable class before the branch's refinement.

        Args:
            side_px: None: half the neural resolution.
        """
        side = side_px or max(1, self.model.config.rays.neural_resolution // 2)

        def shown(*, whole: bool) -> Shown:
            raw = guided_raw(self, cam2world, intrinsics, self.model.branch, True, side, whole=whole)
            assert raw.picture is not None
            mask = None if raw.maps is None else label_mask(raw.maps.scores)[0]
            short = () if raw.short is None else (raw.short,)
            return Shown(rgb=uint8_pixels(raw.picture.image, side)[0], mask=mask, short=short)

        with self.model.inference():
            cam2world, intrinsics = camera_tensors(camera, self.model.device)
            found, again = shown(whole=False).on_host()
            if again:
                found, _ = shown(whole=True).on_host()
        return PartialView(rgb=found["rgb"], mask=found["mask"], depth_planar=None)

    def _see(
        self, cam2world: Tensor, intrinsics: Tensor, branch: SemanticBranch | None, colors: bool, side: int | None = None
    ) -> RawView:
        return guided_raw(self, cam2world, intrinsics, branch, colors, side)

    def _see_exactly(self, cam2world: Tensor, intrinsics: Tensor, branch: SemanticBranch | None, colors: bool) -> RawView:
        return exact_raw(self, cam2world, intrinsics, branch, colors)
