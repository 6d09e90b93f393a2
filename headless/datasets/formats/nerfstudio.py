"""Data sets as nerfstudio and other NeRF programs read them: a folder with a `transforms.json` for each subject.

    nerfstudio/s0003/transforms.json   nerfstudio/s0003/depth/s0003_v01.png   nerfstudio/s0003/points.ply   nerfstudio/scenes.json

Images and masks stay where they are and are named relative to `transforms.json`; by option they are copied to `images/` and `labels/`
beside it, or the images written there as RGBA.

Convention: `transform_matrix` is camera to world with OpenGL camera axes (x right, y up, z back), the world as the model has it; fl_x,
fl_y, cx, cy are pixels, the centre of the first pixel at (0.5, 0.5). Depth is planar, 16-bit gray in thousandths of a world unit
(nerfstudio reads millimetres as `depth_file_path`, instant-ngp as `depth_path` by `integer_depth_scale`), 0 at background. Alpha is 255
where there is a surface, 0 elsewhere. `points.ply` is the cloud that the scene's views fuse to, which splatfacto starts from; there is
none where they show no surface. `aabb_scale` is instant-ngp's, written where it is chosen. Masks are `label_path`: nerfstudio's own
`mask_path` means "train here".

nerfstudio keeps ceil(0.9 n) of n views for training, so that fewer than 10 leave none to test on, unless the views of each split are
named: they are (`held_out`).
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dnerf_core.errors import OutputError
from dnerf_core.files.camera_files.nerf_transforms import lens_json
from dnerf_core.files.clouds import CloudStyle, ply_bytes
from dnerf_core.files.encoding.png import gray16_png
from dnerf_core.files.pictures import DEPTH_STEPS, depth_steps
from dnerf_core.files.whole import leftovers, make_folder, remove_files
from dnerf_core.pointcloud.fusion import NoSurfaceError, fuse_views
from dnerf_core.rendering.labeled_view import LabeledView
from headless.datasets.formats.export import Export
from headless.datasets.plan import PlannedView
from headless.work.workers import run_tasks

if TYPE_CHECKING:
    from headless.datasets.listed import Listed

FOLDER = "nerfstudio"
INDEX_NAME = f"{FOLDER}/scenes.json"
CLOUD_NAME = "points.ply"
TRAINING_SHARE = 0.9
"""nerfstudio's own."""


def write_split(listing: Listed, split: str) -> None:
    """Write the scenes of a split that are missing, and then their index.

    Raises:
        OutputError: a file cannot be read or written, or a depth is too large for 16 bits.
    """
    index: list[dict[str, Any]] = []
    groups = ([[view for _, view in views]] for views in listing.subjects(split))
    with listing.reporter.progress("nerfstudio scenes", len(listing.plan.seeds_by_split()[split])) as advance:
        for views, _ in run_tasks(groups, lambda views: _Scene(listing, views).write(), listing.workers, in_order=True):
            which = {key: value for key, value in views[0].which.items() if key != "view"}
            index.append({**which, "file": f"{scene_name(views[0].seed)}/transforms.json", "views": len(views)})
            advance()
    place = listing.folder.split_folder(split)
    make_folder(place / FOLDER)
    data = {"scenes": index} | _chosen(listing)
    listing.folder.write_once(listing.folder.named(place / INDEX_NAME), (json.dumps(data) + "\n").encode())
    remove_files(leftovers(place / FOLDER, {Path(INDEX_NAME).name}.__contains__))


def check_split(listing: Listed, split: str) -> None:
    """Make sure that a split that is complete has its images where they are asked for, and the size of its scene.

    Raises:
        OutputError: it has others, or its index cannot be read.
    """
    path = listing.folder.split_folder(split) / INDEX_NAME
    try:
        index = json.loads(path.read_bytes())
        held, held_scale = index.get("images", "linked"), index.get("aabb_scale")
    except (OSError, ValueError, AttributeError) as error:
        raise OutputError(f"{path}: expected the index of the scenes, found none; delete it, and run again") from error
    if held != listing.options.nerfstudio_images:
        raise OutputError(
            f"{path}: expected images {listing.options.nerfstudio_images}, as --nerfstudio-images says, found scenes with images {held}; "
            f"delete {path.parent}, and run again"
        )
    if held_scale != listing.options.aabb_scale:
        raise OutputError(
            f"{path}: expected aabb_scale {listing.options.aabb_scale}, as --aabb-scale says, found scenes with {held_scale}; delete "
            f"{path.parent}, and run again"
        )


def _chosen(listing: Listed) -> dict[str, Any]:
    """What the index says of the scenes' options where they are not the usual ones."""
    images, aabb_scale = listing.options.nerfstudio_images, listing.options.aabb_scale
    return ({} if images == "linked" else {"images": images}) | ({} if aabb_scale is None else {"aabb_scale": aabb_scale})


def scene_name(seed: int) -> str:
    """The folder of a subject: `s0003`."""
    return f"s{seed:04d}"


def held_out(count: int) -> list[int]:
    """The views of a scene that are not trained on: as many as nerfstudio leaves, but one at least of three or more, evenly spread
    within. Of one view or two there are none to spare.
    """
    if count < 3:
        return []
    spare = max(1, count - math.ceil(TRAINING_SHARE * count))
    return [(2 * number + 1) * count // (2 * spare) for number in range(spare)]


def splits_of(names: list[str]) -> dict[str, list[str]]:
    """What each split of a scene reads, as nerfstudio's keys.

    Where none can be spared all of them are tested on too, for an empty list is an error there.
    """
    spared = [names[number] for number in held_out(len(names))]
    tested = spared or names
    return {"train_filenames": [name for name in names if name not in spared], "val_filenames": tested, "test_filenames": tested}


class _Scene:
    """The views of one subject on their way into its folder."""

    def __init__(self, listing: Listed, views: list[PlannedView]) -> None:
        self.listing, self.views = listing, views
        self.folder, self.size_px = listing.folder, listing.plan.resolution_px
        seed = views[0].seed
        self.path = self.folder.split_folder(listing.plan.split_of(seed)) / FOLDER / scene_name(seed)
        self.images = listing.options.nerfstudio_images
        self.has_depth, self.has_masks = "depth" in self.folder.kinds, "masks" in self.folder.kinds

    def write(self) -> None:
        """Write what is missing, `transforms.json` last.

        Raises:
            OutputError: a file cannot be read or written, or a depth is too large for 16 bits.
        """
        frames = [self._frame(view) for view in self.views]
        # the cameras of a subject differ in their poses alone
        data = {
            **lens_json(self.views[0].camera, (self.size_px, self.size_px)),
            **({} if self.listing.options.aabb_scale is None else {"aabb_scale": self.listing.options.aabb_scale}),
            **({"integer_depth_scale": 1 / DEPTH_STEPS} if self.has_depth else {}),
            **self._cloud(),
            **splits_of([frame["file_path"] for frame in frames]),
            "frames": frames,
        }
        make_folder(self.path)
        self.folder.write_once(self.folder.named(self.path / "transforms.json"), (json.dumps(data, indent=1) + "\n").encode())
        remove_files(leftovers(self.path, {"transforms.json", CLOUD_NAME}.__contains__))
        names = {f"{view.name}.png" for view in self.views}
        for kind in ("images", "labels", "depth"):
            remove_files(leftovers(self.path / kind, names.__contains__))

    def _frame(self, view: PlannedView) -> dict[str, Any]:
        frame: dict[str, Any] = {
            "file_path": self._picture(view, "images", "images"),
            "transform_matrix": view.camera.to_opengl().tolist(),
        }
        if self.has_masks:
            frame["label_path"] = self._picture(view, "masks", "labels")
        if self.has_depth:
            # under both programs' names
            frame["depth_file_path"] = frame["depth_path"] = self._depth(view)
        return frame

    def _picture(self, view: PlannedView, kind: str, copied_to: str) -> str:
        """Where an image or a mask lies, relative to the scene's folder."""
        source = self.folder.file(kind, view.name)
        if self.images == "linked":
            return f"../../{kind}/{source.name}"
        with_alpha = self.images == "rgba" and kind == "images"
        return self._put(f"{copied_to}/{view.name}.png", lambda: self._rgba_png(view) if with_alpha else source.read_bytes())

    def _depth(self, view: PlannedView) -> str:
        if self.listing.plan.depth_format == "png16":
            source = self.folder.file("depth", view.name)
            linked = self.images == "linked"
            return f"../../depth/{source.name}" if linked else self._put(f"depth/{source.name}", source.read_bytes)
        path = self.folder.file("depth", view.name)
        return self._put(f"depth/{view.name}.png", lambda: gray16_png(depth_steps(self._read("depth", view), path)))

    def _put(self, name: str, make: Callable[[], bytes]) -> str:
        """Write a file of the scene, unless it is there; returns its name."""
        path = self.path / name
        if self.folder.lacks(self.folder.named(path)):
            make_folder(path.parent)
            self.folder.write_once(self.folder.named(path), make())
        return name

    def _read(self, kind: str, view: PlannedView) -> NDArray[Any]:
        return self.folder.read(kind, view.name, self.listing.labels, self.size_px)

    def _rgba_png(self, view: PlannedView) -> bytes:
        """The image with alpha where there is a surface: depth that is no background, and a part where there are masks."""
        alpha = np.ones((self.size_px, self.size_px), np.bool_)
        if self.has_depth:
            alpha &= np.isfinite(self._read("depth", view))
        if self.has_masks:
            alpha &= self._read("masks", view) != 0
        buffer = io.BytesIO()
        rgba = np.concatenate([self._read("images", view), 255 * alpha[..., None].astype(np.uint8)], axis=-1)
        Image.fromarray(rgba).save(buffer, format="PNG")
        return buffer.getvalue()

    def _cloud(self) -> dict[str, str]:
        """The fused cloud, written where it is missing, and the key that names it; nothing where the views show no surface."""
        if not self.has_depth:
            return {}
        if not self.folder.lacks(self.folder.named(self.path / CLOUD_NAME)):
            return {"ply_file_path": CLOUD_NAME}
        labels, world_up = self.listing.labels, self.listing.cameras.world_up
        views = [
            LabeledView(
                view.camera,
                self._read("images", view),
                self._read("masks", view) if self.has_masks else None,
                self._read("depth", view),
            )
            for view in self.views
        ]
        try:
            cloud = fuse_views(views, label_set=labels, world_up=world_up)
        except NoSurfaceError:  # of an empty subject: its scene has no points to begin with
            return {}
        return {"ply_file_path": self._put(CLOUD_NAME, lambda: ply_bytes(cloud, CloudStyle(labels, "rgb", world_up)))}


EXPORT = Export((INDEX_NAME,), write_split, check_split)
