"""From where a generator is seen when nobody says: the directions that it tells, else the usual ones. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # relative, because the extension carries this module under a package name of Blender's choosing
    from .camera_arcs import AngleRange


class OwnDirections(Protocol):
    """What a generator tells of the directions it is to be seen from: its `CameraConfig`, or the same numbers from elsewhere.

    Attributes:
        pitch_deg: elevation of its usual views.
        yaw_range_deg, pitch_range_deg: what it was trained on; None: not told.
    """

    @property
    def pitch_deg(self) -> float: ...
    @property
    def yaw_range_deg(self) -> AngleRange | None: ...
    @property
    def pitch_range_deg(self) -> AngleRange | None: ...


FRONT_YAW_DEG: AngleRange = (-30.0, 30.0)
"""Of views and videos, where the generator tells none."""
ALL_AROUND_YAW_DEG: AngleRange = (-180.0, 180.0)
"""Of views that are fused to a point cloud."""
SEARCH_YAW_DEG: AngleRange = (-60.0, 60.0)
"""Of the camera that an inversion looks for."""


def view_ranges(
    own: OwnDirections,
    yaw_deg: AngleRange | None = None,
    pitch_deg: AngleRange | None = None,
    *,
    drawn: bool = False,
    default_yaw_deg: AngleRange = FRONT_YAW_DEG,
) -> tuple[AngleRange, AngleRange]:
    """The ranges of yaw and pitch that views lie in, degrees.

    Args:
        yaw_deg, pitch_deg: as asked for; None: the generator's own.
        drawn: whether views are scattered over the ranges, which then take all of its own pitches; else they lie along a line, at its
            usual pitch.
        default_yaw_deg: the yaw of a generator that tells none.
    """
    own_pitch = own.pitch_range_deg if drawn and own.pitch_range_deg is not None else (own.pitch_deg, own.pitch_deg)
    own_yaw = default_yaw_deg if own.yaw_range_deg is None else own.yaw_range_deg
    return own_yaw if yaw_deg is None else yaw_deg, own_pitch if pitch_deg is None else pitch_deg


def yaw_text(default_yaw_deg: AngleRange = FRONT_YAW_DEG) -> str:
    """What a help says of a yaw that is not given."""
    return f"the model's own, {default_yaw_deg[0]:g}:{default_yaw_deg[1]:g} where it tells none"
