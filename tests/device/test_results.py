"""What else is asked of a subject on a device, for every family, mixes nothing: clouds, meshes, joints, branches, searches.

Composites are made of views on the host.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnerf_core.backbone.protocols import Backbone
from dnerf_core.camera import arc_cameras
from dnerf_core.inversion.invert import invert_picture
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.mesh.options import MeshOptions
from dnerf_core.semantic.config import BranchTrainingConfig, RefinerConfig, SemanticConfig
from dnerf_core.semantic.kept_views import AnnotatedView
from dnerf_core.semantic.training import train_branch
from tests.device.audit import DEVICE, no_device
from tests.device.models import FAMILIES, bent_worm, moved, worm

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ["cloud", "head", "worm, surface field", "worm, closest, edges"]
"""A model of every family whose views are small."""


@pytest.mark.parametrize("name", SMALL)
def test_clouds_mix_nothing(name: str) -> None:
    model = FAMILIES[name]()
    cameras = arc_cameras(model.config.cameras, (-60, 60), count=3)
    expected = model.subject(1).point_cloud(cameras, 64)
    with no_device() as log:
        subject = moved(model).subject(1)
        cloud = subject.point_cloud(cameras, 64)
        carried = subject.canonical_cloud(cloud)
    assert log.of("mixed", "numpy") == [], log.table()
    assert len(cloud) == pytest.approx(len(expected), rel=0.01) and len(carried) == len(cloud)


@pytest.mark.parametrize("name", SMALL)
def test_a_branch_of_every_family_is_trained(name: str) -> None:
    """With a guide, so that colours are rendered for it, too."""
    model = FAMILIES[name]()
    semantic = SemanticConfig(num_classes=3, refiner=RefinerConfig(guide="rendered"))
    [camera] = arc_cameras(model.config.cameras, (20, 20), count=1)
    size = model.config.image_size
    mask = np.zeros((size, size), np.uint8)
    mask[size // 4 :, size // 4 :] = 1
    mask[size // 2 :] = 2
    views = [AnnotatedView(0, camera.cam2world, camera.intrinsics, mask)]
    training = BranchTrainingConfig(steps=2, seed=0)
    with torch.no_grad():
        ws = model.subject(1).ws
    expected = train_branch(model.generator, ws, views, semantic, training)
    with no_device() as log:
        generator: Backbone = model.generator.to(DEVICE)
        found = train_branch(generator, ws.to(DEVICE), views, semantic, training)
    assert log.of("mixed", "numpy") == [], log.table()
    assert found.losses == pytest.approx(expected.losses, rel=1e-3)


def test_a_head_is_looked_for() -> None:
    model = FAMILIES["head"]()
    [camera] = arc_cameras(model.config.cameras, (20, 20), count=1)
    rgb = model.subject(2).render(camera).rgb
    with no_device() as log:
        found = invert_picture(moved(model), rgb, InversionSettings(steps=6, candidates=4, starts=1))
    assert log.of("mixed", "numpy") == [], log.table()
    assert np.isfinite([loss for stage in found.losses for loss in stage.losses]).all()


def test_joints_vertices_and_a_surface_come_to_the_host() -> None:
    pytest.importorskip("skimage")
    with no_device() as log:
        subject = moved(worm("closest")).subject(1).posed(bent_worm().to(DEVICE))
        assert subject.joints is not None and subject.vertices is not None
        surface = subject.surface(MeshOptions(nodes=24))
    assert log.of("mixed", "numpy") == [], log.table()
    assert len(surface.vertices) and np.isfinite(surface.vertices).all()
