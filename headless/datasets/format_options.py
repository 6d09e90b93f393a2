"""How files of data sets are written where there is a choice: masks, depth, and the formats beside the folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from dnerf_core.errors import UsageError
from dnerf_core.job_ranges import AABB_SCALE, COCO_INSTANCES, NERFSTUDIO_IMAGES, SHARD_VIEWS
from dnerf_core.ranges import Ranged, ranged
from headless.datasets.channels import Channel
from headless.datasets.formats.registry import Format

CocoInstances = Literal["parts", "connected"]
NerfstudioImages = Literal["linked", "copied", "rgba"]


@dataclass(frozen=True, kw_only=True)
class FormatOptions(Ranged):
    """What is chosen of each format.

    Attributes:
        shard_views: views of each WebDataset shard; None: see `headless.datasets.formats.webdataset.shards`.
        coco_instances: what COCO's instances are, see `headless.datasets.formats.coco`.
        nerfstudio_images: where nerfstudio's images lie and whether they have alpha, see `headless.datasets.formats.nerfstudio`.
        aabb_scale: what transforms.json tells instant-ngp of its scene's size; None: nothing.
    """

    shard_views: int | None = ranged(SHARD_VIEWS)
    coco_instances: CocoInstances = ranged(COCO_INSTANCES)
    nerfstudio_images: NerfstudioImages = ranged(NERFSTUDIO_IMAGES)
    aabb_scale: int | None = ranged(AABB_SCALE)

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
        of_formats = {
            "shard_views": "webdataset",
            "coco_instances": "coco",
            "nerfstudio_images": "nerfstudio",
            "aabb_scale": "nerfstudio",
        }
        for name, format in of_formats.items():
            value = getattr(self, name)
            if value != getattr(usual, name) and format not in formats:
                raise UsageError(
                    f"--{name.replace('_', '-')} {value}: expected --format {format} beside it, found {','.join(formats)}; add it, or "
                    "leave the option out"
                )
        if self.aabb_scale is not None and self.aabb_scale.bit_count() != 1:
            raise UsageError(f"--aabb-scale: expected a power of 2 from 1 to 128, found {self.aabb_scale}; choose another")
        if self.nerfstudio_images == "rgba" and not {"mask", "depth"} & set(channels):
            raise UsageError(
                f"--nerfstudio-images rgba: expected mask or depth among the channels, found {','.join(channels)}; add one"
            )


USUAL = FormatOptions()
"""What is chosen where nothing is said."""
