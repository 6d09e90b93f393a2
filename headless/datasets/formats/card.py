"""The data card, `README.md`: where a data set comes from and what is in it, in the form that Hugging Face shows."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from dnerf_core import __version__
from dnerf_core.errors import counted
from dnerf_core.files.names import METADATA_NAME, SHEET_NAME
from dnerf_core.files.pictures import DEPTH_STEPS
from dnerf_core.seeds import format_seeds
from headless.datasets.adding.views import AddedViews
from headless.datasets.channels import BY_FOLDER
from headless.datasets.folder import REJECTED_NAME
from headless.datasets.plan import ViewPlan
from headless.datasets.splits import format_splits

CARD_NAME = "README.md"
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
_UNSAFE = str.maketrans({"|": "\\|", "<": "&lt;", ">": "&gt;", "`": "'"})


@dataclass(frozen=True)
class Origin:
    """Where the weights come from.

    Attributes:
        model: what `--model` names: an embedded model, or a file without its folder.
        licence: of the weights, as the model file tells.
        source: what the weights were made from, as the model file tells; empty if not told.
        has_scene: whether the subjects stand in an artist's scenes.
    """

    model: str
    licence: str
    source: str
    has_scene: bool = False


def command_line(plan: ViewPlan, model: str) -> str:
    """The command that makes the same views, every option named that decides what they are."""
    yaw, pitch = (f"{low:.12g}:{high:.12g}" for low, high in (plan.yaw_deg, plan.pitch_deg))
    words = ["dnerf-headless", "render", "--model", model]
    if plan.added is not None:
        words += ["--extend"]
    elif plan.subject_files:
        words += [word for file in plan.subject_files for word in ("--subject", file.name)]
    else:
        words += ["--seeds", format_seeds(plan.seeds)]
    if plan.given is not None:
        words += ["--cameras", plan.given.file_name]
    elif plan.added is None:
        words += ["--views", str(plan.views), "--yaw", yaw, "--pitch", pitch, "--view-distribution", plan.spacing]
    words += ["--truncation", f"{plan.truncation:.12g}"] if plan.added is None else []
    words += ["--resolution", str(plan.resolution_px), "--channels", ",".join(plan.channels)]
    words += [] if plan.depth_format is None else ["--depth-format", plan.depth_format]
    words += ["--masks", plan.mask_format] if plan.masks and plan.mask_format is not None else []
    words += ["--exact"] if plan.exact else []
    words += ["--consistent"] if plan.consistent else []
    splits = format_splits(plan.splits)
    words += [] if splits is None else ["--splits", splits]
    words += ["--reject-uncertain", f"{100 * plan.reject_uncertain:.6g}%"] if plan.reject_uncertain else []
    return shlex.join(words)


def card(plan: ViewPlan, origin: Origin, statistics: dict[str, Any], kinds: tuple[str, ...], splits: list[str]) -> str:
    """The text of the card.

    Args:
        kinds: the folders that views' files lie in.
        splits: those that have a folder, [""] where there are none.
    """
    views, subjects = statistics["views"], len(plan.seeds)
    seen_from = f"{counted(plan.views, 'camera')} a subject" if plan.added is None else "cameras that were chosen one by one"
    lines = [
        *_front_matter(plan, views, kinds, splits),
        "",
        f"# {_safe(plan.model_name)}: {counted(views, 'labelled view')} of {counted(subjects, 'generated subject')}",
        "",
        f"Synthetic: every image is an output of the generator {_safe(plan.model_name)}, seen from "
        f"{seen_from}. "
        "Labels, depth and camera come with each view from the same 3D field. A model's labels are estimates.",
        *([_SCENE_LINE] if origin.has_scene else []),
        "",
        f"![views]({SHEET_NAME})",
        "",
        "## How it was made",
        "",
        *(["```", command_line(plan, origin.model), "```", ""] if not origin.has_scene else []),
        f"- datasetnerf {__version__}; {_repeated(plan, origin)}",
        f"- model: {_safe(origin.model)}, sha256 `{plan.model_sha256}`",
        *([f"- made from: {_safe(origin.source)}"] if origin.source else []),
        *(f"- subject {number}: {_safe(file.name)}, sha256 `{file.sha256}`" for number, file in enumerate(plan.subject_files)),
        *([] if plan.added is None else _added_subjects(plan.added)),
        *(["- masks: re-rendered from the labels that several views of each subject fuse to"] if plan.consistent else []),
        "",
        "## Licence",
        "",
        f"Licence of the weights: {_safe(origin.licence)}. Whether and how it reaches to images made with them is for you to check.",
        "",
        *_tables(statistics),
        "## Files",
        "",
        f"`{METADATA_NAME}` has a line a view with the names of its files in {', '.join(f'`{kind}/`' for kind in kinds)}; "
        "`cameras.json` has the cameras (camera to world, OpenCV axes, intrinsics as shares of the image size), "
        "`statistics.json` these numbers, `dataset.json` the conventions of depth, normals and uncertainty.",
        *_reading(plan),
    ]
    return "\n".join(lines) + "\n"


_SCENE_LINE = (
    "What stands around the subjects was rendered by Blender, from the same cameras: in every pixel the nearer of both is seen. Labels of "
    "objects and materials are exact."
)


def _repeated(plan: ViewPlan, origin: Origin) -> str:
    """How the same files are made again, or more of them."""
    if origin.has_scene:
        return (
            f"views were added one by one by its Blender extension; `{METADATA_NAME}` has the .blend file, the frame and the version of "
            "Blender of each"
        )
    if plan.added is not None:
        return "views were added one by one, `dataset.json` has the subject and the camera of each; the command goes on in this folder"
    return "the same command makes the same files on the same machine"


def _added_subjects(added: AddedViews) -> list[str]:
    """A line of each subject whose number does not say all."""
    titles = {number: subject.title(number) for number, subject in added.subjects.items()}
    return [f"- subject {number}: {_safe(title)}" for number, title in titles.items() if title]


def _front_matter(plan: ViewPlan, views: int, kinds: tuple[str, ...], splits: list[str]) -> list[str]:
    """What Hugging Face reads of a card; JSON strings are YAML."""
    size = next((name for limit, name in _SIZES if views < limit), "1M<n<10M")
    lines = ["---", f"pretty_name: {json.dumps(plan.model_name)}", "license: other", "task_categories:", "- image-segmentation"]
    lines += ["tags:", "- synthetic", "- datasetnerf", "size_categories:", f"- {size}", "configs:", "- config_name: default"]
    lines += ["  data_files:"]
    pictures = [kind for kind in kinds if BY_FOLDER[kind].is_picture]
    for split in splits:
        place = f"{split}/" if split else ""
        paths = [*(f"{place}{kind}/*" for kind in pictures), f"{place}{METADATA_NAME}"]
        lines += [f"  - split: {split or 'train'}", "    path:", *(f"    - {json.dumps(path)}" for path in paths)]
    return [*lines, "---"]


def _tables(statistics: dict[str, Any]) -> list[str]:
    lines = ["## What is in it", ""]
    if "splits" in statistics:
        lines += ["| split | subjects | views |", "|---|---|---|"]
        lines += [f"| {split['name']} | {split['subjects']} | {split['views']} |" for split in statistics["splits"]]
        lines += ["", "No subject is in two splits.", ""]
    if "labels" in statistics:
        lines += ["| id | label | share of pixels | views that show it |", "|---|---|---|---|"]
        lines += [
            f"| {label['id']} | {_safe(label['name'])} | {100 * label['share']:.2f}% | {label['views']} |"
            for label in statistics["labels"]
        ]
        vanished = ", ".join(map(_safe, statistics["vanished"])) or "none"
        lines += ["", f"Classes that no view shows: {vanished}. Masks that are all background: {statistics['empty_masks']}.", ""]
    if "uncertainty" in statistics:
        mean, low, high = (statistics["uncertainty"][key] for key in ("mean", "lowest", "highest"))
        lines += [f"Uncertainty of a view (0 to 1): mean {mean:.4f}, from {low:.4f} to {high:.4f}.", ""]
    if statistics["rejected"]:
        lines += [
            f"{statistics['rejected']} more views, the most uncertain ones, are in `{REJECTED_NAME}` and in no other list; "
            "nothing above counts them, though the picture may show them.",
            "",
        ]
    return lines


def _reading(plan: ViewPlan) -> list[str]:
    """How masks and depth are read."""
    lines = []
    if plan.masks:
        kind = "an 8-bit gray PNG" if plan.mask_format == "ids" else "a palette PNG"
        lines += [
            "",
            f"A mask is {kind} whose pixel values are label ids: 0 background, 255 to be ignored, the others as `labels.json` and "
            "`id2label.json` name them. In Python `numpy.asarray(PIL.Image.open(path))` has them"
            + (
                "; so has `cv2.imread(path, cv2.IMREAD_UNCHANGED)`."
                if plan.mask_format == "ids"
                else "; other readers, and `convert`, give the palette's colours instead."
            )
            + " `class_weights` in `statistics.json` has weights for a loss, in the order of ids.",
        ]
    unit = "Depth is planar (along the optical axis), in world units of the model"
    if plan.depth_format == "exr":
        lines += ["", f"{unit}: float32, channel `{plan.exr_channel}`, 0 at background."]
    if plan.depth_format == "npy":
        lines += ["", f"{unit}: float32, +inf at background; `numpy.load(path)`."]
    if plan.depth_format == "png16":
        lines += [
            "",
            f"{unit}: 16-bit gray PNG, 0 at background, a step is {1 / DEPTH_STEPS:g} (`integer_depth_scale` in `cameras.json`).",
        ]
    return lines


def _safe(text: str) -> str:
    """Text of a model file as one line that is no markup."""
    return " ".join(text.split()).translate(_UNSAFE)
