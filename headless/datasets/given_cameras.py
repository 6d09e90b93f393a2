"""Cameras that a call takes from a file instead of an arc: views of a file of cameras, or the shot of a .blend file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dnerf_core.camera import Camera


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
