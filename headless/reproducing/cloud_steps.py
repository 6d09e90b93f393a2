"""Steps of clouds: those that are generated, networks of points that learn from them, their test, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from dnerf_core.errors import counted
from headless.reproducing.painted import TEST_SEED, branch_of, in_blocks, of_seed
from headless.reproducing.setting import Setting, known_world
from headless.reproducing.steps import Given, Place, Step

_BATCH = 16
"""Clouds of a step, the command's own default."""


def clouds_of(setting: Setting, count: int, repetition: int, sizes: Sequence[int]) -> list[Step]:
    """Generated clouds in blocks, as `pairs` has them."""
    from headless.runs.pointcloud import PointCloudCall

    branch, points = branch_of(setting, count, repetition), setting.scale.points

    def block(seeds: tuple[int, ...]) -> Step:
        def call(place: Place) -> Any:
            return PointCloudCall(
                model_name=str(place(branch)), seeds=seeds, pitch=setting.pitch_deg, points=2 * points, formats=("npz",)
            )

        title = f"{counted(len(seeds), 'cloud')} by the branch of {counted(count, 'label')}{of_seed(repetition)}"
        return Step("pointcloud", title, (branch,), call, "generated clouds", len(seeds))

    return [block(seeds) for seeds in in_blocks(sizes, repetition)]


def point_network_on(
    setting: Setting,
    what: str,
    sets: Sequence[Step | Given],
    repetition: int,
    *,
    recipe: Literal["aligned", "scans"] = "aligned",
    repeat: tuple[int, ...] | None = None,
) -> Step:
    """A network of points trained on some folders of clouds together; see `TrainPointnetCall`."""
    from headless.downstream.points.plan import TrainPointnetCall

    scale = setting.scale
    steps = scale.cloud_steps if recipe == "aligned" else scale.scan_steps

    def call(place: Place) -> Any:
        return TrainPointnetCall(
            folders=tuple(place(one) for one in sets),
            output=Path(),
            network=scale.point_network,
            recipe=recipe,
            points=scale.points,
            steps=steps,
            repeat=repeat,
            seed=repetition,
            validation=0.0,
            precision=scale.precision,
            allow_missing_classes=True,
        )

    title = f"{scale.point_network} on {what}{of_seed(repetition)}"
    unit, units = f"clouds of {scale.points} points through {scale.point_network}", steps * _BATCH
    return Step("train-pointnet", title, tuple(sets), call, unit, units)


def score_of_clouds(setting: Setting, network: Step, test: Step | Given | None = None) -> Step:
    """A network's scores on test clouds; None: those of `cloud_test`."""
    from headless.reproducing.scoring import ScoreCloudsCall

    test = cloud_test(setting) if test is None else test

    def call(place: Place) -> Any:
        return ScoreCloudsCall(network=place(network), test=place(test), output=Path())

    units = test.units if isinstance(test, Step) else 1
    unit = f"clouds labelled by {setting.scale.point_network}"
    return Step("score-clouds", f"{network.title}, scores", (network, test), call, unit, units)


def cloud_test(setting: Setting) -> Step | Given:
    """Exact clouds of unseen subjects, scanned from views all around, or the user's own."""
    if setting.test is not None:
        return setting.test
    from headless.runs.downstream.world import WorldCall

    world, count, points = known_world(setting), setting.scale.test_clouds, 2 * setting.scale.points
    seeds = tuple(range(TEST_SEED, TEST_SEED + count))

    def call(place: Place) -> Any:
        return WorldCall(world=world, seeds=seeds, clouds=True, points=points, formats=("npz",))

    return Step("world", f"{count} exact clouds", (), call, "exact clouds", count)
