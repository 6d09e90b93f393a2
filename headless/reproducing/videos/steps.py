"""Steps of videos: those that are generated, and labels over time with their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.errors import counted
from headless.reproducing.painted import branch_of, of_seed
from headless.reproducing.pictures import VIDEO_PITCH_DEG, VIDEO_SEED, VIDEO_YAW_DEG
from headless.reproducing.setting import Setting
from headless.reproducing.steps import Place, Step


def generated_video(setting: Setting, count: int, repetition: int) -> Step:
    """The video test's subjects as the model makes them, seen from the same places, with the branch's masks."""
    from headless.runs.render import RenderCall

    scale, branch = setting.scale, branch_of(setting, count, repetition)
    seeds = tuple(range(VIDEO_SEED, VIDEO_SEED + scale.video_subjects))

    def call(place: Place) -> Any:
        return RenderCall(
            model_name=str(place(branch)),
            seeds=seeds,
            views=scale.video_frames,
            yaw=VIDEO_YAW_DEG,
            pitch=None if setting.world is None else VIDEO_PITCH_DEG,
            view_distribution="even",
            resolution=scale.size_px,
            channels=("rgb", "mask", "depth"),
        )

    units = scale.video_subjects * scale.video_frames
    title = f"video by the branch of {counted(count, 'label')}{of_seed(repetition)}"
    return Step("render", title, (branch,), call, f"generated views at {scale.size_px} px", units)


def over_time(setting: Setting, video: Step, network: Step | None = None) -> Step:
    """A video's own labels over time, or those that a segmenter gives its frames."""
    from headless.reproducing.videos.scoring import ScoreVideoCall

    def call(place: Place) -> Any:
        if network is None:
            return ScoreVideoCall(video=place(video), output=Path())
        return ScoreVideoCall(video=place(video), network=place(network), mirrored=True, output=Path())

    scale = setting.scale
    if network is None:
        return Step("score-video", f"{video.title}, over time", (video,), call, "frames looked at", video.units)
    unit = f"views labelled by {scale.segmenter} at {scale.size_px} px"
    return Step("score-video", f"{network.title}, over time", (video, network), call, unit, 2 * video.units)
