"""A folder that `dnerf-headless render` wrote, as a torch `Dataset`: images, masks, depths and cameras, view by view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dnerf_core.camera import Camera
from dnerf_core.errors import AnnotationError, counted
from dnerf_core.files.masks import read_sized_mask
from dnerf_core.files.meshes.posed_meshes import read_vertices
from dnerf_core.files.pictures import read_depth, read_image
from dnerf_core.files.view_lists import ViewRow, read_view_lists
from dnerf_core.files.view_poses import joint_array
from dnerf_core.labels import LabelSet
from dnerf_core.shapes import check_shapes


class Sample(TypedDict):
    """One view; a channel that the data set does not have is not among the keys.

    image: uint8 [3, H, W], RGB.
    mask: uint8 [H, W], label ids, 0 background, 255 ignore.
    depth: float32 [H, W], planar, along the optical axis, world units of the model, +inf at background.
    joints: float32 [K, 3], of a subject that moves, world frame, world units; their names and parents are in dataset.json.
    joints_px: float32 [K, 2], the same in the picture, pixels from the left upper corner, a pixel's centre at +0.5.
    visibility: int64 [K], 0 outside of the picture, 1 hidden, 2 seen.
    vertices: float32 [V, 3], of the mesh that moves with the subject, world frame; its faces are in template.npz.
    cam2world: float32 [4, 4], OpenCV camera axes (x right, y down, z forward).
    intrinsics: float32 [3, 3], normalised by image width and height.
    name: the stem of the view's files, such as s0003_v01.
    seed, view: its subject and its number among the subject's views.
    """

    image: NotRequired[Tensor]
    mask: NotRequired[Tensor]
    depth: NotRequired[Tensor]
    joints: NotRequired[Tensor]
    joints_px: NotRequired[Tensor]
    visibility: NotRequired[Tensor]
    vertices: NotRequired[Tensor]
    cam2world: Tensor
    intrinsics: Tensor
    name: str
    seed: int
    view: int


class LabeledViews(Dataset[Any]):
    """The views of a data set that `dnerf-headless render` wrote, in the order of its lists.

    An item is a `Sample`, a dictionary of tensors that a `DataLoader` stacks as it is, or what `transform` makes of one. Files are read
    when an item is asked for, so a data set of any size opens at once, and workers share nothing but the lists.

    Attributes:
        folder: the data set.
        split: the split that is read; None: all views.
        splits: the names of the splits that the data set has; empty: it is not split.
        labels: what the masks' ids mean; None: it has no masks.

    Args:
        folder: what `render` wrote, whole; or one split's folder in it, such as `cars/train`.
        split: a split's name, such as "train"; None: the views of all splits.
        transform: called with each `Sample`; its result is the item. A function at a module's top, where workers are spawned.

    Raises:
        UsageError: no such folder, no data set, one that is not finished, or a split that it does not have.
        AnnotationError: its labels.json cannot be used.

    Example:
        >>> views = LabeledViews("cars", split="train")
        >>> for batch in torch.utils.data.DataLoader(views, batch_size=8, shuffle=True, num_workers=2):
        ...     batch["image"], batch["mask"]  # uint8 [8, 3, H, W], uint8 [8, H, W]
    """

    def __init__(self, folder: str | Path, split: str | None = None, transform: Callable[[Sample], Any] | None = None) -> None:
        self.folder, self.split, self.transform = Path(folder), split, transform
        lists = read_view_lists(self.folder, split)
        self.split = lists.split
        self.splits, self.labels, self._rows = lists.splits, lists.labels, lists.rows

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        split = "" if self.split is None else f", split {self.split}"
        labels = "no masks" if self.labels is None else f"labels {self.labels.names_text()}"
        return f"LabeledViews({self.folder}{split}: {counted(len(self), 'view')}, {labels})"

    def __getitem__(self, index: int) -> Any:
        """The view of that number; negative ones count from the end.

        Raises:
            IndexError: no such view.
            OutputError: an image, a depth, or a file of joints or vertices cannot be read.
            AnnotationError: a mask cannot be read, or the view's files are of different sizes.
        """
        sample = self._sample(self._rows[index])
        return sample if self.transform is None else self.transform(sample)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def camera(self, index: int) -> Camera:
        """Where a view was seen from, without reading its files."""
        return self._rows[index].camera

    def _sample(self, row: ViewRow) -> Sample:
        image = None if row.image is None else read_image(row.image)
        depth = None if row.depth is None else read_depth(row.depth, row.depth_scale)
        mask = None if row.mask is None or self.labels is None else self._mask(row.mask, self.labels)
        check_shapes(
            AnnotationError, f"{self.folder}: {row.name}", image=(image, "uint8 H W 3"), mask=(mask, "H W"), depth=(depth, "H W")
        )
        camera = row.camera
        sample: Sample = {
            "cam2world": torch.from_numpy(camera.cam2world.astype(np.float32)),
            "intrinsics": torch.from_numpy(camera.intrinsics.astype(np.float32)),
            "name": row.name,
            "seed": row.seed,
            "view": row.view,
        }
        if image is not None:
            sample["image"] = torch.from_numpy(image).permute(2, 0, 1).contiguous()
        if mask is not None:
            sample["mask"] = torch.from_numpy(mask)
        if depth is not None:
            sample["depth"] = torch.from_numpy(depth)
        if row.joints is not None:
            joints = joint_array(row.joints)
            sample["joints"] = torch.from_numpy(joints[:, :3].astype(np.float32))
            sample["joints_px"] = torch.from_numpy(joints[:, 3:5].astype(np.float32))
            sample["visibility"] = torch.from_numpy(joints[:, 5].astype(np.int64))
        if row.vertices is not None:
            sample["vertices"] = torch.from_numpy(read_vertices(row.vertices))
        return sample

    @staticmethod
    def _mask(path: Path, labels: LabelSet) -> NDArray[np.uint8]:
        def any_size(width_px: int, height_px: int) -> None:  # compared with the other channels afterwards
            return None

        return read_sized_mask(path, labels, any_size)
