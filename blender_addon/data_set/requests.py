"""A choice as requests to the worker's method `data_set`, which are the calls of `dnerf-headless render`, and as the command's text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dnerf_core.work.command_words import command_text, render_words

from ..model_facts import ModelFacts, chosen_model, moves
from ..places import absolute_path, pose_text
from .cameras import ChosenCameras, arc_options, chosen_cameras, path_rule
from .chosen import Chosen
from .options import CHANNEL_WORDS, FORMAT_WORDS, RULES, USUAL_CHANNELS
from .side_files import write_cameras, write_poses

SAVE_TO = "data set: save to"
_USUAL = {
    "masks": "ids",
    "depth_format": "exr",
    "coco_instances": "parts",
    "nerfstudio_images": "linked",
    "shard_views": 0,
    "aabb_scale": 0,
    "splits": "",
    "reject_uncertain": 0.0,
    **dict.fromkeys(("consistent", "exact", "random_poses", "extend", "verify"), False),
}
"""What the command does where nothing is said."""
_OF_FORMAT = {
    "coco_instances": "coco",
    "nerfstudio_images": "nerfstudio",
    "aabb_scale": "nerfstudio",
    "shard_views": "webdataset",
}


@dataclass(frozen=True)
class DataSet:
    """One data set folder: what is asked for.

    Attributes:
        title: which one it is, for people; "": it is the only one.
        request: the params of the worker's `data_set`.
    """

    title: str
    request: dict[str, Any]


def data_sets(scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen) -> list[DataSet]:
    """The data sets of a choice: one, or with test cameras two, in the folders `train` and `test`. Side files are written.

    Raises:
        UsageError, SceneError: what was chosen cannot be.
        OutputError: a side file cannot be written.
    """
    folder = absolute_path(choice["output"], SAVE_TO)
    cameras = chosen_cameras(scene, facts, choice)
    if choice["test_cameras"] == "NONE":
        return [DataSet("", request_of(scene, facts, choice, cameras, folder, folder))]
    tests = chosen_cameras(scene, facts, choice, of_tests=True)
    return [
        DataSet(title, request_of(scene, facts, choice, seen_by, folder / title, folder))
        for title, seen_by in (("train", cameras), ("test", tests))
    ]


def request_of(
    scene: bpy.types.Scene, facts: ModelFacts, choice: Chosen, cameras: ChosenCameras, output: Path, folder: Path
) -> dict[str, Any]:
    """The request for one of the data sets of a choice.

    Args:
        output: its own folder.
        folder: beside which the side files stand.
    """
    seen, poses = cameras.arc, {}
    if seen is None:
        squares = cameras.squares
        seen = {
            "cameras": str(write_cameras(folder, [square.camera for square in squares], [pose.name for pose in cameras.poses]))
        }
    if choice["pose"]:
        poses = {"pose": pose_text(choice["pose"])}
    elif cameras.body_poses and facts.skeleton is not None and not choice["random_poses"]:
        poses = {"pose": str(write_poses(folder, facts.skeleton, cameras.body_poses))}
    return {**_subjects_seen(scene, choice, seen, poses, cameras.size_px), **file_options(choice), "output": str(output)}


def shown_request(scene: bpy.types.Scene, choice: Chosen) -> dict[str, Any]:
    """The first request of a choice as far as it can be told without reading cameras and poses: for the panel, which must not move the
    scene's frame. Files that are yet to be written have the names `CAMERAS.json` and `POSES.json`.
    """
    source = choice["cameras"]
    center = None if choice["center"] == "SUBJECT" else (0.0, 0.0, 0.0)
    rule = path_rule(scene) if source == "PATH" else choice.rule(source, center) if source in RULES else None
    seen = arc_options(rule) if rule is not None and rule.is_plain else {"cameras": "CAMERAS.json"}
    poses = {}
    if choice["pose"]:
        poses = {"pose": choice["pose"]}
    elif moves(scene) and scene.dnerf.pose_armature is not None and not choice["random_poses"]:
        poses = {"pose": "POSES.json"}
    size_px = choice["resolution"] or (scene.dnerf.size_px if source == "PATH" else 0)
    output = choice["output"] if choice["test_cameras"] == "NONE" else os.path.join(choice["output"], "train")
    return {**_subjects_seen(scene, choice, seen, poses, size_px), **file_options(choice), "output": output}


def _subjects_seen(
    scene: bpy.types.Scene, choice: Chosen, seen: dict[str, Any], poses: dict[str, Any], size_px: int | None
) -> dict[str, Any]:
    """The model, the subjects, and from where and in what pose they are seen."""
    size = {"resolution": size_px} if size_px else {}
    return {"model": choice.model or chosen_model(scene), **choice.subjects, **seen, **poses, **size, **choice.more}


def file_options(choice: Chosen) -> dict[str, Any]:
    """What is written of each view; what the command does anyway is left out, and so are settings of formats that are not written."""
    options: dict[str, Any] = {}
    if set(choice["channels"]) != USUAL_CHANNELS:
        options["channels"] = [name for name in CHANNEL_WORDS if name in choice["channels"]]
    if choice["formats"]:
        options["formats"] = [name for name in FORMAT_WORDS if name in choice["formats"]]
    for name, usual in _USUAL.items():
        needed = _OF_FORMAT.get(name)
        if choice[name] != usual and (needed is None or needed in choice["formats"] or name in choice.by_script):
            options[name] = choice[name]
    return options


def commands(requests: Sequence[dict[str, Any]], device: str) -> str:
    """Requests as commands, a line each.

    Args:
        device: where the worker computes; "auto" is what commands do anyway.
    """
    chosen_device = {} if device == "auto" else {"device": device}
    return "\n".join(command_text(render_words({**request, **chosen_device}), windows=os.name == "nt") for request in requests)
