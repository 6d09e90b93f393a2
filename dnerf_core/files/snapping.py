"""Masks whose colours are not exactly the label set's, read by the nearest: antialiased edges, JPEG, colours that a profile shifted."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.labels import IGNORE_ID, LabelSet

FARTHEST = 60.0
"""Distance in CIELAB beyond which a colour is no label's; black and white are 100 apart."""
CLEARNESS = 0.5
"""A colour is a label's where it is at most half as far from it as from the next: edges that JPEG blurred lie between two labels, and
may look like a third one's colour."""

_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_WHITE = np.array([0.95047, 1.0, 1.08883])
_WORST = 3


@dataclass
class SnapTally:
    """What was read by the nearest colour, mask by mask: filled in by whoever reads.

    Attributes:
        masks: (file, pixels that got a label by the nearest colour, pixels too far from all, all pixels) of each mask that had any.
    """

    masks: list[tuple[Path, int, int, int]] = field(default_factory=list)

    def add(self, path: Path, snapped_px: int, ignored_px: int, pixels: int) -> None:
        """Note a mask; one whose colours are exact is no matter."""
        if snapped_px or ignored_px:
            self.masks.append((path, snapped_px, ignored_px, pixels))

    def line(self) -> str | None:
        """What the user is told, the files with most pixels ignored first; None: all colours were exact."""
        if not self.masks:
            return None
        snapped, ignored = sum(mask[1] for mask in self.masks), sum(mask[2] for mask in self.masks)
        worst = sorted(self.masks, key=lambda mask: -mask[2] / mask[3])[:_WORST]
        named = ", ".join(f"{path} {100 * px / pixels:.1f}%" for path, _, px, pixels in worst if px)
        return (
            f"{len(self.masks)} masks read by the nearest colour: {snapped} pixels snapped, {ignored} too far from every label and "
            f"ignored{f' (most in {named})' if named else ''}"
        )


def snapped_ids(rgb: NDArray[np.uint8], labels: LabelSet) -> tuple[NDArray[np.uint8], int, int]:
    """The label ids of a picture by the nearest of the palette's colours, 255 of those that are no label's.

    Distances are CIELAB's (D65) of sRGB colours: of RGB, linear light and CIELAB it is the one that keeps labels apart under a change
    of profile.

    Args:
        rgb: uint8 [H, W, 3].

    Returns:
        uint8 [H, W]; how many pixels got a label though their colour is not exactly its; how many are no label's.
    """
    wide = rgb.astype(np.int32)
    codes, places = np.unique((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2], return_inverse=True)
    colors = np.stack([codes >> 16, (codes >> 8) & 255, codes & 255], axis=1)
    ids = np.array([*range(labels.num_classes), IGNORE_ID], dtype=np.uint8)
    distances = np.linalg.norm(_lab(colors)[:, None] - _lab(labels.palette()[ids])[None], axis=-1)
    first, second = np.sort(distances, axis=1)[:, :2].T
    clear = (first <= FARTHEST) & (first <= CLEARNESS * second)
    found = np.where(clear, ids[distances.argmin(axis=1)], IGNORE_ID).astype(np.uint8)
    counts = np.bincount(places.reshape(-1), minlength=len(codes))
    return found[places].reshape(rgb.shape[:2]), int(counts[clear & (first > 0)].sum()), int(counts[~clear].sum())


def snapped_ids_by_profile(rgb: NDArray[np.uint8], labels: LabelSet, profile: bytes | None) -> tuple[NDArray[np.uint8], int, int]:
    """`snapped_ids` of a picture with an ICC profile: of its numbers, or of the sRGB colours that the profile says they mean, whichever
    leaves fewer pixels without a label. Programs convert colours to their profile (Display P3, ProPhoto), or only attach it.

    Args:
        profile: the file's; one of other than RGB colours, or a damaged one, tells nothing. None: there is none.
    """
    found = snapped_ids(rgb, labels)
    if profile is None or not found[2]:
        return found
    meant = _srgb_colors(rgb, profile)
    if meant is None:
        return found
    managed = snapped_ids(meant, labels)
    return managed if managed[2] < found[2] else found


def _srgb_colors(rgb: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8] | None:
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return None
        target = ImageCms.createProfile("sRGB")
        picture = ImageCms.profileToProfile(
            Image.fromarray(rgb), source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):  # no profile after all
        return None
    return None if picture is None else np.array(picture, np.uint8)


def to_size(ids: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Ids of exactly half or double a size at that size, by the nearest pixel; others as they are."""
    height, width = ids.shape
    if (width * 2, height * 2) == (width_px, height_px):
        return ids.repeat(2, axis=0).repeat(2, axis=1)
    return ids[1::2, 1::2].copy() if (width, height) == (2 * width_px, 2 * height_px) else ids


def _lab(colors: NDArray[np.integer]) -> NDArray[np.float64]:
    """CIELAB [N, 3] of sRGB colours [N, 3]."""
    value = colors.astype(np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
