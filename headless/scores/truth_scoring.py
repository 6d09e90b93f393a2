"""What `evaluate --truth` adds to the engine's scores: from where it looks, a view as JSON, and a picture grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dnerf_core.backbone.specs import BackboneConfig
from dnerf_core.backbone.viewing import CameraConfig
from dnerf_core.camera import Camera, arc_cameras
from dnerf_core.demo.truth import ScoredView, Shot, random_view, scored_labels, true_rgb, true_view
from dnerf_core.demo.worlds import World
from dnerf_core.job_ranges import FRAMES
from dnerf_core.model import Model
from dnerf_core.own_views import view_ranges
from headless.datasets.poses.given import GivenPoses
from headless.pictures.picture_grid import picture_grid
from headless.pictures.wrong_pixels import WRONG_COLUMN, wrong_pixels
from headless.scores.scoring import rounded, worst_and_typical

VIDEO_FRAMES = FRAMES.usual or 1
VIDEO_YAW_DEG = (-30.0, 30.0)


@dataclass(frozen=True)
class TruthViews:
    """How each subject is seen: `count` random views, keyed by seed and number, or the frames of an even arc; `poses` are those that its
    views take, None: its own.
    """

    video: bool
    count: int
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]
    poses: GivenPoses | None = None

    @staticmethod
    def chosen(
        config: BackboneConfig,
        world: World,
        *,
        video: bool,
        count: int | None,
        yaw_deg: tuple[float, float] | None,
        pitch_deg: tuple[float, float] | None,
        poses: GivenPoses | None = None,
    ) -> TruthViews:
        """The views meant by options of which each may be missing."""
        if not video:
            return TruthViews(False, count or 1, yaw_deg or world.yaw_deg, pitch_deg or world.pitch_deg, poses)
        yaw_deg, pitch_deg = view_ranges(config.cameras, yaw_deg or VIDEO_YAW_DEG, pitch_deg)
        return TruthViews(True, count or VIDEO_FRAMES, yaw_deg, pitch_deg, poses)

    def cameras(self, config: CameraConfig, seed: int) -> list[Camera]:
        """The cameras of one subject."""
        if self.video:
            return arc_cameras(config, self.yaw_deg, self.pitch_deg, count=self.count, mode="even")
        return [random_view(config, seed, view, self.yaw_deg, self.pitch_deg) for view in range(self.count)]

    def shots(self, config: CameraConfig, seed: int) -> list[Shot]:
        """How one subject is seen."""
        poses = self.poses
        return [
            Shot(camera, None if poses is None else poses.of_view(seed, view, self.count))
            for view, camera in enumerate(self.cameras(config, seed))
        ]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "spacing": "even" if self.video else "random",
            "views_of_each": self.count,
            "yaw_deg": list(self.yaw_deg),
            "pitch_deg": list(self.pitch_deg),
            **({} if self.poses is None else self.poses.to_json()),
        }


def view_json(scored: ScoredView) -> dict[str, Any]:
    """One view as JSON values, null where there is nothing to score."""
    scores = scored.scores
    return {
        "seed": scored.seed,
        "view": scored.view,
        "silhouette_iou": rounded(scores.silhouette_iou),
        "psnr_db": rounded(scores.psnr_db),
        "depth_error": rounded(scores.depth_error),
        "miou": rounded(scored.miou),
    }


def truth_grid(title: str, model: Model, scored: Sequence[ScoredView]) -> bytes:
    """A PNG of the worst views and typical ones: true and rendered image, true mask, the model's, and wrong pixels.

    Worst by mIoU where masks are scored, else by the silhouette.
    """
    labels = scored_labels(model)
    values = [item.scores.silhouette_iou if labels is None else item.miou for item in scored]
    rows = []
    for which, index in worst_and_typical(values):
        item = scored[index]
        shot, subject = item.shot, model.subject(item.seed)
        if shot.pose is not None:
            subject = subject.posed(model.pose(shot.pose))
        rendered = subject.render(shot.camera)
        truth, _ = true_view(model, item.seed, shot.camera, model.config.image_size, pose=shot.pose)
        pictures = [true_rgb(truth), rendered.rgb]
        if labels is not None and rendered.mask is not None:
            mask = truth.mask[0].numpy()
            pictures += [labels.colorize(mask), labels.colorize(rendered.mask), wrong_pixels(mask, rendered.mask)]
        kind = "silhouette IoU" if labels is None else "mIoU"
        rows.append((f"seed {item.seed}, view {item.view}\n{kind} {values[index]:.3f}\n{which}", pictures))
    columns = ("truth", "rendered", *(() if labels is None else ("true labels", "model's labels", WRONG_COLUMN)))
    return picture_grid(title, columns, rows, labels)
