"""Cameras that a call takes from a file instead of an arc: a cameras.json, or the shot of a .blend file."""

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
    """

    cameras: tuple[Camera, ...]
    file_name: str
    side_px: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As a record names them: by what they are, wherever they came from."""
        text = json.dumps([camera.to_json() for camera in self.cameras])
        return {"given_cameras_sha256": hashlib.sha256(text.encode()).hexdigest()}
