"""What `evaluate --consistency` does: score the masks of folders of posed views by re-projection, and draw their line textures.

Where the views tell how their subjects' meshes lie, views of a subject in different poses are compared too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from dnerf_core.errors import AnnotationError, counted
from dnerf_core.files.posed_folder import PosedFolder
from dnerf_core.files.whole import write_bytes_whole
from dnerf_core.labels import LabelSet
from headless.scores.folder_consistency import (
    VERTICES_REMEDY,
    PooledConsistency,
    ScoredObject,
    agreement_json,
    open_folders,
    score_object,
)
from headless.scores.folder_textures import MAX_OBJECTS, DrawnObject, check_row, middle_row, textures_png
from headless.scores.pose_consistency import MovingSubject, PooledOverPoses, has_poses_apart, moving_subjects, score_subject
from headless.work.reporting import Reporter
from headless.work.workers import default_workers


def score_folders(paths: Sequence[Path], textures: Path | None, row: int | None, reporter: Reporter) -> None:
    """Score the masks of some folders together.

    Args:
        textures: where the line textures go; None: none are drawn.
        row: the pixel row that they show; None: the one through each object's middle.

    Raises:
        DNeRFError: a folder that cannot be used, or textures that cannot be written.
    """
    started = time.monotonic()
    opened = [PosedFolder.open(path) for path in paths]
    moving = moving_subjects(opened)
    objects, alone, labels = open_folders(opened, {(item.folder.path, item.views[0].subject) for item in moving})
    if textures is not None and not objects:
        raise AnnotationError(
            f"{paths[0]}: --textures: expected two views of an object in one pose, found one of each; leave --textures out"
        )
    drawn_objects = objects[:MAX_OBJECTS] if textures is not None else []
    for item in drawn_objects:
        check_row(item, row)
    views = sum(len(item.views) for item in objects)
    folders = [str(path) for path in paths]
    fields = {
        "command": "evaluate",
        "output": None if textures is None else str(textures),
        "against": "views",
        "folders": folders,
    }
    parts = [f"{counted(views, 'view')} of {counted(len(objects), 'object')} against each other"] if objects else []
    if moving:
        moving_views = sum(len(item.views) for item in moving)
        parts.append(f"{counted(moving_views, 'view')} of {counted(len(moving), 'subject')} over poses")
    reporter.start(f"evaluate: {', and '.join(parts)}", **fields, views=views)
    if alone:
        reporter.warning(f"{counted(alone, 'object')} with one view only left out: there is nothing to compare it with")
    scored: list[ScoredObject] = []
    with reporter.progress("views compared", views) as advance:
        for item in objects:
            result = score_object(item, labels, default_workers(), advance)
            scored.append(result)
            overall = PooledConsistency.pool([result])
            reporter.event(
                "object",
                name=item.name,
                views=result.views,
                views_compared=result.compared,
                pairs=sum(result.pairs),
                **agreement_json(overall.overall, labels),
            )
    pooled = PooledConsistency.pool(scored) if scored else PooledConsistency.nothing(labels.num_classes)
    over_poses = _score_over_poses(moving, labels, reporter)
    if textures is not None:
        drawn = [
            DrawnObject(item, result, middle_row(item, result) if row is None else row)
            for item, result in zip(drawn_objects, scored, strict=False)
        ]
        write_bytes_whole(textures, textures_png("Line textures: one pixel row of every frame, in order", drawn, labels))
    compared = sum(result.compared for result in scored)
    some = "" if compared == views else f", {compared} of them compared"
    where = ", ".join(folders)
    against = f"{where}: {counted(views, 'view')} of {counted(len(objects), 'object')} against each other{some}"
    lines = [
        *([against, *pooled.table(labels)] if objects else []),
        *([] if over_poses is None else over_poses.table(labels, where)),
        *([f"{where}: views in different poses are not compared; {VERTICES_REMEDY}"] if has_poses_apart(opened) else []),
        *([] if textures is None else [f"look at {textures}"]),
    ]
    reporter.summary(
        lines,
        **fields,
        **pooled.to_json(labels),
        over_poses=None if over_poses is None else over_poses.to_json(labels),
        objects=len(objects),
        views=views,
        views_compared=compared,
        seconds=round(time.monotonic() - started, 3),
    )


def _score_over_poses(moving: Sequence[MovingSubject], labels: LabelSet, reporter: Reporter) -> PooledOverPoses | None:
    """Compare the views of subjects in different poses; None: there are none."""
    if not moving:
        return None
    scored = []
    with reporter.progress("views compared over poses", sum(len(item.views) for item in moving)) as advance:
        for item in moving:
            result = score_subject(item, labels, default_workers(), advance)
            scored.append(result)
            reporter.event("subject", name=item.name, **PooledOverPoses.pool([result]).to_json(labels))
    return PooledOverPoses.pool(scored)
