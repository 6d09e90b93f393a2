"""The work behind .blend outputs: clouds fused as `pointcloud` does, and the views of a data set folder that has just been completed."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path

from blender_addon.scene.depth_files import depth_file
from dnerf_core.camera import WorldUp
from dnerf_core.errors import counted
from dnerf_core.pointcloud.fusion import FusionOptions
from headless.blend.scene import BlendSubject, BlendView, write_blend
from headless.clouds.gathering import fused, fused_clouds
from headless.clouds.plan import CloudPlan
from headless.clouds.sources import CloudSource, FolderSource
from headless.work.reporting import Reporter


def blend_of_clouds(path: Path, plan: CloudPlan, source: CloudSource, reporter: Reporter, workers: int) -> None:
    """Fuse the clouds of a `pointcloud` call and write them to one new .blend file.

    Raises:
        OutputError: the file cannot be written.
        DNeRFError: an object's views cannot be had or fused; the message names the object.
    """
    started = time.monotonic()
    message_fields = {"command": "pointcloud", "output": str(path), "clouds": len(source.names)}
    reporter.start(
        f"{path}: {counted(len(source.names), 'cloud')}", **message_fields, clouds_missing=len(source.names), plan=plan.to_json()
    )
    if source.labels is None:
        reporter.warning("the views have no labels, so the clouds have none")
    with reporter.progress("clouds", len(source.names)) as advance:

        def subjects() -> Iterator[BlendSubject]:
            for name, cloud in fused_clouds(source, source.names, plan.fusion(), workers):
                yield BlendSubject(name, cloud)
                reporter.event("cloud", name=name, points=len(cloud))
                advance()

        points = write_blend(path, subjects(), source.labels, source.world_up)
    seconds = time.monotonic() - started
    reporter.summary(
        [f"{path}: {counted(len(source.names), 'cloud')}, {counted(points, 'point')}, in {seconds:.1f} s"],
        **message_fields,
        clouds_made=len(source.names),
        points=points,
        nothing_to_do=False,
        seconds=round(seconds, 3),
    )


def blend_of_folder(path: Path, folder: Path, world_up: WorldUp, reporter: Reporter) -> None:
    """Write the views of a complete data set folder to a new .blend file: cameras, pictures, and a cloud of each subject.

    Raises:
        OutputError: the file cannot be written.
        DNeRFError: the folder's views cannot be read or fused; the message names the subject.
    """
    source = dataclasses.replace(FolderSource.open(folder), world_up=world_up)
    with reporter.progress("clouds", len(source.names)) as advance:

        def subjects() -> Iterator[BlendSubject]:
            for name in source.names:
                seen = [view() for view in source.views(name)]
                names = [view.name for view in source.folder.objects[name]]
                views = [
                    BlendView(
                        stem, view.camera, view.rgb, view.mask, view.depth_planar, _from_blend(path, depth_file(folder, stem))
                    )
                    for stem, view in zip(names, seen, strict=True)
                ]
                yield BlendSubject(name, fused(name, seen, source, FusionOptions()), views)
                advance()

        write_blend(path, subjects(), source.labels, world_up)


def _from_blend(blend_path: Path, file: Path | None) -> str:
    """A file's path as a .blend file has it, from there where both are on one drive; "": there is none."""
    if file is None:
        return ""
    blend_path, file = blend_path.absolute(), file.absolute()
    if blend_path.drive.casefold() != file.drive.casefold():
        return str(file)
    return f"//{Path(os.path.relpath(file, blend_path.parent)).as_posix()}"
