"""Pictures and videos labelled by a network of images. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.images.segmenter import Segmenter
from dnerf_core.errors import UsageError
from dnerf_core.files.photos import read_upright
from dnerf_core.files.pictures import write_image, write_mask_ids
from dnerf_core.work.interruption import checkpoint
from headless.clips.video_files import label_video, preview_video
from headless.clips.video_reading import open_video
from headless.downstream.segmenting.confidence import Tally
from headless.downstream.segmenting.plan import Item
from headless.downstream.segmenting.results import CONFIDENCE, MASKS, OVERLAYS, Facts, gray_confidence, shares_of, strip


def label_picture(segmenter: Segmenter, item: Item, size_px: int | None, folder: Path) -> tuple[Facts, NDArray[np.uint8]]:
    """Write a picture's mask, confidence and overlay; returns its facts and its `strip`.

    Raises:
        DNeRFError: the picture cannot be read, or a result cannot be written.
    """
    rgb, note = read_upright(item.path)
    mask, confidence, look = segmenter.predict_and_look(rgb, size_px)
    gray, overlay = gray_confidence(confidence), segmenter.labels.overlay(rgb, mask)
    files = tuple(f"{place}/{item.name}.png" for place in (MASKS, CONFIDENCE, OVERLAYS))
    write_mask_ids(folder / files[0], mask)
    write_mask_ids(folder / files[1], gray)
    write_image(folder / files[2], overlay)
    tally = Tally(segmenter.labels.num_classes)
    tally.add(mask, confidence)
    tally.look(look)
    facts = Facts(
        name=item.name,
        file=str(item.path),
        type="picture",
        files=files,
        size={"width_px": rgb.shape[1], "height_px": rgb.shape[0]},
        confidence=tally.mean,
        energy=tally.energy,
        shares=shares_of(tally.counts, segmenter.labels),
        remarks=() if note is None else (note,),
    )
    return facts, strip([rgb, overlay, gray])


def label_clip(
    segmenter: Segmenter, item: Item, size_px: int | None, folder: Path, progress: Callable[[int, int], None]
) -> tuple[Facts, NDArray[np.uint8]]:
    """Write a video's ids, confidence and preview, frame by frame at the video's rate; returns its facts and the first frame's `strip`.

    Args:
        progress: hears how many frames are done and how many there are, 0 where the file does not say.

    Raises:
        DNeRFError: the video cannot be read, or a result cannot be written.
    """
    files = (
        f"{MASKS}/{item.name}-labels.mkv",
        f"{CONFIDENCE}/{item.name}-confidence.mkv",
        f"{OVERLAYS}/{item.name}-overlay.mp4",
    )
    tally, first = Tally(segmenter.labels.num_classes), None
    width = height = count = 0
    with open_video(item.path) as video, ExitStack() as sinks:
        for rgb in video.frames:
            checkpoint()
            if first is None:
                height, width = rgb.shape[:2]
                ids = sinks.enter_context(label_video(folder / files[0], width, height, video.rate))
                sure = sinks.enter_context(label_video(folder / files[1], width, height, video.rate))
                seen = sinks.enter_context(preview_video(folder / files[2], width, height, video.rate))
            mask, confidence, look = segmenter.predict_and_look(rgb, size_px)
            gray, overlay = gray_confidence(confidence), segmenter.labels.overlay(rgb, mask)
            ids(mask)
            sure(gray)
            seen(overlay)
            tally.add(mask, confidence)
            tally.look(look)
            first = strip([rgb, overlay, gray]) if first is None else first
            count += 1
            progress(count, video.expected)
        rate = float(video.rate)
    if first is None:
        raise UsageError(f"{item.path}: expected a video with frames, found none; save or copy it again")
    facts = Facts(
        name=item.name,
        file=str(item.path),
        type="video",
        files=files,
        size={"width_px": width, "height_px": height, "frames": count, "fps": round(rate, 6)},
        confidence=tally.mean,
        energy=tally.energy,
        shares=shares_of(tally.counts, segmenter.labels),
    )
    return facts, first
