"""Which settings a preset sets, and the presets that come with the extension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]
"""Settings of `scene.dnerf` by their names: booleans, numbers, and the identifiers of choices."""


@dataclass(frozen=True)
class Group:
    """Settings that belong together.

    Attributes:
        name: of the presets' folder and of their menu.
        title: for people.
        settings: names of properties of `scene.dnerf`; no paths, which mean nothing elsewhere.
        brought: presets that come with the extension, by title; each sets some of the settings.
    """

    name: str
    title: str
    settings: tuple[str, ...]
    brought: dict[str, Values]


GROUPS = {
    group.name: group
    for group in (
        Group(
            "cameras",
            "Cameras",
            (
                "camera_path",
                "camera_count",
                "own_yaw",
                "yaw_first_deg",
                "yaw_last_deg",
                "own_pitch",
                "pitch_first_deg",
                "pitch_last_deg",
                "size_px",
            ),
            {
                "Turntable of 36": {"camera_path": "ORBIT", "camera_count": 36, "own_pitch": True},
                "Four Sides": {"camera_path": "ORBIT", "camera_count": 4, "own_pitch": True},
                "Front Arc of 7": {
                    "camera_path": "ARC",
                    "camera_count": 7,
                    "own_yaw": False,
                    "yaw_first_deg": -45.0,
                    "yaw_last_deg": 45.0,
                    "own_pitch": True,
                },
                "As Trained, 3": {"camera_path": "ARC", "camera_count": 3, "own_yaw": True, "own_pitch": True},
                "Rising Half Turn of 12": {
                    "camera_path": "ARC",
                    "camera_count": 12,
                    "own_yaw": False,
                    "yaw_first_deg": -90.0,
                    "yaw_last_deg": 90.0,
                    "own_pitch": False,
                    "pitch_first_deg": 0.0,
                    "pitch_last_deg": 40.0,
                },
            },
        ),
        Group(
            "views",
            "Views",
            ("view_source", "want_overlay", "want_depth"),
            {
                "Images and Masks": {"want_overlay": False, "want_depth": False},
                "Images, Masks and Depth": {"want_overlay": False, "want_depth": True},
            },
        ),
        Group(
            "annotate",
            "Annotate",
            ("annotation_subjects", "annotation_views", "training_steps", "allow_missing_labels"),
            {
                "First Try": {
                    "annotation_subjects": 2,
                    "annotation_views": 3,
                    "training_steps": 500,
                    "allow_missing_labels": True,
                },
                "Thirty Subjects": {"annotation_subjects": 30, "annotation_views": 3, "allow_missing_labels": False},
            },
        ),
    )
}
