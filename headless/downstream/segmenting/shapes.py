"""Clouds and meshes labelled by a network of points. Importing this imports torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerf_core.downstream.points.prediction import PointSegmenter
from dnerf_core.downstream.points.surfaces import surface_points, vertex_probabilities
from dnerf_core.errors import UsageError, counted
from dnerf_core.files.camera_files.turning import FileUp, to_y_up
from dnerf_core.files.foreign.labelled import out_format, write_labelled
from dnerf_core.files.foreign.reading import read_shape
from dnerf_core.files.foreign.shape import ForeignShape, shape_format
from dnerf_core.files.pictures import write_image
from dnerf_core.files.whole import make_folder
from headless.downstream.segmenting.confidence import Tally
from headless.downstream.segmenting.plan import Item
from headless.downstream.segmenting.results import CLOUDS, MESHES, OVERLAYS, Facts, gray_confidence, shares_of, strip
from headless.pictures.cloud_pictures import cloud_picture

PICTURED_POINTS = 20_000
"""Of a cloud's picture, at most."""
PICTURE_PX = 512
STRANGE_SAMPLES = 4
"""Of a mesh's surface, times the network's points, those that tell how strange it is."""


def label_shape(
    segmenter: PointSegmenter, item: Item, up: FileUp | None, headings: int | None, folder: Path
) -> tuple[Facts, NDArray[np.uint8]]:
    """Write a cloud or a mesh with labels and confidence, and its picture; returns its facts and its `strip`.

    Args:
        up: of its frame; None: as the file or its format says, else y.

    Raises:
        DNeRFError: it cannot be read, or a result cannot be written.
    """
    shape = read_shape(item.path)
    own: FileUp = up or shape.up or "y"
    try:
        labels, confidence = point_labels(segmenter, shape.points, shape.faces, own, headings)
        strange = shape_strangeness(segmenter, shape.points, shape.faces, own)
    except UsageError as error:
        raise UsageError(f"{item.path}: {error}") from error
    chosen = shape_format(item.path)
    assert chosen is not None
    is_mesh = shape.faces is not None
    ending = out_format(chosen, is_mesh)
    files = (f"{MESHES if is_mesh else CLOUDS}/{item.name}.{ending}", f"{OVERLAYS}/{item.name}.png")
    make_folder((folder / files[0]).parent)
    turn = ending == "glb" and chosen != "glb"  # glTF is y-up: what comes from another format is turned
    write_labelled(folder / files[0], shape, labels, confidence, segmenter.labels, own, turn)
    upright, palette = _pictured(shape, own), segmenter.labels.palette()
    places, of_place = upright
    write_image(folder / files[1], cloud_picture(places, palette[labels[of_place]], PICTURE_PX))
    gray = np.repeat(gray_confidence(confidence)[:, None], 3, axis=1)
    tally = Tally(segmenter.labels.num_classes)
    tally.add(labels, confidence)
    size: dict[str, int | float] = (
        {"vertices": len(shape.points), "faces": len(shape.faces)} if shape.faces is not None else {"points": len(shape.points)}
    )
    facts = Facts(
        name=item.name,
        file=str(item.path),
        type="mesh" if is_mesh else "cloud",
        files=files,
        size=size | {"left_out": shape.left_out},
        confidence=tally.mean,
        shares=shares_of(tally.counts, segmenter.labels),
        strangeness=strange,
        remarks=_remarks(item, shape, segmenter.labels.num_classes - 1),
    )
    return facts, strip([cloud_picture(places, colors[of_place]) for colors in (palette[labels], gray)])


def point_labels(
    segmenter: PointSegmenter,
    points: NDArray[np.floating],
    faces: NDArray[np.integer] | None,
    up: FileUp,
    headings: int | None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Label ids uint8 [N] of the points of a cloud, or of the vertices of a mesh, and their probability float32 [N].

    Raises:
        UsageError: see `PointSegmenter.probabilities` and `vertex_probabilities`.
    """
    if faces is None:
        scores = segmenter.probabilities(points, up=up, headings=headings)
    else:
        scores = vertex_probabilities(segmenter, points, faces, up=up, headings=headings)
    return (scores.argmax(axis=1) + 1).astype(np.uint8), scores.max(axis=1)


def shape_strangeness(
    segmenter: PointSegmenter, points: NDArray[np.floating], faces: NDArray[np.integer] | None, up: FileUp
) -> float | None:
    """How strange a cloud, or the surface of a mesh, is to a network; None: it does not know.

    Raises:
        UsageError: see `PointSegmenter.strangeness` and `surface_points`.
    """
    if faces is not None:
        points = surface_points(points, faces, STRANGE_SAMPLES * segmenter.settings.points)
    found = segmenter.strangeness(points, up=up)
    return None if found is None else round(found, 4)


def _pictured(shape: ForeignShape, up: FileUp) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Places to draw, y up, and the number of the point that each has its colour of: of a mesh places on its surface."""
    if shape.faces is None:
        every = max(1, len(shape.points) // PICTURED_POINTS)
        numbers = np.arange(0, len(shape.points), every)
        places = shape.points[numbers]
    else:
        from dnerf_core.downstream.points.neighbours import nearest

        places = surface_points(shape.points, shape.faces, PICTURED_POINTS)
        numbers = nearest(shape.points, places, 1)[1][:, 0]
    return places @ to_y_up(up)[:3, :3].T, numbers


def _remarks(item: Item, shape: ForeignShape, highest: int) -> tuple[str, ...]:
    remarks = []
    if shape.left_out:
        noun = "point" if shape.faces is None else "vertex"
        several = "points" if shape.faces is None else "vertices"
        remarks.append(f"{item.path}: {counted(shape.left_out, noun, several)} without finite coordinates left out")
    if shape.las is not None:
        from dnerf_core.files.foreign.las import fits_classification

        if not fits_classification(shape.las, highest):
            remarks.append(
                f"{item.path}: its classification holds ids up to 31, the network has more: labels are in the extra bytes alone"
            )
    return tuple(remarks)
