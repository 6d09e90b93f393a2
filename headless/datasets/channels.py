"""The channels a view may have in a data set, an entry each: where its files lie, what they are made of, how they are written and packed.

To add a channel is to add an entry to `ENTRIES`; options, records, metadata, cards and shards read it from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import brief, did_you_mean
from headless.datasets import packing
from headless.datasets.poses.vertices import vertices_record
from headless.datasets.written import ChannelPlan, Written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dnerf_core.labels import LabelSet
    from dnerf_core.subject import Channel as EngineChannel

Channel = str
"""The name of an entry."""


@dataclass(frozen=True)
class Entry:
    """One channel.

    Attributes:
        name: as `--channels` has it.
        folder: where its files lie; "" for one that has no files and stands in the metadata alone.
        row_key: how a row of metadata names its file. Hugging Face `datasets` decodes every column named `*_file_name` as a picture,
            which depth is not.
        write: writes a view's file.
        read: reads one back: its path, the labels, the side in pixels; values as the engine gives them.
        suffix: what its files' names end in; None: the plan's depth format.
        sees: what the engine must see for it, by the engine's names; `sees_consistent` more where masks are fused ones.
        needs_branch: whether it needs a semantic branch, and `needs_pose` a model whose subjects move.
        needs: channels that it is read from.
        stands_alone: whether views of it alone can be looked at.
        is_default: whether it is written where `--channels` is not given, of a model that has it.
        is_picture: whether a card lists it among the pictures.
        record: what `dataset.json` says of its files; None: nothing.
        member: what its file is called in a shard, and `packed` its bytes there with their suffix, where they are not the file's own;
            see `is_packed`.
    """

    name: Channel
    folder: str = ""
    row_key: str = ""
    write: Callable[[Path, Written], None] | None = None
    read: Callable[[Path, LabelSet | None, int], NDArray[Any]] | None = None
    suffix: str | None = ".png"
    sees: tuple[str, ...] = ()
    sees_consistent: tuple[str, ...] = ()
    needs_branch: bool = False
    needs_pose: bool = False
    needs: tuple[Channel, ...] = ()
    stands_alone: bool = False
    is_default: bool = False
    is_picture: bool = False
    record: Callable[[ChannelPlan], dict[str, Any] | None] = lambda plan: None
    member: str = ""
    packed: Callable[[Path, LabelSet | None, int], bytes] | None = None
    packed_suffix: str | None = None
    packed_bytes_a_pixel: int | None = None

    def file_suffix(self, plan: ChannelPlan) -> str:
        """What the names of its files end in, with the dot."""
        if self.suffix is not None:
            return self.suffix
        from dnerf_core.files.pictures import DEPTH_SUFFIXES

        assert plan.depth_format is not None
        return DEPTH_SUFFIXES[plan.depth_format]

    def is_packed(self, plan: ChannelPlan) -> bool:
        """Whether a shard holds other bytes than its files': of depth those of 16-bit pictures alone, which decoders make 8-bit RGB."""
        return self.packed is not None and (self.suffix is not None or plan.depth_format == "png16")


# Writers


def _write_image(path: Path, view: Written) -> None:
    from dnerf_core.files.pictures import write_image

    write_image(path, view.required(view.seen.rgb, "an image"))


def _write_mask(path: Path, view: Written) -> None:
    from dnerf_core.files.pictures import write_mask, write_mask_ids

    if view.labels is None:
        return
    mask = view.required(view.seen.mask, "a mask")
    # Somebody may have painted one while this was running.
    if path.exists():
        return
    if view.plan.mask_format == "ids":
        write_mask_ids(path, mask)
    else:
        write_mask(path, mask, view.labels.palette())


def _write_depth(path: Path, view: Written) -> None:
    from dnerf_core.files.pictures import write_depth

    if view.plan.depth_format is not None:
        depth = view.required(view.seen.depth_planar, "a depth")
        write_depth(path, depth, view.plan.depth_format, view.plan.exr_channel)


def _write_normals(path: Path, view: Written) -> None:
    from dnerf_core.files.pictures import write_normals
    from dnerf_core.rendering.normals import normals_from_depth

    depth = view.required(view.seen.depth_planar, "a depth")
    write_normals(path, normals_from_depth(depth, view.camera, view.normal_step_px))


def _write_uncertainty(path: Path, view: Written) -> None:
    from dnerf_core.files.pictures import write_uncertainty

    write_uncertainty(path, view.required(view.seen.uncertainty, "uncertainty"))


def _write_joints(path: Path, view: Written) -> None:
    from headless.datasets.poses.joints import write_joints

    write_joints(path, view.required(view.seen.joints, "joints"), view.camera, view.required(view.seen.depth_planar, "a depth"))


def _write_vertices(path: Path, view: Written) -> None:
    from dnerf_core.files.meshes.posed_meshes import vertices_bytes
    from dnerf_core.files.whole import write_bytes_whole

    write_bytes_whole(path, vertices_bytes(view.required(view.seen.vertices, "vertices")))


# Readers


def _read_image(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.uint8]:
    from dnerf_core.files.pictures import of_size, read_image

    return of_size(read_image(path), path, size_px)


def _read_mask(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.uint8]:
    from dnerf_core.files.masks import read_mask

    assert labels is not None
    return read_mask(path, labels, size_px)


def _read_depth(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.float32]:
    from dnerf_core.files.pictures import of_size, read_depth

    return of_size(read_depth(path), path, size_px)


def _read_normals(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.float32]:
    from dnerf_core.files.pictures import of_size, read_normals

    return of_size(read_normals(path), path, size_px)


def _read_uncertainty(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.float32]:
    import numpy as np

    from dnerf_core.files.pictures import of_size, read_gray16

    return (of_size(read_gray16(path), path, size_px) / 65535).astype(np.float32)


def _read_joints(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.float64]:
    from dnerf_core.files.view_poses import joint_array

    return joint_array(path)


def _read_vertices(path: Path, labels: LabelSet | None, size_px: int) -> NDArray[np.float32]:
    from dnerf_core.files.meshes.posed_meshes import read_vertices

    return read_vertices(path)


# Records


def _mask_record(plan: ChannelPlan) -> dict[str, Any] | None:
    encoding = {"encoding": "8-bit gray label ids, 0 background, 255 ignore"} if plan.mask_format == "ids" else {}
    fused = {"labels": "those that several views of the subject fuse to (--consistent)"} if plan.consistent else {}
    return encoding | fused or None


def _depth_record(plan: ChannelPlan) -> dict[str, Any]:
    from dnerf_core.files.pictures import DEPTH_STEPS

    facts: dict[str, Any] = {
        "kind": "planar, along the optical axis",
        "unit": "world units of the model",
        "background": "inf" if plan.depth_format == "npy" else 0,
    }
    if plan.depth_format == "exr":
        facts["channel"] = plan.exr_channel
    if plan.depth_format == "png16":
        facts |= {"encoding": f"16-bit gray, round({DEPTH_STEPS} d)", "integer_depth_scale": 1 / DEPTH_STEPS}
    return facts


ENTRIES: dict[Channel, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "rgb", "images", "image_file_name", _write_image, _read_image, sees=("rgb",), stands_alone=True, is_default=True,
            is_picture=True, member="image",
        ),
        Entry(
            "mask", "masks", "mask_file_name", _write_mask, _read_mask, sees=("mask",), sees_consistent=("depth",), needs_branch=True,
            stands_alone=True, is_default=True, is_picture=True, member="mask", packed=packing.gray_png, packed_suffix=".png",
            record=_mask_record,
        ),
        Entry(
            "depth", "depth", "depth_file", _write_depth, _read_depth, suffix=None, sees=("depth",), stands_alone=True, is_default=True,
            member="depth",
            record=_depth_record, packed=packing.float_npy, packed_suffix=".npy", packed_bytes_a_pixel=4,
        ),
        Entry(
            "normal", "normals", "normal_file_name", _write_normals, _read_normals, sees=("depth",), is_picture=True, member="normal",
            record=lambda plan: {"frame": "camera: x right, y down, z forward", "encoding": "round(127 n) + 128"},
        ),
        Entry(
            "uncertainty", "uncertainty", "uncertainty_file", _write_uncertainty, _read_uncertainty, sees=("uncertainty",),
            needs_branch=True, member="uncertainty", packed=packing.half_npy, packed_suffix=".npy", packed_bytes_a_pixel=2,
            record=lambda plan: {
                "kind": "entropy of the class probabilities as a share of its highest",
                "encoding": "round(65535 u)",
            },
        ),
        Entry("parts", needs_branch=True, needs=("mask",)),
        Entry(
            "joints", "joints", "joints_file", _write_joints, _read_joints, suffix=".json", sees=("joints", "depth"), needs_pose=True,
            member="joints", is_default=True,
            record=lambda plan: None if plan.skeleton is None else plan.skeleton.record(),
        ),
        Entry(
            "vertices", "vertices", "vertices_file", _write_vertices, _read_vertices, suffix=".npy", sees=("vertices",),
            needs_pose=True, member="vertices", record=lambda plan: vertices_record(),
        ),
    )
}  # fmt: skip
"""In the order in which files, records and options have them."""

CHANNELS: tuple[Channel, ...] = tuple(ENTRIES)
DEFAULT_CHANNELS: tuple[Channel, ...] = tuple(
    name for name, entry in ENTRIES.items() if entry.is_default and not entry.needs_pose
)
LABEL_CHANNELS: tuple[Channel, ...] = tuple(name for name, entry in ENTRIES.items() if entry.needs_branch)
"""Those that need a semantic branch."""
POSED_CHANNELS: tuple[Channel, ...] = tuple(name for name, entry in ENTRIES.items() if entry.needs_pose)
"""Those that need a model whose subjects move."""
DEFAULT_POSED_CHANNELS: tuple[Channel, ...] = tuple(name for name in POSED_CHANNELS if ENTRIES[name].is_default)
"""Of these the ones that are written where `--channels` is not given."""

BY_FOLDER: dict[str, Entry] = {entry.folder: entry for entry in ENTRIES.values() if entry.folder}
"""The entries that have files, by the folders that these lie in."""


def seen_channels(channels: tuple[Channel, ...], *, consistent: bool) -> tuple[EngineChannel, ...]:
    """What the engine must see for some channels, in the order of the engine's own."""
    engine_names = {name for channel in channels for name in ENTRIES[channel].sees}
    engine_names |= {name for channel in channels for name in ENTRIES[channel].sees_consistent if consistent}
    order: tuple[EngineChannel, ...] = ("rgb", "mask", "depth", "uncertainty", "joints", "vertices")
    return tuple(name for name in order if name in engine_names)


def parse_channels(text: str) -> tuple[Channel, ...]:
    """Channels from text such as `rgb,mask,depth`, each once, in the order of `CHANNELS`.

    Raises:
        ValueError: an unknown channel, one named twice, none that can be looked at, or one without those it is read from.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in ENTRIES:
            raise ValueError(f"expected channels among {', '.join(ENTRIES)}, found {brief(name)}{did_you_mean(name, ENTRIES)}")
        if names.count(name) > 1:
            raise ValueError(f"expected each channel once, found {name} twice")
    alone = [name for name, entry in ENTRIES.items() if entry.stands_alone]
    if not set(alone) & set(names):
        raise ValueError(f"expected {', '.join(alone[:-1])} or {alone[-1]} among them, found {text}; add one")
    for name in names:
        for needed in ENTRIES[name].needs:
            if needed not in names:
                raise ValueError(f"expected {needed} beside {name}, which are read from it; add {needed}")
    return tuple(channel for channel in ENTRIES if channel in names)
