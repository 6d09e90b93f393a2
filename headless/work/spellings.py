"""How the command line spells what a plan holds, for messages about a command that differs from an earlier one."""

from __future__ import annotations

OPTION_NAMES = {
    "command": "the command",
    "written_by": "the version",
    "model_sha256": "--model (sha256)",
    "subjects_sha256": "--subject (its content)",
    "seeds": "--seeds",
    "views": "--views",
    "yaw_deg": "--yaw",
    "pitch_deg": "--pitch",
    "given_cameras_sha256": "--cameras (its views)",
    "spacing": "--view-distribution",
    "truncation": "--truncation",
    "resolution_px": "--resolution",
    "channels": "--channels",
    "depth_format": "--depth-format",
    "masks": "the masks",
    "exact": "--exact",
    "splits": "--splits",
    "reject_uncertain": "--reject-uncertain",
    "consistent": "--consistent",
    "between": "--between",
    "path": "--path",
    "path_sha256": "--path (the file's content)",
    "frames": "--frames",
    "fps": "--fps",
    "source_sha256": "--from (its cameras.json)",
    "formats": "--format",
    "color": "--color",
    "voxel": "--voxel",
    "points": "--points",
    "category": "--category",
    "labels": "--labels",
    "truth": "--truth",
}
"""How a user knows each entry of a recorded plan; entries not named here do not tell two plans apart."""
