"""Steps of pictures: pairs that are generated or exact, the segmenters that learn from them, their tests, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnerf_core.errors import counted
from dnerf_core.photographs.strengths import Level
from headless.reproducing.painted import TEST_SEED, branch_of, in_blocks, of_seed, painted_views
from headless.reproducing.setting import Setting, known_world
from headless.reproducing.steps import Given, Place, Step

VIDEO_SEED = 25_000
VIDEO_YAW_DEG, VIDEO_PITCH_DEG = (-30.0, 30.0), (15.0, 15.0)
CHANGED_SCALE, CHANGED_COLOR = 1.0, 0.5
"""How much segmenters' pictures are changed at random: tests show subjects from as far, and in as many colours, as they do."""
HARDER = {"demo-cars": "harder-cars"}
"""Worlds drawn apart from those that models learned from."""


def pairs_of(setting: Setting, count: int, repetition: int, sizes: Sequence[int]) -> list[Step]:
    """Generated pictures with masks in blocks: the first k of them together have `sizes[k - 1]` pairs."""
    from headless.runs.render import RenderCall

    branch, size_px, views = branch_of(setting, count, repetition), setting.scale.size_px, setting.scale.pair_views

    def block(seeds: tuple[int, ...]) -> Step:
        def call(place: Place) -> Any:
            return RenderCall(
                model_name=str(place(branch)),
                seeds=seeds,
                views=views,
                yaw=setting.yaw_deg,
                pitch=setting.pitch_deg,
                view_distribution="uniform",
                resolution=size_px,
                channels=("rgb", "mask"),
            )

        pairs = len(seeds) * views
        title = f"{counted(pairs, 'pair')} by the branch of {counted(count, 'label')}{of_seed(repetition)}"
        return Step("render", title, (branch,), call, f"generated views at {size_px} px", pairs)

    return [block(seeds) for seeds in in_blocks([size // views for size in sizes], repetition)]


def gan_pairs(setting: Setting, count: int, repetition: int) -> Step:
    """As many pictures of the same subjects, labelled as DatasetGAN does, of which the most uncertain tenth is left out."""
    from headless.downstream.baselines.gan_set import GanSetCall

    scale, views = setting.scale, painted_views(setting, count, repetition)
    seeds, pairs = in_blocks([scale.pairs[-1] // scale.pair_views], repetition)[0], scale.pairs[-1]

    def call(place: Place) -> Any:
        return GanSetCall(
            painted=(place(views),),
            seeds=seeds,
            views=scale.pair_views,
            output=Path(),
            yaw=setting.yaw_deg,
            pitch=setting.pitch_deg,
            resolution=scale.size_px,
            model_name=str(place(setting.model)),
            members=scale.gan_members,
            steps=scale.gan_steps,
            seed=repetition,
            skip_unpainted=True,
        )

    title = f"{counted(pairs, 'pair')} by DatasetGAN of {counted(count, 'label')}{of_seed(repetition)}"
    return Step("datasetgan", title, (setting.model, views), call, f"views by DatasetGAN at {scale.size_px} px", pairs)


def exact_pairs(setting: Setting, repetition: int) -> Step:
    """As many exact pictures of the same subjects as there are generated ones."""
    scale = setting.scale
    seeds = in_blocks([scale.pairs[-1] // scale.pair_views], repetition)[0]
    title = f"{scale.pairs[-1]} exact pairs{of_seed(repetition)}"
    return _exact_views(setting, title, known_world(setting), seeds, views=scale.pair_views)


def segmenter_on(setting: Setting, what: str, sets: Sequence[Step | Given], repetition: int, photographs: Level = "none") -> Step:
    """A segmenter trained on some sets together, as they are or as photographs."""
    from headless.downstream.segmenter_plan import TrainSegmenterCall

    scale = setting.scale

    def call(place: Place) -> Any:
        places = [place(one) for one in sets]
        return TrainSegmenterCall(
            dataset=places[0],
            also=tuple(places[1:]),
            output=Path(),
            network=scale.segmenter,
            size_px=scale.size_px,
            steps=scale.segmenter_steps,
            batch=scale.batch,
            scale=CHANGED_SCALE,
            color=CHANGED_COLOR,
            seed=repetition,
            validation=0.0,
            precision=scale.precision,
            photographs=photographs,
            skip_unpainted=True,
            allow_missing_classes=True,
        )

    noun = "pictures" if photographs == "none" else "photographs"
    unit, units = f"{noun} through {scale.segmenter} at {scale.size_px} px", scale.segmenter_steps * scale.batch
    return Step("train-segmenter", f"{scale.segmenter} on {what}{of_seed(repetition)}", tuple(sets), call, unit, units)


def image_tests(setting: Setting) -> dict[str, Step | Given]:
    """Test sets of pictures by the columns that they fill."""
    if setting.test is not None:
        return {"test": setting.test}
    scale, world = setting.scale, known_world(setting)
    individual = tuple(range(TEST_SEED, TEST_SEED + scale.test_subjects))
    found: dict[str, Step | Given] = {
        "Ind.": _exact_views(setting, "individual test", world, individual),
        "Vid.": _video(setting),
    }
    harder = HARDER.get(world, world)
    if scale.photographs:
        subjects = individual[: scale.photographs]
        if harder != world:
            found["harder"] = _exact_views(setting, "harder world", harder, subjects)
        for level in ("mild", "hard"):
            title = f"{level} photographs"
            found[f"{level} photos"] = _exact_views(setting, title, harder, subjects, level)
    return found


def score_of_images(setting: Setting, network: Step, column: str) -> Step:
    """A segmenter's scores on a test set, by pictures and their mirror images."""
    from headless.reproducing.scoring import ScoreImagesCall

    test, scale = image_tests(setting)[column], setting.scale

    def call(place: Place) -> Any:
        return ScoreImagesCall(network=place(network), test=place(test), mirrored=True, output=Path())

    views = test.units if isinstance(test, Step) else 1
    unit = f"views labelled by {scale.segmenter} at {scale.size_px} px"
    return Step("score-images", f"{network.title}, {column}", (network, test), call, unit, 2 * views)


def _video(setting: Setting) -> Step:
    from headless.runs.downstream.world import WorldCall

    scale, world = setting.scale, known_world(setting)
    seeds = tuple(range(VIDEO_SEED, VIDEO_SEED + scale.video_subjects))

    def call(place: Place) -> Any:
        return WorldCall(
            world=world,
            seeds=seeds,
            views=scale.video_frames,
            yaw=VIDEO_YAW_DEG,
            pitch=VIDEO_PITCH_DEG,
            view_distribution="even",
            resolution=scale.size_px,
        )

    units = scale.video_subjects * scale.video_frames
    return Step("world", "video test", (), call, f"exact views at {scale.size_px} px", units)


def _exact_views(
    setting: Setting, title: str, world: str, seeds: tuple[int, ...], photograph: Any = "none", views: int = 1
) -> Step:
    from headless.runs.downstream.world import WorldCall

    size_px = setting.scale.size_px

    def call(place: Place) -> Any:
        return WorldCall(world=world, seeds=seeds, views=views, resolution=size_px, photograph=photograph)

    unit = f"exact {'views' if photograph == 'none' else 'photographs'} at {size_px} px"
    return Step("world", title, (), call, unit, len(seeds) * views)
