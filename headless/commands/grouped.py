"""Help in groups: the overview by what a user wants to do, a command's options by what they are about."""

from __future__ import annotations

import click

OPTION_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What is seen", ("model", "seeds", "subjects", "subject", "truncation", "from", "mask", "labels", "truth", "folders")),
    (
        "From where",
        (
            *(
                "views",
                "yaw",
                "pitch",
                "random_views",
                "view_distribution",
                "cameras",
                "camera",
                "path",
                "between",
                "frames",
                "crop",
            ),
            *("cameras_from", "video_cameras", "camera_radius", "camera_pivot", "focal", "up"),
        ),
    ),
    (
        "What is written",
        (
            *(
                "output",
                "format",
                "channels",
                "resolution",
                "depth_format",
                "splits",
                "reject_uncertain",
                "consistent",
                "blend",
                "fps",
            ),
            *("color", "voxel", "points", "category", "grid", "textures", "row", "video", "variants"),
        ),
    ),
    (
        "How it is done",
        (
            *("device", "workers", "engine", "shard", "exact", "steps", "learning_rate", "seed", "holdout", "skip_unpainted"),
            *(
                "allow_missing_classes",
                "feature_kind",
                "scales",
                "density_prior",
                "guide",
                "space",
                "starts",
                "candidates",
                "tuning",
            ),
            *("fit", "prior", "perceptual", "vgg", "label_weight", "rgb_weight", "keep_inside", "edited_weight", "margin"),
            *("config", "network", "neural_resolution", "consistency", "quick", "claim", "self_test"),
        ),
    ),
)
"""Titles, and the options below each by the names that spell them: of `--yaw` that is "yaw"."""

REST = "Messages"
"""The title of what stands in no group: `--json`, `--debug`, `--help`."""


class GroupedCommand(click.Command):
    """A command whose help lists its options below titles; one of a single group keeps a single list."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options by `OPTION_GROUPS`, in the order in which the command has them."""
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in (*(title for title, _ in OPTION_GROUPS), REST)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                rows[group_of(parameter)].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def group_of(parameter: click.Parameter) -> str:
    """The title that an option stands below."""
    spelled = {option.lstrip("-").replace("-", "_") for option in (*parameter.opts, *parameter.secondary_opts)}
    return next((title for title, names in OPTION_GROUPS if spelled & set(names)), REST)
