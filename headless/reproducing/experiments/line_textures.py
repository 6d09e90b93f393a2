"""Figure S10: labels over time, as spatiotemporal line textures and as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headless.reproducing.experiments.experiment import Experiment
from headless.reproducing.findings import against
from headless.reproducing.painted import painted_views
from headless.reproducing.pictures import gan_pairs, image_tests, pairs_of, segmenter_on
from headless.reproducing.steps import Cell, Given, Row, Step
from headless.reproducing.videos.pictures import texture_pictures
from headless.reproducing.videos.steps import generated_video, over_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headless.reproducing.averages import Averaged
    from headless.reproducing.cache import Cache
    from headless.reproducing.setting import Setting
    from headless.reproducing.writing.report import Picture

NAME, TITLE = "s10", "Figure S10: labels over time"
COLUMNS = {"flicker": ("flicker",), "undone": ("undone",), "agreement": ("agreement",)}


def rows(setting: Setting) -> tuple[list[Row], list[str]]:
    """The generated masks, segmenters frame by frame, and the exact truth, for each repetition; by the most labels."""
    found, count = [], setting.counts[-1]
    exact = image_tests(setting).get("Vid.")
    for repetition in range(setting.repetitions):
        generated = generated_video(setting, count, repetition)
        video = exact if isinstance(exact, Step) else generated
        found.append(_row("generated", "DatasetNeRF's masks", {"labels": count}, repetition, over_time(setting, generated)))
        learned: dict[tuple[str, str], tuple[str, Sequence[Step | Given]]] = {
            ("datasetnerf", "segmenter of DatasetNeRF"): (
                f"{setting.scale.pairs[-1]} pairs of {count} labels",
                pairs_of(setting, count, repetition, setting.scale.pairs),
            ),
            ("datasetgan", "segmenter of DatasetGAN"): (
                f"DatasetGAN of {count} labels",
                [gan_pairs(setting, count, repetition)],
            ),
            ("painted", "segmenter of painted pictures alone"): (
                f"{count} painted views",
                [painted_views(setting, count, repetition)],
            ),
        }
        for (name, title), (what, sets) in learned.items():
            step = over_time(setting, video, segmenter_on(setting, what, sets, repetition))
            found.append(_row(name, title, {"labels": count}, repetition, step))
            if name == "datasetnerf" and video is not generated:
                on_generated = over_time(setting, generated, segmenter_on(setting, what, sets, repetition))
                on_own = f"{title}, on the generated video"
                found.append(_row("segmented", on_own, {"labels": count}, repetition, on_generated))
        if isinstance(exact, Step):
            found.append(_row("truth", "exact truth", {}, repetition, over_time(setting, exact)))
    return found, [] if isinstance(exact, Step) else ["truth is left out: nobody knows the exact truth of this model's subjects"]


def _row(name: str, title: str, given: dict[str, int], repetition: int, step: Step) -> Row:
    return Row(name, title, given, repetition, {column: Cell(step, entry) for column, entry in COLUMNS.items()}, seed=repetition)


def _pictures(found: Sequence[Averaged], setting: Setting, cache: Cache) -> list[Picture]:
    return texture_pictures(NAME, TITLE, found, cache)


LINE_TEXTURES = Experiment(
    NAME,
    TITLE,
    (
        "Subjects are seen along an arc, frame by frame. DatasetNeRF's masks are those that the branch renders of the generated video. "
        "Segmenters label each frame by itself: of the exact video of the same subjects, and DatasetNeRF's own of the generated one, too. "
        "The exact truth has exact masks of the exact video. Of a user's own model all look at the generated video.",
        "Flicker: of a thousand pixels that show a part, how many change their label to the next frame and have the earlier one back "
        "within 3 frames. Undone: the share of all changes that are undone so. Agreement: mIoU of the parts between labels that depth "
        "carries into frames 5 apart and the labels there, both ways. All of them are of all pixel rows of all videos, one row of which is "
        "drawn. Even exact truth has a little of each, since parts are narrower than pixels in places.",
    ),
    ("generated", "segmented", "datasetnerf", "datasetgan", "painted", "truth"),
    rows,
    lambda setting: tuple(COLUMNS),
    findings=against("generated", ("segmented", "datasetnerf", "datasetgan", "painted", "truth")),
    pictures=_pictures,
)
