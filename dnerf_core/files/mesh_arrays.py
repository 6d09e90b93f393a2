"""What the files of meshes ask of a mesh (numpy only)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dnerf_core.camera import WorldUp
from dnerf_core.files.clouds import CloudArrays, CloudColor
from dnerf_core.labels import LabelSet

Part = tuple[int, str, tuple[int, int, int], NDArray[np.int64]]
"""Id, name and colour of a part, and the numbers [M] of its faces."""


class MeshArrays(Protocol):
    """A `dnerf_core.mesh.mesh.Mesh`, which saves itself by these modules."""

    @property
    def vertices(self) -> NDArray[np.float32]: ...
    @property
    def faces(self) -> NDArray[np.int32]: ...
    @property
    def normals(self) -> NDArray[np.float32]: ...
    @property
    def colors(self) -> NDArray[np.uint8]: ...
    @property
    def labels(self) -> NDArray[np.uint8] | None: ...
    @property
    def confidence(self) -> NDArray[np.float32] | None: ...
    @property
    def label_set(self) -> LabelSet | None: ...
    @property
    def world_up(self) -> WorldUp: ...
    def parts(self) -> list[Part]: ...
    def as_cloud(self) -> CloudArrays: ...
    def shown_colors(self, color: CloudColor) -> NDArray[np.uint8]: ...
