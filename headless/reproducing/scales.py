"""How large a reproduction is: all sizes of all experiments, by the name of a scale. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Scale:
    """Sizes of the experiments.

    Attributes:
        annotations: how many painted views the branch learns from, one row each.
        views: the same in table 5, whose rows need no segmenter.
        repetitions: seeds of each row; each repetition has painted and generated subjects of its own.
        precision: the number format that networks learn in; auto measures which is faster.
        branch_steps: of the branch's training.
        size_px: side of the pictures that segmenters learn from and are tested on.
        segmenter: the network of `train-segmenter`.
        segmenter_steps, batch: of its training; every row has as many.
        gan_members, gan_steps: classifiers of DatasetGAN, and steps of each.
        transfer_views, transfer_steps: changed pictures that a frozen network sees, and steps of the head that learns from its features.
        pairs: how many generated pairs a segmenter learns from, in growing order; the last is the table's own number, all are S12's.
        pair_views: of each generated subject; it divides every number of pairs. Further views of a subject cost half as much as its first.
        test_subjects: of the individual test, one view each.
        video_subjects, video_frames: of the video test.
        photographs: how many photographs each further column of table 1 has, one subject each.
        point_network: the network of `train-pointnet`.
        points: of each cloud.
        cloud_steps: of its training.
        clouds: how many generated clouds table 2's rows have, in growing order.
        test_clouds: exact ones that they are scored on.
        real_clouds: how many clouds of a benchmark table 3's rows have, in growing order.
        exact_clouds: how many exact clouds S12's rows have, in growing order.
        scan_steps: of the training for scans, which see more varied clouds.
        folds: of a user's own painted subjects, in tables 4 and 5.
        branch_video_every: of the video test's frames one in so many is scored of branches themselves (tables 4 and 5).
        prior_labels, prior_part, prior_every: of both rows of table 4's density prior the most labels that they learn from (None: as
            many as the others), by what the side of a view is divided for the part of it that a step sees, and of test views one in so
            many.
    """

    annotations: tuple[int, ...]
    views: tuple[int, ...]
    repetitions: int
    precision: Literal["auto", "float32", "bfloat16"]
    branch_steps: int
    size_px: int
    segmenter: str
    segmenter_steps: int
    batch: int
    gan_members: int
    gan_steps: int
    transfer_views: int
    transfer_steps: int
    pairs: tuple[int, ...]
    pair_views: int
    test_subjects: int
    video_subjects: int
    video_frames: int
    photographs: int
    point_network: str
    points: int
    cloud_steps: int
    clouds: tuple[int, ...]
    test_clouds: int
    real_clouds: tuple[int, ...]
    exact_clouds: tuple[int, ...]
    scan_steps: int
    folds: int
    branch_video_every: int
    prior_labels: int | None
    prior_part: int
    prior_every: int


SMALL = Scale(
    annotations=(9, 90),
    views=(9, 30, 90),
    repetitions=1,
    precision="auto",
    branch_steps=400,
    size_px=128,
    segmenter="mini",
    segmenter_steps=1000,
    batch=8,
    gan_members=10,
    gan_steps=1500,
    transfer_views=200,
    transfer_steps=200,
    pairs=(600,),
    pair_views=3,
    test_subjects=90,
    video_subjects=3,
    video_frames=61,
    photographs=45,
    point_network="pointnet-small",
    points=1024,
    cloud_steps=250,
    clouds=(5, 25, 100),
    test_clouds=90,
    real_clouds=(4, 30),
    exact_clouds=(4, 30, 100),
    scan_steps=1800,
    folds=3,
    branch_video_every=4,
    prior_labels=30,
    prior_part=4,
    prior_every=3,
)
"""Two cores."""
MEDIUM = Scale(
    annotations=(9, 30, 90),
    views=(30, 45, 90),
    repetitions=3,
    precision="auto",
    branch_steps=600,
    size_px=256,
    segmenter="deeplabv3-mobilenet",
    segmenter_steps=4000,
    batch=16,
    gan_members=10,
    gan_steps=1500,
    transfer_views=360,
    transfer_steps=600,
    pairs=(150, 300, 600, 1200, 2400),
    pair_views=1,
    test_subjects=90,
    video_subjects=3,
    video_frames=61,
    photographs=90,
    point_network="pointnet",
    points=2048,
    cloud_steps=4000,
    clouds=(5, 25, 100, 400),
    test_clouds=200,
    real_clouds=(10, 50, 200),
    exact_clouds=(10, 50, 200, 400),
    scan_steps=6000,
    folds=5,
    branch_video_every=1,
    prior_labels=None,
    prior_part=1,
    prior_every=1,
)
"""A night of many cores, or a small GPU."""
PAPER = Scale(
    annotations=(9, 30, 90),
    views=(30, 45, 90),
    repetitions=3,
    precision="auto",
    branch_steps=600,
    size_px=256,
    segmenter="deeplabv3-resnet101",
    segmenter_steps=20_000,
    batch=32,
    gan_members=10,
    gan_steps=1500,
    transfer_views=360,
    transfer_steps=600,
    pairs=(1000, 2500, 5000, 10_000),
    pair_views=1,
    test_subjects=90,
    video_subjects=1,
    video_frames=61,
    photographs=90,
    point_network="pointnet",
    points=2048,
    cloud_steps=20_000,
    clouds=(100, 300, 600, 1200),
    test_clouds=200,
    real_clouds=(600, 1325),
    exact_clouds=(100, 300, 600, 1000, 1325),
    scan_steps=20_000,
    folds=10,
    branch_video_every=1,
    prior_labels=None,
    prior_part=1,
    prior_every=1,
)
"""The paper's sizes, for a GPU."""

SCALES: dict[str, Scale] = {"small": SMALL, "medium": MEDIUM, "paper": PAPER}
