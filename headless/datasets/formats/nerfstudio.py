"""Data sets as nerfstudio and other NeRF programs read them: a folder with a `transforms.json` for each subject.

    nerfstudio/s0003/transforms.json   nerfstudio/s0003/depth/s0003_v01.png   nerfstudio/scenes.json

Images and masks stay where they are and are named relative to `transforms.json`.

Convention: `transform_matrix` is camera to world with OpenGL camera axes (x right, y up, z back), the world as the model has it; fl_x,
fl_y, cx, cy are pixels, the centre of the first pixel at (0.5, 0.5). Depth is planar, 16-bit gray in thousandths of a world unit
(nerfstudio reads millimetres), 0 at background.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import OutputError
from dnerf_core.files.pictures import gray16_bytes, of_size, read_depth
from dnerf_core.files.whole import leftovers, make_folder, remove_files
from headless.datasets.formats.export import Export
from headless.datasets.plan import PlannedView
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from headless.datasets.listed import Listed

FOLDER = "nerfstudio"
INDEX_NAME = f"{FOLDER}/scenes.json"
DEPTH_STEPS = 1000
"""Steps of a world unit in the depth images."""


def write_split(listing: Listed, split: str) -> None:
    """Write the scenes of a split that are missing, and then their index.

    Raises:
        OutputError: a file cannot be read or written, or a depth is too large for 16 bits.
    """
    index: list[dict[str, Any]] = []
    groups = ([[view for _, view in views]] for views in listing.subjects(split))
    with listing.reporter.progress("nerfstudio scenes", len(listing.plan.seeds_by_split()[split])) as advance:
        for views, _ in run_tasks(groups, lambda views: _write_scene(listing, views), listing.workers, in_order=True):
            which = {key: value for key, value in views[0].which.items() if key != "view"}
            index.append({**which, "file": f"{scene_name(views[0].seed)}/transforms.json", "views": len(views)})
            advance()
    place = listing.folder.split_folder(split)
    make_folder(place / FOLDER)
    listing.folder.write_once(listing.folder.named(place / INDEX_NAME), (json.dumps({"scenes": index}) + "\n").encode())
    remove_files(leftovers(place / FOLDER, {Path(INDEX_NAME).name}.__contains__))


def scene_name(seed: int) -> str:
    """The folder of a subject: `s0003`."""
    return f"s{seed:04d}"


def _write_scene(listing: Listed, views: list[PlannedView]) -> None:
    folder, size_px = listing.folder, listing.plan.resolution_px
    scene = folder.split_folder(listing.plan.split_of(views[0].seed)) / FOLDER / scene_name(views[0].seed)
    has_depth = "depth" in folder.kinds
    make_folder(scene / "depth" if has_depth else scene)
    frames = []
    for view in views:
        files = folder.files_of(view)
        frame: dict[str, Any] = {
            "file_path": f"../../{files['image_file_name']}",
            "transform_matrix": view.camera.to_opengl().tolist(),
        }
        if "mask_file_name" in files:
            frame["label_path"] = f"../../{files['mask_file_name']}"
        if has_depth:
            frame["depth_file_path"] = f"depth/{view.name}.png"
            name = folder.named(scene / frame["depth_file_path"])
            if folder.lacks(name):
                source = folder.file("depth", view.name)
                folder.write_once(name, gray16_bytes(_steps(of_size(read_depth(source), source, size_px), source)))
        frames.append(frame)
    # the cameras of a subject differ in their poses alone
    pixels = views[0].camera.pixel_intrinsics(size_px)
    data = {
        "camera_model": "OPENCV",
        "w": size_px,
        "h": size_px,
        "fl_x": float(pixels[0, 0]),
        "fl_y": float(pixels[1, 1]),
        "cx": float(pixels[0, 2]),
        "cy": float(pixels[1, 2]),
        **{key: 0.0 for key in ("k1", "k2", "p1", "p2")},
        **({"integer_depth_scale": 1 / DEPTH_STEPS} if has_depth else {}),
        "frames": frames,
    }
    folder.write_once(folder.named(scene / "transforms.json"), (json.dumps(data, indent=1) + "\n").encode())
    remove_files(leftovers(scene, {"transforms.json"}.__contains__))
    remove_files(leftovers(scene / "depth", {f"{view.name}.png" for view in views}.__contains__))


def _steps(depth_planar: NDArray[np.float32], path: Path) -> NDArray[np.uint16]:
    """Planar depth [H, W] in `DEPTH_STEPS`, 0 at background."""
    steps = np.rint(DEPTH_STEPS * np.where(np.isfinite(depth_planar), depth_planar, 0.0).astype(np.float64))
    if steps.max() > 65535:
        raise OutputError(
            f"{path}: expected depths up to {65535 / DEPTH_STEPS:g} world units for nerfstudio, found {steps.max() / DEPTH_STEPS:g}; "
            "leave depth out of --channels"
        )
    return steps.astype(np.uint16)


EXPORT = Export((INDEX_NAME,), write_split)
