"""The method that labels the points of a client's cloud or mesh by a network file."""

from __future__ import annotations

from typing import Any

import numpy as np

from dnerf_core.errors import UsageError
from dnerf_core.shapes import check_shapes
from dnerf_core.work.interruption import interruptible
from headless import models
from headless.downstream.segmenting.confidence import Tally, is_unsure
from headless.downstream.segmenting.plan import SegmentCall
from headless.worker.held import HeldModels
from headless.worker.jobs import Job
from headless.worker.params import Params


def segment(job: Job, held: HeldModels) -> dict[str, Any]:
    """Labels and confidence of points, or with faces of a mesh's vertices, as arrays; the network is read anew each time."""
    params = Params(job.params)
    network, points_name, faces_name = params.path("network"), params.text("points"), params.text("faces", None)
    up, headings = params.field(SegmentCall, "up"), params.field(SegmentCall, "headings")
    params.close()
    points = job.exchange.take(points_name)
    faces = None if faces_name is None else job.exchange.take(faces_name)
    check_shapes(UsageError, "params", points=(points, "float N 3", "send x, y and z of each point"))
    if faces is not None:
        check_shapes(UsageError, "params", faces=(faces, "int32 F 3", "send three indices of each face"))
        if not faces.size or faces.min() < 0 or faces.max() >= len(points):
            raise UsageError(f"params: faces: expected indices of {len(points)} points, found none or others; correct them")
        if not np.isfinite(points).all():
            raise UsageError("params: points: expected finite coordinates, found others; correct them")
    # these bring torch, which a request that is refused need not wait for
    from dnerf_core.downstream.points.prediction import PointSegmenter
    from headless.downstream.segmenting.shapes import point_labels, shape_strangeness

    with interruptible(job.check):
        segmenter = PointSegmenter.load(network, models.pick_device(held.device))
        labels, confidence = point_labels(segmenter, points, faces, up or "y", headings)
        strangeness = shape_strangeness(segmenter, points, faces, up or "y")
    job.check()
    tally = Tally(segmenter.labels.num_classes)
    tally.add(labels, confidence)
    return {
        "labels": job.exchange.put(labels),
        "confidence": job.exchange.put(confidence),
        "label_set": segmenter.labels.to_json(),
        "mean_confidence": tally.mean,
        "unsure": is_unsure("points", tally.mean, strangeness),
    }
