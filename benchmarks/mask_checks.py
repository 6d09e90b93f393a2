"""How many spoilt masks the check finds, how many good ones it blames, and how well colours are snapped, by the demo's exact masks.

    dnerf-headless sample --truth --seeds 1000-1069 --views 3 --output masks-final
    python benchmarks/mask_checks.py masks-final

Of 60 masks, 20 each are mirrored, swapped and moved by 8 px; the others are good. Masks that look straight at a symmetric car are
their own mirror image, bit for bit, and are not chosen to be mirrored. The thresholds were chosen on seeds 100-139.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dnerf_core.files.annotated_folder import AnnotatedImage, read_annotations
from dnerf_core.files.snapping import snapped_ids
from dnerf_core.labels import LabelSet
from dnerf_core.model import Model
from dnerf_core.multiview.carrying import TOLERANCE_SHARE
from headless.annotating.mask_checks import suspicions
from headless.annotating.masked_view import CHECKED_PX, MaskedView, small_mask

Mask = NDArray[np.uint8]
SPOILT, SHIFT_PX = 20, 8
WHEELS = 3


def moved(mask: Mask, dx: int, dy: int) -> Mask:
    """A mask moved right and down, background coming in."""
    out = np.zeros_like(mask)
    height, width = mask.shape
    out[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = mask[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return out


def rough(mask: Mask, rng: np.random.Generator) -> Mask:
    """Edges off by 1 or 2 px: grown or shrunk, and by 1 px moved."""
    size = int(rng.choice([3, 5]))
    kind = ImageFilter.MaxFilter if rng.random() < 0.5 else ImageFilter.MinFilter
    edged = np.array(Image.fromarray(mask).filter(kind(size)))
    return edged if size == 5 else moved(edged, int(rng.integers(-1, 2)), int(rng.integers(-1, 2)))


def without_a_part(mask: Mask, rng: np.random.Generator) -> Mask:
    """A part left as background."""
    part = rng.choice([label for label in np.unique(mask).tolist() if label])
    return np.where(mask == part, 0, mask).astype(np.uint8)


PAINTERS: dict[str, Callable[[Mask, np.random.Generator], Mask]] = {
    "exact": lambda mask, rng: mask,
    "edges off by 1-2 px": rough,
    "a part unpainted": without_a_part,
    "both": lambda mask, rng: rough(without_a_part(mask, rng), rng),
    "only wheels": lambda mask, rng: np.where(mask == WHEELS, mask, 0).astype(np.uint8),
}


class Checked:
    """The views of a folder with their depth, checked with any masks."""

    def __init__(self, images: tuple[AnnotatedImage, ...], model: Model) -> None:
        self.images, self.tolerance = images, TOLERANCE_SHARE * model.config.box_side
        self.masks = {image.name: image.mask for image in images}
        subjects = {}
        started, processor = time.monotonic(), time.process_time()
        self.depth = {}
        for image in images:
            subject = subjects.setdefault(image.subject, None) or image.subject.open(model)
            subjects = {image.subject: subject}
            self.depth[image.name] = subject.channels(image.camera, CHECKED_PX, ("depth",)).depth_planar
        self.seconds = time.monotonic() - started, time.process_time() - processor

    def blamed(self, masks: dict[str, Mask], names: list[str] | None = None) -> dict[str, str]:
        """Kinds of suspicion by the view, of all views or of some."""
        views = [
            MaskedView(
                image.name,
                image.mask_path,
                image.subject,
                image.camera,
                small_mask(masks[image.name], CHECKED_PX),
                self.depth[image.name],
            )
            for image in self.images
            if names is None or image.name in names
        ]
        return {found.name: found.kind for found in suspicions(views, self.tolerance, self.images[0].mask.shape[0])}


def spoilt(
    masks: dict[str, Mask], truth: dict[str, Mask], rng: np.random.Generator
) -> tuple[dict[str, Mask], dict[str, list[str]]]:
    """Masks of which some are mirrored, some swapped in pairs and some moved, and which."""
    names = list(masks)
    mirrored = list(rng.choice([name for name in names if (truth[name] != truth[name][:, ::-1]).any()], SPOILT, replace=False))
    rest = list(rng.permutation([name for name in names if name not in mirrored])[: 2 * SPOILT])
    swapped, shifted = rest[:SPOILT], rest[SPOILT:]
    out = dict(masks)
    for name in mirrored:
        out[name] = masks[name][:, ::-1]
    for one, two in zip(swapped[::2], swapped[1::2], strict=True):
        out[one], out[two] = masks[two], masks[one]
    for name in shifted:
        angle = rng.random() * 2 * np.pi
        out[name] = moved(masks[name], round(SHIFT_PX * np.cos(angle)), round(SHIFT_PX * np.sin(angle)))
    return out, {"mirrored": mirrored, "swapped": swapped, "shifted": shifted}


def jpeg(rgb: Mask, quality: int) -> Mask:
    """As a JPEG with half the colours' resolution."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


def adobe(rgb: Mask) -> Mask:
    """The numbers that sRGB colours have in Adobe RGB."""
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])
    to_adobe = np.array(
        [[2.041369, -0.5649464, -0.3446944], [-0.969266, 1.8760108, 0.041556], [0.0134474, -0.1183897, 1.0154096]]
    )
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.rint(255 * np.clip(linear @ to_xyz.T @ to_adobe.T, 0, 1) ** (1 / 2.19921875)).astype(np.uint8)


def antialiased(mask: Mask, labels: LabelSet) -> tuple[Mask, Mask]:
    """Colours of a mask drawn at four times its size with smooth edges and reduced, and the label that covers most of each pixel."""
    side = mask.shape[0]
    layers = [
        np.array(
            Image.fromarray((mask == label).astype(np.uint8) * 255)
            .filter(ImageFilter.GaussianBlur(1.2))
            .resize((4 * side, 4 * side), Image.Resampling.BICUBIC)
        )
        for label in range(labels.num_classes)
    ]
    large = np.stack(layers).argmax(axis=0).astype(np.uint8)
    blocks = large.reshape(side, 4, side, 4).transpose(0, 2, 1, 3).reshape(side, side, 16)
    most = np.stack([(blocks == label).sum(axis=-1) for label in range(labels.num_classes)]).argmax(axis=0).astype(np.uint8)
    reduced = Image.fromarray(labels.palette()[large]).resize((side, side), Image.Resampling.BOX)
    return np.array(reduced), most


def snapped(masks: list[Mask], labels: LabelSet) -> Iterator[str]:
    """A row for each kind of colour fault: share of pixels with a wrong label, and ignored."""
    shares: dict[str, list[tuple[float, float]]] = {}
    for mask in masks:
        flat = labels.palette()[mask]
        smooth, most = antialiased(mask, labels)
        cases = {
            **{f"JPEG {quality}": (jpeg(flat, quality), mask) for quality in (75, 85, 95)},
            "Adobe RGB numbers": (adobe(flat), mask),
            "antialiased": (smooth, most),
            "antialiased, JPEG 85": (jpeg(smooth, 85), most),
            "antialiased, Adobe RGB numbers, JPEG 85": (jpeg(adobe(smooth), 85), most),
        }
        for name, (rgb, truth) in cases.items():
            ids, _, _ = snapped_ids(rgb, labels)
            shares.setdefault(name, []).append((((ids != truth) & (ids != 255)).mean(), (ids == 255).mean()))
    for name, pairs in shares.items():
        wrong, ignored = np.mean(pairs, axis=0)
        yield f"| {name} | {100 * wrong:.3f}% | {100 * ignored:.2f}% |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    annotations = read_annotations([arguments.folder])
    checked = Checked(annotations.images, Model.load("demo-cars"))
    wall, processor = checked.seconds
    print(f"{len(annotations.images)} depth maps: {wall:.1f} s, processor {processor:.1f} s\n")
    print("| masks | good ones blamed | mirrored found | swapped found | moved by 8 px found | blamed beside them |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(arguments.seed)
    for painter, paint in PAINTERS.items():
        masks = {name: paint(mask, rng) for name, mask in checked.masks.items()}
        good = len(checked.blamed(masks))
        found = {"mirrored": 0, "swapped": 0, "shifted": 0}
        good_blamed = 0
        for _ in range(arguments.rounds):
            some, which = spoilt(masks, checked.masks, rng)
            blamed = checked.blamed(some)
            for kind, names in which.items():
                found[kind] += sum(name in blamed for name in names)
            good_blamed += sum(all(name not in names for names in which.values()) for name in blamed)
        shares = " | ".join(f"{count} of {SPOILT * arguments.rounds}" for count in found.values())
        print(f"| {painter} | {good} of {len(masks)} | {shares} | {good_blamed} |", flush=True)
    one_a_subject = [name for name in checked.masks if name.endswith("v01")]
    blamed = checked.blamed(checked.masks, one_a_subject)
    print(f"| exact, one view a subject | {len(blamed)} of {len(one_a_subject)} | | | | |\n")
    print("| colours | wrong labels | ignored |\n|---|---|---|")
    chosen = list(checked.masks.values())[::15]
    for row in snapped(chosen, annotations.labels):
        print(row, flush=True)


if __name__ == "__main__":
    main()
