"""Cameras that stand in for an arc: views of a file of cameras, the shot of a .blend file, or views that were chosen to be painted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnerf_core.camera import Camera
from dnerf_core.files.view_poses import Pose


@dataclass(frozen=True, eq=False)
class GivenCameras:
    """The cameras of each subject's views.

    Attributes:
        cameras: in the model's world.
        file_name: of the file they come from, without its folder.
        side_px: side of the views that the file asks for; None: it does not say.
        names: of the views, as the file has them.
        world_line: in which world cameras of other programs are taken; None: nothing is to be told.
        remarks: what is to be warned of.
    """

    cameras: tuple[Camera, ...]
    file_name: str
    side_px: int | None = None
    names: tuple[str, ...] = ()
    world_line: str | None = None
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a record names them: by what they are, wherever they came from."""
        return {"given_cameras_sha256": self.sha256}

    @property
    def world_lines(self) -> list[str]:
        """`world_line` as lines of a summary."""
        return [] if self.world_line is None else [self.world_line]

    @property
    def sha256(self) -> str:
        """Of what the cameras are, wherever they came from."""
        text = json.dumps([camera.to_json() for camera in self.cameras])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ChosenView:
    """One view that was chosen to be painted: where it is seen from, and the pose of its subject there; None: its own."""

    camera: Camera
    pose: Pose | None = None


@dataclass(frozen=True, eq=False)
class ChosenViews:
    """The views of each subject that `sample --next` chose, in place of the arc.

    Attributes:
        by_seed: of each subject, as many as the plan has views.
        next_views: how many were asked for.
        painted_sha256: of the views that were painted by then.
        candidates_sha256: of what they were chosen among, and how.
    """

    by_seed: Mapping[int, tuple[ChosenView, ...]]
    next_views: int
    painted_sha256: str
    candidates_sha256: str

    def to_json(self) -> dict[str, Any]:
        """As a record names them: by the call that chose them."""
        return {
            "next": self.next_views,
            "painted_sha256": self.painted_sha256,
            "candidates_sha256": self.candidates_sha256,
        }
