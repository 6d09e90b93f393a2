"""The literal method against plain Python and NumPy loops over single rays, points and texels: nothing of torch, nothing of the engine.

The reference is the judge of the fast path, so its own judge shares no code with either: bilinear reads, upsampling, both passes and both
decoders are written out here from their definitions, for a tiny generator.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dnerf_core.generator.config import RayConfig
from dnerf_core.generator.eg3d import Generator, Triplanes
from dnerf_core.generator.reference import (
    LiteralSubject,
    importance,
    literal_first_layer,
    literal_triplane,
    literal_values,
    march,
    own_weights,
    read_plane,
)
from dnerf_core.rendering.rays import box_limits, camera_rays
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import FeatureKind, SemanticConfig
from tests.core.semantic_cases import TINY, camera_tensors, tiny_camera, tiny_generator, tiny_ws
from tests.core.test_rendering import slow_importance

pytestmark = pytest.mark.usefixtures("one_thread")

Array = NDArray[np.float64]
SIDE_PX = 5
RAYS = RayConfig(SIDE_PX, 7, 6, "auto", "auto")


def slow_read(plane: Array, across: float, down: float) -> Array:
    """Channels [C] of a plane [C, H, W] at box coordinates in [-1, 1]: texel i at (2 i + 1) / W - 1, zeros outside."""
    _, height, width = plane.shape
    x, y = (across + 1) * width / 2 - 0.5, (down + 1) * height / 2 - 0.5
    total = np.zeros(plane.shape[0])
    for i in (math.floor(y), math.floor(y) + 1):
        for j in (math.floor(x), math.floor(x) + 1):
            if 0 <= i < height and 0 <= j < width:
                total += (1 - abs(y - i)) * (1 - abs(x - j)) * plane[:, i, j]
    return total


def slow_enlarged(picture: Array, size: int) -> Array:
    """[C, s, s] at another size: corners not aligned, the rim repeated."""
    small = picture.shape[-1]
    out = np.zeros((picture.shape[0], size, size))
    place = [min(max((i + 0.5) * small / size - 0.5, 0), small - 1) for i in range(size)]
    for i, y in enumerate(place):
        for j, x in enumerate(place):
            top, left = min(int(y), small - 2), min(int(x), small - 2)
            for di in (0, 1):
                for dj in (0, 1):
                    out[:, i, j] += (1 - abs(y - top - di)) * (1 - abs(x - left - dj)) * picture[:, top + di, left + dj]
    return out


def slow_sum_of_reads(planes: list[Array], point: Array, axes: tuple[str, ...]) -> list[Array]:
    """What each plane reads at a point [3] in box units."""
    at = dict(zip("xyz", point.tolist(), strict=True))
    return [slow_read(plane, at[pair[0]], at[pair[1]]) for plane, pair in zip(planes, axes, strict=True)]


def slow_march(distances: list[float], raw: list[float]) -> list[float]:
    """Interval weights of one ray."""
    light, weights = 1.0, []
    for i in range(len(distances) - 1):
        density = math.log1p(math.exp(min((raw[i] + raw[i + 1]) / 2 - 1, 700)))
        alpha = 1 - math.exp(-density * (distances[i + 1] - distances[i]))
        weights.append(alpha * light)
        light *= 1 - alpha + 1e-10
    return weights


def slow_own(weights: list[float]) -> list[float]:
    return [0.5 * (before + after) for before, after in zip([0.0, *weights], [*weights, 0.0], strict=True)]


def test_planes_are_read_as_the_loop_reads_them() -> None:
    """In, at the rim and outside; and not along the other axes."""
    rng = np.random.default_rng(0)
    plane, points = rng.normal(size=(4, 5, 6)), rng.uniform(-1.4, 1.4, size=(60, 3))
    for axes in ("xy", "zx", "yz"):
        found = read_plane(torch.from_numpy(plane), torch.from_numpy(points), axes).numpy()
        expected = np.stack([slow_sum_of_reads([plane], point, (axes,))[0] for point in points], axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        swapped = read_plane(torch.from_numpy(plane), torch.from_numpy(points), axes[::-1]).numpy()
        assert np.abs(swapped - expected).max() > 0.5
    corner = read_plane(torch.arange(4.0).reshape(1, 2, 2), torch.tensor([[0.5, -0.5, 9.0]]), "xy")
    assert corner.item() == 1.0, "texel (row 0, column 1) is at x = 0.5, y = -0.5"


def test_marching_by_hand() -> None:
    """Raw density 1 + log(e - 1) is density 1."""
    one = 1 + math.log(math.e - 1)
    weights = march(torch.tensor([[0.0, 0.5, 1.5]]), torch.full((1, 3), one))
    half, whole = 1 - math.exp(-0.5), math.exp(-0.5) * (1 - math.exp(-1))
    torch.testing.assert_close(weights, torch.tensor([[half, whole]]))
    torch.testing.assert_close(own_weights(weights), torch.tensor([[half / 2, (half + whole) / 2, whole / 2]]))


def test_marching_and_importance_equal_loops() -> None:
    rng = torch.Generator().manual_seed(2)
    distances = torch.rand(5, 9, generator=rng, dtype=torch.float64).cumsum(1)
    raw = torch.randn(5, 9, generator=rng, dtype=torch.float64) * 4
    weights = march(distances, raw)
    fine = importance(distances, weights, 6)
    u = [(i + 0.5) / 6 for i in range(6)]
    for ray in range(5):
        slow = slow_march(distances[ray].tolist(), raw[ray].tolist())
        np.testing.assert_allclose(weights[ray], slow, atol=1e-12)
        np.testing.assert_allclose(own_weights(weights)[ray], slow_own(slow), atol=1e-12)
        np.testing.assert_allclose(fine[ray], slow_importance(distances[ray].tolist(), slow, u), atol=1e-6)


def small_generator(white_back: bool) -> Generator:
    generator = tiny_generator()
    generator.config = dataclasses.replace(TINY, rays=dataclasses.replace(RAYS, white_back=white_back))
    return generator


def branch_of(planes: Triplanes, config: SemanticConfig) -> SemanticBranch:
    """A branch whose statistics, biases and background are not the trivial ones."""
    branch = SemanticBranch(config, TINY, seed=7)
    branch.triplane.measure([branch.triplane.inputs(planes)])
    with torch.no_grad():
        for seed, tensor in enumerate((branch.hidden_bias, branch.out_bias, branch.background)):
            tensor.normal_(generator=torch.Generator().manual_seed(seed))
        if not config.density_prior:
            branch.density_weight.mul_(8)
            branch.density_bias.fill_(2.0)
    return branch.requires_grad_(False)


def numpy_of(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().numpy()


class SlowSemantics:
    """The semantic decoder of one subject by loops (paper section 3.1)."""

    def __init__(self, branch: SemanticBranch, planes: Triplanes) -> None:
        self.state = {name: numpy_of(value) for name, value in branch.state_dict().items()}
        self.config = branch.config
        shared = branch.config.feature_kind == "features"
        self.planes: list[list[Array]] = [[], [], []]
        self.weights: list[list[Array]] = [[], [], []]
        for picture in planes.block_features if shared else planes.block_outputs:
            size = picture.shape[-1]
            if f"triplane.weight.{size}" not in self.state:
                continue
            mean, std = (self.state[f"triplane.{kind}_{size}"][:, None, None] for kind in ("mean", "std"))
            large = slow_enlarged((numpy_of(picture[0]) - mean) / std, 32)
            for plane in range(3):
                weight = self.state[f"triplane.weight.{size}"]
                self.planes[plane].append(large if shared else large[plane * 32 : (plane + 1) * 32])
                self.weights[plane].append(weight[plane * 64 : (plane + 1) * 64] if shared else weight)

    def at(self, point: Array) -> tuple[Array, float]:
        """Scores and features [C + 32], and raw density, at a point in box units."""
        channels = sum(plane.shape[0] for plane in self.planes[0])
        hidden = self.state["hidden_bias"].copy()
        for pictures, weights, axes in zip(self.planes, self.weights, TINY.triplane.plane_axes, strict=True):
            for picture, weight in zip(pictures, weights, strict=True):
                hidden += weight @ slow_sum_of_reads([picture], point, (axes,))[0] / math.sqrt(3 * channels)
        hidden = np.log1p(np.exp(hidden))
        density = 0.0
        if not self.config.density_prior:
            density = float(self.state["density_weight"] @ hidden) / 8 + float(self.state["density_bias"])
        return self.state["out_weight"] @ hidden / 8 + self.state["out_bias"], density


@pytest.mark.parametrize("kind", ["features", "planes"])
@pytest.mark.parametrize(("scales", "prior"), [(None, True), ((4, 16), False)])
@torch.no_grad()
def test_the_semantic_decoder_equals_a_loop(kind: FeatureKind, scales: tuple[int, ...] | None, prior: bool) -> None:
    """Every scale upsampled, concatenated, read and decoded at 12 points, three of them outside."""
    generator = small_generator(False)
    planes = generator.planes(tiny_ws(generator, 1))
    branch = branch_of(planes, SemanticConfig(num_classes=3, feature_kind=kind, scales=scales, density_prior=prior))
    slow = SlowSemantics(branch, planes)
    points = np.random.default_rng(1).uniform(-0.95, 0.95, size=(12, 3))
    points[:3, 1] = (-1.01, 1.02, 3.0)
    pictures = [plane[0] for plane in literal_triplane(branch, planes)]
    assert [x.shape[0] for x in pictures] == [x.shape[1] for x in literal_first_layer(branch)]
    values, density = literal_values(branch, pictures, torch.from_numpy(points * 0.8).float())
    for row, point in enumerate(points):
        expected, raw = slow.at(point)
        np.testing.assert_allclose(values[row], expected, atol=1e-4)
        assert float(density[row]) == pytest.approx(raw, abs=1e-4)
    assert prior == bool((density == 0).all())


class SlowView:
    """One ray after the other, one sample after the other (EG3D section 4)."""

    def __init__(self, generator: Generator, planes: Triplanes, semantics: SlowSemantics | None) -> None:
        self.config, self.semantics = generator.config, semantics
        self.planes = [numpy_of(plane) for plane in planes.triplane[0]]
        self.state = {name: numpy_of(value) for name, value in generator.decoder.state_dict().items()}

    def decode(self, point: Array) -> tuple[float, Array]:
        """Raw density and colours [32] at a world point."""
        reads = slow_sum_of_reads(self.planes, point * 2 / self.config.triplane.box_warp, self.config.triplane.plane_axes)
        features = sum(reads) / 3  # type: ignore[arg-type]
        hidden = self.state["net.0.weight"] @ features / math.sqrt(32) + self.state["net.0.bias"]
        hidden = np.log1p(np.exp(hidden))
        out = self.state["net.2.weight"] @ hidden / 8 + self.state["net.2.bias"]
        return float(out[0]), 1.002 / (1 + np.exp(-out[1:])) - 0.001

    def ray(self, origin: Array, direction: Array, start: float, end: float) -> tuple[Array, float, float, Array | None]:
        """Features [32], distance, opacity and semantic map of one ray that meets the box."""
        coarse, fine = self.config.rays.samples_coarse, self.config.rays.samples_fine
        distances = [start + (end - start) * (i + 0.5) / (coarse - 1) for i in range(coarse)]
        raw = [self.decode(origin + t * direction)[0] for t in distances]
        if fine:
            u = [(i + 0.5) / fine for i in range(fine)]
            distances = sorted(distances + slow_importance(distances, slow_march(distances, raw), u))
        decoded = [self.decode(origin + t * direction) for t in distances]
        weights = slow_march(distances, [raw for raw, _ in decoded])
        own, opacity = slow_own(weights), sum(weights)
        features = sum(w * color for w, (_, color) in zip(own, decoded, strict=True))
        if self.config.rays.white_back:
            features = features + (1 - opacity)
        distance = sum(w * (distances[i] + distances[i + 1]) / 2 for i, w in enumerate(weights)) / max(opacity, 1e-30)
        seen = None
        if self.semantics is not None:
            seen = self._semantics([origin + t * direction for t in distances], distances, own)
        return 2 * features - 1, distance, opacity, seen

    def _semantics(self, points: list[Array], distances: list[float], own: list[float]) -> Array:
        assert self.semantics is not None
        config = self.semantics.config
        if not config.density_prior:
            last, count = len(points) - 1, min(config.density_samples, len(points))
            pick = [round(last * i / (count - 1)) for i in range(count)]
            points, distances = [points[i] for i in pick], [distances[i] for i in pick]
        decoded = [self.semantics.at(point * 2 / self.config.triplane.box_warp) for point in points]
        if not config.density_prior:
            own = slow_own(slow_march(distances, [raw for _, raw in decoded]))
        seen = sum(w * values for w, (values, _) in zip(own, decoded, strict=True))
        return seen + (1 - sum(own)) * self.semantics.state["background"]


@pytest.mark.parametrize(
    ("prior", "white_back", "fine"),
    [(True, False, 6), (False, True, 6), (True, True, 0)],
    ids=["prior", "own density", "one pass"],
)
@torch.no_grad()
def test_a_view_equals_loops_over_its_samples(prior: bool, white_back: bool, fine: int) -> None:
    """Every pixel of a view of 5 x 5. Tolerance: float32 against float64, through densities that rise by hundreds a unit."""
    generator = small_generator(white_back)
    generator.config = dataclasses.replace(generator.config, rays=dataclasses.replace(generator.config.rays, samples_fine=fine))
    planes = generator.planes(tiny_ws(generator, 1))
    branch = branch_of(planes, SemanticConfig(num_classes=3, density_prior=prior, density_samples=5, scales=(8, 32)))
    pose, intrinsics = (x[0] for x in camera_tensors(tiny_camera(0.4)))
    intrinsics[:2, :2] *= 0.6  # so wide that the corners miss the box
    view = LiteralSubject(generator, branch, planes).view(pose, intrinsics)
    assert view.features is not None and view.semantic_map is not None
    assert view.features.shape == (1, 32, 5, 5) and view.semantic_map.shape == (1, 35, 5, 5)
    slow = SlowView(generator, planes, SlowSemantics(branch, planes))
    origins, directions = (x[0] for x in camera_rays(pose[None], intrinsics[None], SIDE_PX))
    start, end, hit = box_limits(origins, directions, TINY.triplane.box_warp)
    met = 0
    for pixel in range(SIDE_PX**2):
        place = divmod(pixel, SIDE_PX)
        if not hit[pixel]:
            assert float(view.opacity[place]) == 0 and float(view.distance[place]) == math.inf
            assert set(view.features[0, :, *place].tolist()) == {1.0 if white_back else -1.0}
            assert torch.equal(view.semantic_map[0, :, *place], branch.background)
            continue
        expected = slow.ray(numpy_of(origins[pixel]), numpy_of(directions[pixel]), float(start[pixel]), float(end[pixel]))
        assert expected[3] is not None
        np.testing.assert_allclose(view.features[0, :, *place], expected[0], atol=1e-3)
        if expected[2] > 1e-4:  # of less, float32 keeps too few digits, or none
            assert float(view.distance[place]) == pytest.approx(expected[1], abs=1e-3)
        assert float(view.opacity[place]) == pytest.approx(expected[2], abs=1e-3)
        np.testing.assert_allclose(view.semantic_map[0, :, *place], expected[3], atol=2e-3)
        met += expected[2] > 0.3
    assert met >= 4 and not bool(hit.all())


@torch.no_grad()
def test_parts_of_a_view_can_be_asked_for_and_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = small_generator(False)
    planes = generator.planes(tiny_ws(generator, 1))
    branch = branch_of(planes, SemanticConfig(num_classes=3))
    camera = tuple(x[0] for x in camera_tensors(tiny_camera(0.4)))
    subject = LiteralSubject(generator, branch, planes)
    whole = subject.view(*camera)
    assert subject.view(*camera, colors=False).features is None and subject.view(*camera, semantics=False).semantic_map is None
    assert LiteralSubject(generator, None, planes).view(*camera).semantic_map is None
    monkeypatch.setattr("dnerf_core.generator.reference.RAYS_PER_PIECE", 4)
    pieces = subject.view(*camera)
    for one, other in zip(dataclasses.astuple(whole), dataclasses.astuple(pieces), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
