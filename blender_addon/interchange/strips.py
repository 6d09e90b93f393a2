"""Strips of videos in a scene's edit: one that was made here, and that nobody has touched since, is replaced by its video's new one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..places import kept_path

STRIP_PROPERTY = "dnerf_strip"
"""On a strip: what it was like when it was made."""

_LOOKS = (
    *(
        "channel",
        "frame_start",
        "frame_final_start",
        "frame_final_duration",
        "blend_type",
        "blend_alpha",
        "use_flip_x",
        "use_flip_y",
    ),
    *("color_multiply", "color_saturation", "strobe"),
)
_PLACE = ("offset_x", "offset_y", "scale_x", "scale_y", "rotation")
_CROP = ("min_x", "max_x", "min_y", "max_y")


@dataclass(frozen=True)
class Video:
    """A video to be shown.

    Attributes:
        path: its file.
        first_frame: where it begins.
        kind: videos of one kind share a channel.
    """

    path: Path
    first_frame: int
    kind: str


def strips_of(scene: bpy.types.Scene) -> Any:
    """A scene's strips, in every version of Blender; none where it has no edit."""
    editor = scene.sequence_editor
    if editor is None:
        return ()
    return editor.strips if hasattr(editor, "strips") else editor.sequences  # the name before Blender 4.4


def add_videos(scene: bpy.types.Scene, videos: Sequence[Video], *, muted: bool = False) -> int:
    """A strip for each video, in place of the one that was made of the same file before, if nobody has touched that.

    Others stay. New ones are on channels of their own above what is there, a channel a kind.

    Args:
        muted: of those that take no other's place.

    Returns:
        How many these are.
    """
    if scene.sequence_editor is None:
        scene.sequence_editor_create()
    strips = strips_of(scene)
    channels: dict[str, int] = {}
    added = 0
    for video in videos:
        before = [strip for strip in strips if _is_untouched(strip, video.path)]
        name, silent = video.path.stem, muted
        if before:
            channel, name, silent = before[0].channel, before[0].name, before[0].mute
            for strip in before:
                strips.remove(strip)
        else:
            top = max((strip.channel for strip in strips), default=0)
            channel = channels.get(video.kind, top + 1)
            added += 1
        channels.setdefault(video.kind, channel)
        strip = strips.new_movie(name, kept_path(video.path), channel, video.first_frame)
        strip.mute = silent
        strip[STRIP_PROPERTY] = _likeness(strip)
    return added


def _is_untouched(strip: Any, path: Path) -> bool:
    if strip.type != "MOVIE" or strip.get(STRIP_PROPERTY) != _likeness(strip):
        return False
    return os.path.normcase(os.path.abspath(bpy.path.abspath(strip.filepath))) == os.path.normcase(os.path.abspath(path))


def _likeness(strip: Any) -> str:
    """A digest of what an artist may change, except whether it is muted, which goes over to the new one."""
    facts = [
        [getattr(strip, name, None) for name in _LOOKS],
        [getattr(strip.transform, name) for name in _PLACE],
        [getattr(strip.crop, name) for name in _CROP],
        len(strip.modifiers),
    ]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
