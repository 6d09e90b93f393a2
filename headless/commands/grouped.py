"""A command whose help lists its options below titles, by what they are about, and which still takes spellings of earlier versions."""

from __future__ import annotations

import copy

import click

from headless.work.spellings import KEPT_SPELLINGS

OPTION_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Input",
        (
            *(
                "DATASET",
                "CLOUDS...",
                "PATHS...",
                "segment.network",
                "segment.size",
                "mirrored",
                "segment.up",
                "headings",
                "also",
                "train-segmenter.network",
                "weights",
                "validation",
            ),
            *("PICTURE...", "FOLDER...", "[FOLDER]...", "[FILE]", "FILE|SEED", "CHECKPOINT", "NAME|FILE", "FOLDER", "PATH"),
            *("model", "from", "seeds", "subjects", "subject", "truncation", "kind", "fit", "crop", "mask"),
            *("anny", "armature", "world", "EXPERIMENT", "annotated", "reproduce.test", "annotations", "only", "foundation"),
            "resnet",
            *("reproduce.category", "reproduce.parts"),
            *(
                "config",
                "network",
                "neural_resolution",
                "holdout",
                "skip_unpainted",
                "allow_missing_classes",
                "snap_colors",
                "strict",
            ),
        ),
    ),
    (
        "What is scored",
        (
            "evaluate.truth",
            "cross_validate",
            "consistency",
            "evaluate.consistent",
            "predictions",
            "against",
            "skip_missing",
            "evaluate.map",
            "video",
        ),
    ),
    ("What is measured", ("quick", "claim", "busy")),
    ("What is checked", ("self_test", "doctor.output")),
    (
        "Cameras",
        (
            *(
                "views",
                "yaw",
                "pitch",
                "random_views",
                "view_distribution",
                "cameras",
                "camera",
                "cameras_up",
                "path",
                "between",
                "frames",
            ),
            *("cameras_from", "video_cameras", "camera_radius", "camera_pivot", "focal", "up"),
        ),
    ),
    (
        "Poses",
        (
            "pose",
            "bone_map",
            "write_bone_map",
            "render.frames",
            "sample.frames",
            "evaluate.frames",
            "pointcloud.frames",
            "mesh.frames",
            "invert.frames",
            "random_poses",
            "rigged",
        ),
    ),
    ("What is painted", ("next", "choice_seed", "labels", "truth", "map", "replace")),
    (
        "Output",
        (
            *(
                "output",
                "onnx",
                "format",
                "shard_views",
                "coco_instances",
                "nerfstudio_images",
                "aabb_scale",
                "channels",
                "resolution",
                "masks",
                "depth_format",
                "splits",
            ),
            *("reject_uncertain", "consistent", "blend"),
            *(
                "fps",
                "legend",
                "color",
                "voxel",
                "points",
                "category",
                "nodes",
                "level",
                "faces",
                "min_piece",
                "grid",
                "evaluate.keep",
                "textures",
                "row",
                "variants",
            ),
        ),
    ),
    ("Photographs", ("photograph", "photographs", "backgrounds")),
    ("Clouds", ("clouds", "uniform_clouds")),
    ("The body", ("parts", "canonical", "spread_legs", "arms", "height", "keep_place", "licence")),
    (
        "Training",
        (
            *("train.steps", "train.seed", "learning_rate", "feature_kind", "scales", "density_prior", "patch", "guide"),
            *("evaluate.steps", "evaluate.seed"),
            *("train-segmenter.steps", "train-segmenter.seed", "size", "batch", "schedule", "scale", "flip", "no_flip"),
            "train-segmenter.color",
            *(
                "train-pointnet.network",
                "recipe",
                "train-pointnet.points",
                "train-pointnet.steps",
                "train-pointnet.seed",
                "mix",
                "repeat",
            ),
            *("class_weights", "reproduce.scale", "reproduce.seeds"),
        ),
    ),
    ("Search", ("space", "starts", "candidates", "steps", "seed", "tuning")),
    (
        "Loss",
        (
            *("label_weight", "rgb_weight", "perceptual_weight", "perceptual_file"),
            *("keep_inside", "edited_weight", "margin", "prior"),
        ),
    ),
    ("Client", ("exchange", "parent")),
    (
        "Computation",
        (
            "precision",
            "device",
            "gpus",
            "engine",
            "workers",
            "shard",
            "exact",
            "extend",
            "verify",
            "dry_run",
            "ignore_disk_space",
        ),
    ),
)
"""Titles, and what stands below each: options by the names that spell them, of `--yaw` that is "yaw", arguments by what usage calls them.
`train.seed` is the option of that command alone, and goes before `seed`."""

REST = "Messages and help"
"""The title of what stands in no group: `--json`, `--debug`, `--help`."""

_UNBROKEN = "\N{NON-BREAKING HYPHEN}"
"""Stands for hyphens while lines are broken: the name of an option is not cut in two."""

_TITLES = {name: title for title, names in OPTION_GROUPS for name in names}


class GroupedCommand(click.Command):
    """A command whose help lists its options below titles, and which reads those of `KEPT_SPELLINGS` without showing them."""

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes nothing: arguments stand among the options, below their titles."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes options and arguments by `OPTION_GROUPS`, in the order in which the command has them."""
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in (*(title for title, _ in OPTION_GROUPS), REST)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                rows[group_of(self, parameter)].append((record[0], record[1].replace("-", _UNBROKEN)))
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        formatter.buffer[:] = [text.replace(_UNBROKEN, "-") for text in formatter.buffer]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the arguments; where an option does not exist, none but today's spellings are suggested."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            kept = self._kept_spellings()
            names = dict.fromkeys(kept.get(name, name) for name in error.possibilities or ())
            raise click.NoSuchOption(error.option_name, error.message, names, ctx) from error

    def make_parser(self, ctx: click.Context):  # type: ignore[no-untyped-def]  # click keeps the parser's class to itself
        """The parser, which also knows the kept spellings: each as a second option that gives the same value."""
        parser = super().make_parser(ctx)
        options = {spelling: parameter for parameter in self.params for spelling in parameter.opts}
        for old, new in self._kept_spellings().items():
            same = copy.copy(options[new])
            same.opts = [old]
            same.add_to_parser(parser, ctx)
        return parser

    def _kept_spellings(self) -> dict[str, str]:
        return KEPT_SPELLINGS.get(self.name or "", {})


def group_of(command: click.Command, parameter: click.Parameter) -> str:
    """The title that an option or an argument of a command stands below."""
    if isinstance(parameter, click.Argument):
        return _TITLES.get(parameter.human_readable_name, REST)
    spelled = [option.lstrip("-").replace("-", "_") for option in (*parameter.opts, *parameter.secondary_opts)]
    names = [f"{command.name}.{name}" for name in spelled] + spelled
    return next((_TITLES[name] for name in names if name in _TITLES), REST)
