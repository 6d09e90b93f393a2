"""What a view job sees subjects by: functions from cameras to views, and views whose labels were changed by fusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.multiview.consistent_views import LabelChanges, Relabelling
from headless.datasets.poses.given import Pose

if TYPE_CHECKING:
    from dnerf_core.subject import PartialView


RenderView = Callable[..., "PartialView | RelabelledView"]
"""`render(camera, size_px, pose)` of one subject, with all channels of the plan; of pose None: its own."""


MakeSubject = Callable[[int], RenderView]
"""From a seed to its subject."""


@dataclass(frozen=True, eq=False)
class RelabelledView:
    """As `dnerf_core.subject.PartialView`, with a mask that the votes decided, and how far it is not the view's own."""

    rgb: NDArray[np.uint8] | None
    mask: NDArray[np.uint8]
    depth_planar: NDArray[np.float32]
    uncertainty: NDArray[np.float32] | None
    joints: NDArray[np.float32] | None
    vertices: NDArray[np.float32] | None
    changes: LabelChanges


def consistent_view(render: RenderView, relabelling: Callable[[Pose | None], Relabelling]) -> RenderView:
    """What sees a subject as `render` does, mask and depth among its channels, but with masks re-labelled by the votes.

    Args:
        relabelling: the votes of the subject in a pose.
    """

    def see(camera: Camera, size_px: int, pose: Pose | None = None) -> RelabelledView:
        view = render(camera, size_px, pose)
        assert view.mask is not None
        assert view.depth_planar is not None
        mask = relabelling(pose).mask(camera, view.mask, view.depth_planar)
        changes = LabelChanges.between(view.mask, mask)
        return RelabelledView(view.rgb, mask, view.depth_planar, view.uncertainty, view.joints, view.vertices, changes)

    return see
