"""Inversion of photos of people that no training has seen, in poses that nobody tells, against their exact truth.

    python benchmarks/inversion_people.py --rows rows.jsonl [--seeds 20000-20019] [--steps N]

The photo is the truth's own picture, from a drawn camera, of a person in a drawn pose; camera, pose, shape and looks are all looked for.
Scored are the re-render's PSNR, its labels, and the skeleton: of every bone the angle between its found and its true direction, each as its
own camera sees it, since a body that is turned and a camera that is turned the other way give one photo. How a bone is twisted
about itself is not scored. Rows are kept in FILE, so that a run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dnerf_core.camera import Camera
from dnerf_core.demo.truth import true_rgb, true_view
from dnerf_core.gnarf.poser import BodyPoser, poser_of_model
from dnerf_core.inversion.invert import invert_picture
from dnerf_core.inversion.latents import w_statistics
from dnerf_core.inversion.pose import camera_at
from dnerf_core.inversion.settings import InversionSettings
from dnerf_core.model import Model
from dnerf_core.seeds import parse_seeds

YAW_DEG, PITCH_DEG = (-60.0, 60.0), (-5.0, 25.0)
GOAL_DB, GOAL_DEG = 25.0, 8.0


def photo_of(model: Model, poser: BodyPoser, seed: int) -> tuple[Camera, NDArray[np.float32]]:
    """Camera and pose [K + 1, 3] of a person's photo."""
    rng = np.random.default_rng(seed)
    pose = poser.drawn(rng, 1)[0]
    yaw_deg, pitch_deg = rng.uniform(*YAW_DEG), rng.uniform(*PITCH_DEG)
    return camera_at(math.radians(yaw_deg), math.radians(pitch_deg), model.config.cameras), pose


def bones_seen(joints: NDArray[np.float32], parents: list[int], camera: Camera) -> NDArray[np.float64]:
    """Unit direction [B, 3] of every bone in the camera's axes."""
    children = [index for index, parent in enumerate(parents) if parent >= 0]
    along = joints[children] - joints[[parents[index] for index in children]]
    directions = along.astype(np.float64) @ camera.cam2world[:3, :3]
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    return directions[length[:, 0] > 1e-3] / length[length[:, 0] > 1e-3]


def row_of(model: Model, poser: BodyPoser, seed: int, settings: InversionSettings) -> dict[str, float]:
    """Invert a photo, and score what is found."""
    camera, pose = photo_of(model, poser, seed)
    truth, _ = true_view(model, seed, camera, model.config.image_size, pose=tuple(pose.ravel().tolist()))
    started = time.perf_counter()
    found = invert_picture(model, true_rgb(truth), settings, statistics=w_statistics(model, settings.seed))
    seconds = time.perf_counter() - started
    own = model.subject(seed).posed(torch.from_numpy(pose[None])).joints
    assert own is not None and found.subject.joints is not None
    parents = list(poser.joint_parents)
    true_bones, found_bones = bones_seen(own, parents, camera), bones_seen(found.subject.joints, parents, found.camera)
    angles = np.degrees(np.arccos(np.clip((true_bones * found_bones).sum(axis=1), -1, 1)))
    return {
        "seed": seed,
        "psnr_db": found.psnr_db(true_rgb(truth)),
        "miou": found.miou(truth.mask[0].numpy()),
        "bone_median_deg": float(np.median(angles)),
        "bone_worst_deg": float(angles.max()),
        "seconds": seconds,
    }


def main() -> None:
    """Run the seeds that are not in the rows yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-people")
    parser.add_argument("--seeds", default="20000-20019")
    parser.add_argument("--steps", type=int, help="as of `invert --steps`")
    parser.add_argument("--rows", type=Path, required=True)
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    poser = poser_of_model(model.header.path)
    settings = InversionSettings(steps=arguments.steps)
    rows = [json.loads(line) for line in arguments.rows.read_text().splitlines()] if arguments.rows.exists() else []
    for seed in parse_seeds(arguments.seeds):
        if all(row["seed"] != seed for row in rows):
            rows.append(row_of(model, poser, seed, settings))
            with arguments.rows.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), flush=True)
    psnr, bones, miou = (np.array([row[name] for row in rows]) for name in ("psnr_db", "bone_median_deg", "miou"))
    seconds = np.mean([row["seconds"] for row in rows])
    print(
        f"{len(rows)} photos: PSNR mean {psnr.mean():.2f} dB (goal {GOAL_DB:g}), median {np.median(psnr):.2f}, worst {psnr.min():.2f}"
    )
    print(f"bones, median of a photo: median {np.median(bones):.1f} degrees (goal {GOAL_DEG:g}), worst photo {bones.max():.1f}")
    print(f"mIoU of the photo's view: mean {miou.mean():.3f}; {seconds:.0f} s a photo")


if __name__ == "__main__":
    main()
