"""What the writers of channels know of a view and of the plan that it is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from dnerf_core.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.camera import Camera
    from dnerf_core.files.pictures import DepthFormat, MaskFormat
    from dnerf_core.labels import LabelSet
    from dnerf_core.subject import PartialView
    from headless.datasets.poses.joints import Skeleton
    from headless.datasets.seen import RelabelledView

    T = TypeVar("T", bound=np.generic)


class ChannelPlan(Protocol):
    """What a channel needs to know of a plan; see `headless.datasets.plan.ViewPlan`."""

    @property
    def model_name(self) -> str: ...
    @property
    def depth_format(self) -> DepthFormat | None: ...
    @property
    def mask_format(self) -> MaskFormat | None: ...
    @property
    def exr_channel(self) -> str: ...
    @property
    def consistent(self) -> bool: ...
    @property
    def skeleton(self) -> Skeleton | None: ...


@dataclass(frozen=True)
class Written:
    """What a channel's writer knows of a view.

    Attributes:
        plan: what is written of views.
        labels: what the masks' ids mean; None where views have no masks.
        name, camera: the view's.
        seen: what the engine saw.
        normal_step_px: see `dnerf_core.rendering.normals.normals_from_depth`.
    """

    plan: ChannelPlan
    labels: LabelSet | None
    name: str
    camera: Camera
    seen: PartialView | RelabelledView
    normal_step_px: int

    def required(self, channel: NDArray[T] | None, description: str) -> NDArray[T]:
        """`channel`, once it is there.

        Raises:
            CheckpointError: it is not.
        """
        if channel is None:
            raise CheckpointError(
                f"{self.plan.model_name}: expected {description} of {self.name}, found none; masks need a model with a semantic branch, "
                "joints and vertices one whose subjects move"
            )
        return channel
