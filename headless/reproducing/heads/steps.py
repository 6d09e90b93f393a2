"""Steps of heads on frozen networks, and what rows of tables read of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.errors import UsageError, counted
from headless.reproducing.painted import of_seed, painted_views
from headless.reproducing.pictures import image_tests
from headless.reproducing.steps import Cell, Given, Place, Step

if TYPE_CHECKING:
    from headless.reproducing.heads.scoring import Features
    from headless.reproducing.setting import Setting

_NETWORKS: dict[Features, str] = {
    "efficientnet-last": "EfficientNet-Lite0, last features",
    "efficientnet-stages": "EfficientNet-Lite0, all strides",
    "resnet101-last": "ResNet101",
    "dinov2": "DINOv2",
}


def efficientnet_is_missing() -> UsageError | None:
    """Why there are no rows of EfficientNet-Lite0; None: the package that ships its weights is there."""
    from dnerf_core.downstream.baselines.efficientnet import packaged_file

    try:
        packaged_file()
    except UsageError as error:
        return error
    return None


def head_on(setting: Setting, features: Features, count: int, repetition: int, weights: Given | None = None) -> Step:
    """A head that so many painted views teach, scored on every test, and over time where there is a video.

    Args:
        weights: of the network; None: those of the package that ships EfficientNet-Lite0.
    """
    from headless.reproducing.heads.scoring import FrozenCall

    views, scale, tests = painted_views(setting, count, repetition), setting.scale, image_tests(setting)
    video = tests.get("Vid.")

    def call(place: Place) -> Any:
        return FrozenCall(
            painted=place(views),
            features=features,
            weights=None if weights is None else place(weights),
            tests=tuple(place(test) for test in tests.values()),
            columns=tuple(tests),
            video=None if video is None else place(video),
            mirrored=True,
            views=scale.transfer_views,
            steps=scale.transfer_steps,
            seed=repetition,
            output=Path(),
        )

    network = _NETWORKS[features]
    parents = (views, *([] if weights is None else [weights]), *tests.values())
    seen = 2 * sum(test.units if isinstance(test, Step) else 1 for test in tests.values())
    title = f"head on {network}, {counted(count, 'label')}{of_seed(repetition)}"
    unit = f"views seen and steps of a head on {network}"
    return Step("frozen", title, parents, call, unit, scale.transfer_views + scale.transfer_steps + seen)


def test_cells(setting: Setting, step: Step) -> dict[str, Cell]:
    """A head's mIoU by the tests' columns."""
    tests = image_tests(setting)
    return {
        column: Cell(step, ("tests", column, "miou"), test, f"{index}-") for index, (column, test) in enumerate(tests.items())
    }
