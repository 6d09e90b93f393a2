"""Where pictures were taken from, by the file that `--camera` names: one view for all, or each picture's own by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerf_core.camera import Camera
from dnerf_core.files.camera_files.matching import view_of_picture
from dnerf_core.files.camera_files.registry import read_camera_file
from dnerf_core.files.camera_files.turning import FileUp
from dnerf_core.files.squares import Fit
from headless.cameras.given import foreign_up, in_model_world, is_blend, read_one_view, world_line
from headless.cameras.seen_box import check_seen

if TYPE_CHECKING:
    from dnerf_core.backbone.specs import BackboneConfig


@dataclass(frozen=True)
class TakenBy:
    """The cameras of a call's pictures.

    Attributes:
        cameras: by the picture's path.
        remarks: what is to be warned of.
        world_line: in which world cameras of other programs are taken; None: nothing is to be told.
    """

    cameras: dict[Path, Camera]
    remarks: tuple[str, ...] = ()
    world_line: str | None = None


def cameras_of_pictures(
    path: Path, pictures: dict[Path, tuple[int, int]], fit: Fit, config: BackboneConfig, seen: str, up: FileUp | None = None
) -> TakenBy:
    """The camera of each picture, of the square that `fit` makes of it.

    Args:
        path: the file that `--camera` names.
        pictures: width and height by path.
        fit: how pictures become square; a cameras.json of this program is of squares already, and stays as it is.
        config: the model's.
        seen: what pictures are, for errors.
        up: see `headless.cameras.given.read_given_cameras`.

    Raises:
        UsageError: the file cannot be used, has no view for a picture, or one that sees nothing of the model's box.
    """
    if is_blend(path):
        one = read_one_view(path, config, seen, up)
        return TakenBy(dict.fromkeys(pictures, one.cameras[0]), one.remarks)
    file = read_camera_file(path, "--camera")
    numbers = {picture: view_of_picture(file, picture) for picture in pictures}
    views = {number: file.view(number) for number in sorted(set(numbers.values()))}
    raw = {picture: views[number].squared(fit, pictures[picture], str(picture)) for picture, number in numbers.items()}
    remarks = [] if file.own or up is not None else foreign_up(list(raw.values()), config, f"--camera {path}")
    cameras = {picture: in_model_world(camera, config, up) for picture, camera in raw.items()}
    names = [file.names[number] for number in numbers.values()]
    remarks += check_seen(tuple(cameras.values()), names, config, f"--camera {path}")
    return TakenBy(cameras, tuple(remarks), None if file.own and up is None else world_line(file, config, up))
