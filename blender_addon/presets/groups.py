"""Which settings a preset sets, and the presets that come with the extension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]
"""Settings by their names, as JSON has them: booleans, numbers, words, identifiers of choices, and lists of numbers or identifiers."""


@dataclass(frozen=True)
class Group:
    """Settings that belong together.

    Attributes:
        name: of the presets' folder and of their menu.
        title: for people.
        settings: names of properties of `scene.dnerf`, or of what it has at `place`; no paths, which mean nothing elsewhere.
        brought: presets that come with the extension, by title; each sets some of the settings.
        place: the property of `scene.dnerf` that has the settings; "": itself.
    """

    name: str
    title: str
    settings: tuple[str, ...]
    brought: dict[str, Values]
    place: str = ""


_SUBJECTS: Values = {"subjects_from": "FIRST", "cameras": "RANDOM", "own_angles": True, "test_cameras": "NONE"}
"""Many subjects, each seen from where chance has it."""

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
        Group(
            "data_set",
            "Data Set",
            (
                *("subjects_from", "seeds", "subjects"),
                *("cameras", "count", "own_angles", "yaw", "pitch", "camera_seed", "upper", "radius", "fov_deg", "frame_step"),
                *("center", "center_point", "outwards", "test_cameras", "test_count", "test_camera_seed", "test_frame_step"),
                *("resolution", "channels", "formats", "masks", "depth_format", "shard_views", "coco_instances"),
                *(
                    "nerfstudio_images",
                    "aabb_scale",
                    "splits",
                    "reject_uncertain",
                    "consistent",
                    "exact",
                    "random_poses",
                    "with_cloud",
                ),
            ),
            {
                "Segmentation of 1,000 Subjects": {
                    **_SUBJECTS,
                    "subjects": 1000,
                    "count": 1,
                    "channels": ["rgb", "mask"],
                    "formats": [],
                    "splits": "train=0.8,val=0.1,test=0.1",
                },
                "COCO of 200 Subjects": {
                    **_SUBJECTS,
                    "subjects": 200,
                    "count": 5,
                    "channels": ["rgb", "mask"],
                    "formats": ["coco"],
                    "splits": "",
                },
                "Scene for nerfstudio": {
                    "subjects_from": "ONE",
                    "cameras": "SPHERE",
                    "count": 100,
                    "upper": True,
                    "test_cameras": "RANDOM",
                    "test_count": 20,
                    "channels": ["rgb", "mask", "depth"],
                    "formats": ["nerfstudio"],
                    "nerfstudio_images": "rgba",
                    "splits": "",
                    "with_cloud": True,
                },
            },
            place="data_set",
        ),
    )
}
