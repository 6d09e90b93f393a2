"""How the command line spells things: what a plan or a subject file records, for messages about a command that differs from an earlier one,
and the spellings of earlier versions that it goes on taking."""

from __future__ import annotations

OPTION_NAMES = {
    "command": "the command",
    "written_by": "the version",
    "model_sha256": "--model (sha256)",
    "next": "--next",
    "painted_sha256": "what was painted when the views were chosen",
    "candidates_sha256": "what the views were chosen among",
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
    "exr_channel": "the depth's channel",
    "mask_format": "--masks",
    "masks": "the masks",
    "exact": "--exact",
    "splits": "--splits",
    "reject_uncertain": "--reject-uncertain",
    "consistent": "--consistent",
    "between": "--between",
    "path": "--path",
    "legend": "--legend",
    "path_sha256": "--path (the file's content)",
    "frames": "--frames",
    "fps": "--fps",
    "source_sha256": "--from (its cameras.json)",
    "split": "--from (its split)",
    "formats": "--format",
    "color": "--color",
    "voxel": "--voxel",
    "points": "--points",
    "category": "--category",
    "nodes": "--nodes",
    "level": "--level",
    "faces": "--faces",
    "min_piece": "--min-piece",
    "part_numbers": "the numbering of the parts",
    "labels": "--labels",
    "truth": "--truth",
}
"""How a user knows each entry of a recorded plan; entries not named here do not tell two plans apart."""

UNTOLD = {"mask_format": "palette", "exr_channel": "Z", "part_numbers": "the label set's", "legend": False}
"""What earlier versions did always and did not record: what an entry means that a plan lacks."""

MADE_NAMES = {
    "kind": "--kind",
    "source_sha256": "the picture",
    "of": "the subject",
    "model_sha256": "--model (sha256)",
    "vgg_sha256": "--perceptual-file (its content)",
    "fit": "--fit or --crop",
    "variants": "--variants",
    "given_camera": "--camera",
    "mask_sha256": "--mask (its content)",
    "mask_camera": "the mask's camera",
    "settings.yaw_deg": "--yaw",
    "settings.pitch_deg": "--pitch",
    "settings.space": "--space",
    "settings.starts": "--starts",
    "settings.candidates": "--candidates",
    "settings.steps": "--steps",
    "settings.prior": "--prior",
    "settings.perceptual": "--perceptual-weight",
    "settings.perceptual_weight": "--perceptual-weight",
    "settings.tuning_steps": "--tuning",
    "settings.seed": "--seed",
    "settings.label_weight": "--label-weight",
    "settings.rgb_weight": "--rgb-weight",
    "settings.keep_inside": "--keep-inside",
    "settings.edited_weight": "--edited-weight",
    "settings.margin_px": "--margin",
}
"""How a user knows what a subject file says of how it was made."""

KEPT_SPELLINGS = {
    "invert": {"--from": "--kind", "--perceptual": "--perceptual-weight", "--vgg": "--perceptual-file"},
    "edit": {"--perceptual": "--perceptual-weight", "--vgg": "--perceptual-file"},
}
"""Options of commands by the spellings of earlier versions, and by today's: the old ones are read, and shown nowhere."""
