"""How files of data sets are written where there is a choice: masks, depth, and the formats beside the folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from dnerf_core.errors import UsageError
from dnerf_core.limits import MAX_VIEWS_A_CALL
from dnerf_core.ranges import Choice, Ranged, Whole, ranged
from headless.datasets.channels import Channel
from headless.datasets.formats.registry import Format

CocoInstances = Literal["parts", "connected"]
NerfstudioImages = Literal["linked", "copied", "rgba"]

MASKS = Choice(
    ("ids", "palette"),
    None,
    "Write masks as 8-bit gray ids, which every reader takes as they are, or as palettes, to look at.",
)
DEPTH_FORMAT = Choice(
    ("exr", "npy", "png16"),
    "exr",
    "Write depth as exr (float32, 0 at background), npy (float32, +inf at background), or png16 (16-bit gray in thousandths of a world "
    "unit, 0 at background).",
)
SHARD_VIEWS = Whole(1, MAX_VIEWS_A_CALL, None, "With --format webdataset: put N views into each shard.")
COCO_INSTANCES = Choice(
    ("parts", "connected"),
    "parts",
    "With --format coco: make an instance of all that a view shows of a part, or of each connected piece of it.",
)
NERFSTUDIO_IMAGES = Choice(
    ("linked", "copied", "rgba"),
    "linked",
    "With --format nerfstudio: name the images where they are, copy them into each scene's folder, or write them there with the "
    "subject's outline as alpha.",
)


@dataclass(frozen=True, kw_only=True)
class FormatOptions(Ranged):
    """What is chosen of each format.

    Attributes:
        shard_views: views of each WebDataset shard; None: see `headless.datasets.formats.webdataset.shards`.
        coco_instances: what COCO's instances are, see `headless.datasets.formats.coco`.
        nerfstudio_images: where nerfstudio's images lie and whether they have alpha, see `headless.datasets.formats.nerfstudio`.
    """

    shard_views: int | None = ranged(SHARD_VIEWS)
    coco_instances: CocoInstances = ranged(COCO_INSTANCES)
    nerfstudio_images: NerfstudioImages = ranged(NERFSTUDIO_IMAGES)

    @classmethod
    def from_call(cls, call: Any) -> FormatOptions:
        """Those of a call, which has them among its fields."""
        return cls(**{field.name: getattr(call, field.name) for field in dataclasses.fields(cls)})

    def check(self, formats: tuple[Format, ...], channels: tuple[Channel, ...]) -> None:
        """Refuse what is chosen of a format that is not written, or needs a channel that is not.

        Raises:
            UsageError: something of that kind.
        """
        usual = FormatOptions()
        of_formats = {"shard_views": "webdataset", "coco_instances": "coco", "nerfstudio_images": "nerfstudio"}
        for name, format in of_formats.items():
            value = getattr(self, name)
            if value != getattr(usual, name) and format not in formats:
                raise UsageError(
                    f"--{name.replace('_', '-')} {value}: expected --format {format} beside it, found {','.join(formats)}; add it, or "
                    "leave the option out"
                )
        if self.nerfstudio_images == "rgba" and not {"mask", "depth"} & set(channels):
            raise UsageError(
                f"--nerfstudio-images rgba: expected mask or depth among the channels, found {','.join(channels)}; add one"
            )


USUAL = FormatOptions()
"""What is chosen where nothing is said."""
