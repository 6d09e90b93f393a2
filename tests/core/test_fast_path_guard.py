"""The fast path stays the fast path: counts of operations a labelled view, which no slower method would keep.

A fall back to the literal method shows the same pictures, so nothing but the clock would notice; clocks differ, counts do not.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnerf_core.backbone.formula_weights import load_formula_weights
from dnerf_core.checkpoints.model_file import ModelHeader
from dnerf_core.convolutions.forms import FLOAT32
from dnerf_core.embedded import model_path
from dnerf_core.generator.config import BackboneConfig, SuperResolutionConfig, preset
from dnerf_core.generator.eg3d import Generator
from dnerf_core.model import Model
from dnerf_core.rendering.density_grid import DensityGrid
from dnerf_core.rendering.guided_view import guided_pixels
from dnerf_core.rendering.packed.planes import PackedPlanes
from dnerf_core.seeing.device_view import LACKING_SHARE, DeviceView
from dnerf_core.semantic.branch import SemanticBranch
from dnerf_core.semantic.config import RefinerConfig, SemanticConfig
from dnerf_core.semantic.refiner import PreparedRefiner
from dnerf_core.semantic.triplane import SemanticTriplane
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from dnerf_core.subject import ALL_CHANNELS, Channel, Subject
from tests.core.operation_count import Operations, count_operations
from tests.core.test_subject import demo_camera, tiny_model
from tests.device.audit import no_device
from tests.device.models import moved

PLANE, HIDDEN = 32, 64
"""Channels of a plane of the radiance field, and of the decoders' hidden layers (which the projected semantic planes have)."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What a view may cost, as shares of its samples: rays times samples a ray of both passes.

    Attributes:
        decoded: rows through the radiance decoder's first layer; colored: rows through its last one for colours.
        semantic: samples whose semantic planes are read.
    """

    decoded: float
    colored: float
    semantic: float


DEMO = Bounds(decoded=0.05, colored=0.02, semantic=0.03)
"""A car with empty space round it: 3.2 %, 1.5 % and 1.7 % found; the literal method needs 200 % and more."""

FOG = Bounds(decoded=0.7, colored=0.7, semantic=0.7)
"""Random planes, where no ray is clear: 57 % found; the importance samples alone are half of all."""


ON_DEVICE = Bounds(decoded=0.07, colored=0.07, semantic=0.07)
"""The demo on a device: what is read is coloured and labelled too, and 1.6 % may be read once more; 4.8 % found of each."""

MOST_WAITS = 3
"""How often the host may wait for a device in a labelled view."""


def check_cost(counts: Operations, subject: Subject, bounds: Bounds, again: float = 0.0) -> None:
    """Raise where a view of a prepared subject cost more than the fast path does.

    Args:
        again: share of the rays that may be read a second time.
    """
    rays = subject.model.config.rays
    pixels = rays.neural_resolution**2
    samples = pixels * (rays.samples_coarse + rays.samples_fine)
    planes = len(subject.field.planes.axes)
    decoded, colored = counts.rows[PLANE, HIDDEN], counts.rows[HIDDEN, PLANE]
    assert decoded <= bounds.decoded * samples, f"radiance decoder: {decoded} rows for {samples} samples"
    assert colored <= bounds.colored * samples, f"colours: {colored} rows for {samples} samples"
    # a sample's read, and its share in its pixel's colour
    assert counts.texels[PLANE] <= 4 * planes * decoded + colored, f"radiance planes: {counts.texels[PLANE]} texels"
    read = counts.texels[HIDDEN] / (4 * planes + 1)
    assert read <= bounds.semantic * samples, f"semantic planes: read at {read:.0f} places for {samples} samples"
    scored = sum(rows for (width, out), rows in counts.rows.items() if width == HIDDEN and out > PLANE)
    assert scored <= (1 + again) * pixels, f"semantic decoder's last layer: {scored} rows for {pixels} rays"
    # the once-a-subject work: styles, projections and the density grid's nodes go through layers of other widths, or more rows
    assert counts.rows[HIDDEN, 1] <= decoded, f"densities: {counts.rows[HIDDEN, 1]} rows, the grid's nodes among them"
    others = {shape for shape in counts.rows if shape[0] not in (PLANE, HIDDEN, 3)}
    assert not others, f"layers of widths {sorted(others)} ran, which belong to the subject and not to a view"


def test_counts_by_hand() -> None:
    """Everything that is counted, in sizes that can be worked out in the head."""

    def work() -> None:
        torch.nn.functional.embedding_bag(torch.zeros(5, 8, dtype=torch.int32), torch.ones(3, 7), mode="sum")
        torch.ones(6, 4) @ torch.ones(4, 9)
        torch.addmm(torch.ones(9), torch.ones(2, 4), torch.ones(4, 9))
        torch.ones(5, 4) @ torch.ones(4)
        torch.nn.functional.linear(torch.ones(3, 4), torch.ones(9, 4), torch.ones(9))
        torch.nn.functional.conv2d(torch.ones(1, 2, 4, 4), torch.ones(3, 2, 3, 3), padding=1)
        torch.nn.functional.conv_transpose2d(torch.ones(1, 2, 4, 4), torch.ones(2, 3, 3, 3), stride=2)
        torch.nn.functional.conv2d(torch.ones(1, 4, 5, 5), torch.ones(4, 1, 2, 2), groups=4)
        torch.nn.functional.grid_sample(torch.ones(1, 3, 4, 4), torch.zeros(1, 2, 5, 2), align_corners=False)

    with torch.no_grad():
        counts = count_operations(work)
    assert counts.texels == {7: 40}
    assert counts.rows == {(4, 9): 11, (4, 1): 5}
    assert counts.convolved == 2 * (16 * 54 + 16 * 54 + 16 * 16)
    assert counts.sampled == 30


def prepared_view(subject: Subject, channels: tuple[Channel, ...] = ALL_CHANNELS) -> Operations:
    """The cost of a view of a subject that was seen before."""
    camera = demo_camera(subject, 0.6)
    if "field" not in vars(subject):
        subject.channels(camera)
    return count_operations(lambda: subject.channels(camera, channels=channels))


@pytest.fixture(scope="module")
def demo() -> Subject:
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    model = Model.load("demo-cars")
    model.convolutions = FLOAT32  # the same counts on every machine
    return model.subject(1)


@pytest.mark.usefixtures("one_thread")
def test_a_view_on_a_device_costs_as_much_and_is_waited_for_three_times() -> None:
    """On the device that is not there, see `tests.device.audit`: a further view, and one whose subject is made anew."""
    if not model_path("demo-cars").is_file():
        pytest.skip("the embedded model is not here")
    with no_device() as log:
        model = moved(Model.load("demo-cars"))
        camera, subject = model.front_camera(), model.subject(1)
        subject.channels(camera)
        log.events.clear()
        counts = count_operations(lambda: subject.channels(camera))
        check_cost(counts, subject, ON_DEVICE, again=1 / LACKING_SHARE)
        assert log.of("mixed", "numpy") == []
        assert 1 <= len(log.of("wait")) <= MOST_WAITS, log.table("wait")
        assert len(log.of("upload")) == len(log.of("download")) == 1, log.table()
        log.events.clear()
        model.subject(2).channels(camera)
        assert len(log.of("wait")) <= MOST_WAITS, log.table("wait")  # what is made once a subject waits for nothing


@pytest.mark.usefixtures("one_thread")
def test_a_view_that_asks_the_device_how_much_is_left_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard itself: the CPU's way of a view, with its counts of pixels and samples."""
    with no_device() as log:
        subject = moved(tiny_model()).subject(1)
        subject.prepare()
        camera = demo_camera(subject, 0.6)

        def counting(field: Any, semantics: Any, grid: Any, rays: Any, hit: torch.Tensor, settings: Any, **options: Any) -> Any:
            options.pop("whole")
            met = hit.nonzero()[:, 0]
            seen = guided_pixels(field, semantics, grid, rays.select(met), met, len(hit), settings, **options)
            return DeviceView(seen, hit.new_zeros(()))

        monkeypatch.setattr("dnerf_core.seeing.raw_view.device_pixels", counting)
        log.events.clear()
        subject.channels(camera)
        assert len(log.of("wait")) > MOST_WAITS


@pytest.fixture(scope="module")
def every(demo: Subject) -> Operations:
    """A view with all channels."""
    return prepared_view(demo)


def test_a_view_of_the_demo_costs_what_the_fast_path_costs(demo: Subject, every: Operations) -> None:
    check_cost(every, demo, DEMO)


def test_nothing_runs_for_channels_that_nobody_asked_for(demo: Subject, every: Operations) -> None:
    """No convolution, colour or semantic read for a depth; an image's and a mask's convolutions add up to those of both."""
    rgb, mask, depth = (prepared_view(demo, channels) for channels in (("rgb",), ("mask",), ("depth",)))
    assert rgb.convolved > 0 and mask.convolved > 0 and depth.convolved == 0
    assert rgb.convolved + mask.convolved == every.convolved
    for counts in (rgb, depth):
        assert counts.texels[HIDDEN] == 0 and not any(width == HIDDEN and out > PLANE for width, out in counts.rows)
    for counts in (mask, depth):
        assert counts.rows[HIDDEN, PLANE] == 0
    assert rgb.rows[PLANE, HIDDEN] == mask.rows[PLANE, HIDDEN] == depth.rows[PLANE, HIDDEN] == every.rows[PLANE, HIDDEN]


@pytest.mark.usefixtures("one_thread")
def test_no_picture_is_made_for_a_mask_unless_it_guides_it() -> None:
    for guide, made in (("none", False), ("rendered", False), ("rgb", True)):
        subject = tiny_model(SemanticConfig(refiner=RefinerConfig(guide=guide))).subject(0)  # type: ignore[arg-type]
        subject.channels(demo_camera(subject, 0.0), channels=("mask", "depth"))
        assert ("superresolution" in vars(subject)) == made, guide


def test_a_view_of_a_release_costs_what_the_fast_path_costs() -> None:
    """The ffhq releases' rays and plane axes, small and narrow, of formula weights: fog, three planes merged to two, 48 + 48 samples."""
    shape = preset("ffhq512-64")
    config = dataclasses.replace(
        shape,
        backbone=BackboneConfig(resolution=64, channel_base=1024, channel_max=16),
        rays=dataclasses.replace(shape.rays, neural_resolution=32),
        superresolution=SuperResolutionConfig(channels=(8, 8)),
    )
    generator = Generator(config)
    load_formula_weights(generator)
    semantic = SemanticConfig(refiner=RefinerConfig(kind="bilinear"))
    header = ModelHeader(Path("formula"), 1, config, None, None, None, None, {}, 0)
    branch = SemanticBranch(semantic, config).requires_grad_(False)
    model = Model(generator.requires_grad_(False), branch, header, "", torch.device("cpu"))
    subject, camera = model.subject(0), model.front_camera()
    subject.channels(camera, channels=("mask", "depth"))
    assert len(subject.field.planes.axes) == 2
    check_cost(count_operations(lambda: subject.channels(camera, channels=("mask", "depth"))), subject, FOG)


def counted(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, calls: Counter[str]) -> None:
    """Count the calls of a method."""
    raw = vars(owner)[name]
    plain: Callable[..., Any] = raw.__func__ if isinstance(raw, classmethod) else raw

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls[f"{owner.__name__}.{name}"] += 1
        return plain(*args, **kwargs)

    monkeypatch.setattr(owner, name, classmethod(counting) if isinstance(raw, classmethod) else counting)


ONCE = {
    "Generator.planes": 1,
    "SemanticTriplane.project": 1,
    "PackedPlanes.pack": 2,  # of the radiance field and of the semantics
    "DensityGrid.build": 1,
    "PreparedSuperResolution.__init__": 1,
}
"""What is made once a subject."""


def calls_of_views(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Calls for two subjects, three views each."""
    model, calls = tiny_model(), Counter[str]()
    owners = (Generator, SemanticTriplane, PackedPlanes, DensityGrid, PreparedSuperResolution, PreparedRefiner)
    for owner, name in zip(owners, [*(key.split(".")[1] for key in ONCE), "__init__"], strict=True):
        counted(monkeypatch, owner, name, calls)
    for seed in (0, 1):
        subject = model.subject(seed)
        for yaw_rad in (0.0, 0.5, 1.0):
            subject.render(demo_camera(subject, yaw_rad))
    return calls


@pytest.mark.usefixtures("one_thread")
def test_a_subjects_own_work_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls_of_views(monkeypatch) == {**{name: 2 * count for name, count in ONCE.items()}, "PreparedRefiner.__init__": 1}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["planes", "field", "grid", "semantics", "superresolution"])
def test_work_that_is_done_again_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A property that no longer keeps what it made."""
    monkeypatch.setattr(Subject, name, property(vars(Subject)[name]._make))
    calls = calls_of_views(monkeypatch)
    assert any(calls[key] > 2 * count for key, count in ONCE.items())


def test_the_literal_method_would_be_noticed(demo: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard itself: a Subject that silently sees by the exact method breaks every bound that matters."""
    monkeypatch.setattr(Subject, "_see", lambda self, *arguments: self._see_exactly(*arguments))
    counts = prepared_view(demo)
    loose = DEMO
    for name, message in (("decoded", "radiance decoder: "), ("colored", "colours: "), ("semantic", "semantic planes: read at")):
        with pytest.raises(AssertionError, match=message):
            check_cost(counts, demo, loose)
        loose = dataclasses.replace(loose, **{name: 10.0})
    assert counts.rows[PLANE, HIDDEN] > 20 * DEMO.decoded * 128**2 * 64


@pytest.mark.parametrize("name", ["grid", "superresolution"])
def test_a_subject_made_anew_for_each_view_would_be_noticed(demo: Subject, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its cost as well, whoever calls."""
    monkeypatch.setattr(Subject, name, property(vars(Subject)[name]._make))
    with pytest.raises(AssertionError):
        check_cost(prepared_view(Subject(demo.model, demo.ws)), demo, DEMO)
