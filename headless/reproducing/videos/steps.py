"""Steps of videos: those that are generated, and labels over time with their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerf_core.errors import counted
from headless.reproducing.painted import branch_of, of_seed, painted_views
from headless.reproducing.pictures import VIDEO_PITCH_DEG, VIDEO_SEED, VIDEO_YAW_DEG, image_tests
from headless.reproducing.setting import Setting
from headless.reproducing.steps import Given, Place, Step


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
        return ScoreVideoCall(video=place(video), network=None if network is None else place(network), output=Path())

    scale = setting.scale
    if network is None:
        return Step("score-video", f"{video.title}, over time", (video,), call, "frames looked at", video.units)
    unit = f"views labelled by {scale.segmenter} at {scale.size_px} px"
    return Step("score-video", f"{network.title}, over time", (video, network), call, unit, video.units)


def frozen(setting: Setting, count: int, repetition: int, weights: Given | None, columns: tuple[str, ...]) -> Step:
    """A head on frozen features, scored on some columns' tests, and where there is a video over time.

    Args:
        weights: of DINOv2; None: EfficientNet-Lite0, all strides, as table 1 has it.
    """
    from headless.reproducing.videos.scoring import FrozenCall

    views, scale, tests = painted_views(setting, count, repetition), setting.scale, image_tests(setting)
    chosen = {column: tests[column] for column in columns}
    video = tests.get("Vid.")

    def call(place: Place) -> Any:
        return FrozenCall(
            painted=place(views),
            tests=tuple(place(test) for test in chosen.values()),
            columns=columns,
            video=None if video is None else place(video),
            weights=None if weights is None else place(weights),
            views=scale.transfer_views,
            steps=scale.transfer_steps,
            seed=repetition,
            output=Path(),
        )

    parents = [views, *([] if weights is None else [weights]), *chosen.values()]
    if video is not None and video not in parents:
        parents.append(video)
    seen = sum(test.units if isinstance(test, Step) else 1 for test in {*chosen.values(), *([] if video is None else [video])})
    network = "EfficientNet-Lite0" if weights is None else "DINOv2"
    title = f"head on {network}, {counted(count, 'label')}{of_seed(repetition)}"
    unit = f"views seen and steps of a head on {network}"
    return Step("frozen", title, tuple(parents), call, unit, scale.transfer_views + scale.transfer_steps + seen)
