"""What holds a segmenter of generated pairs back: the generator's pictures, or the branch's masks.

    dnerf-headless reproduce table1 --scale small -o report
    python benchmarks/generator_gap.py report [--seed 0] [--steps 1200]

Generated pairs and exact ones of `reproduce` are of the same subjects from the same places. First the masks of every set that was made of
them are scored against the exact ones. Then a segmenter learns as table 1's do from the generated pictures with exact masks, and from
the exact pictures with the masks of the branch of the most labels; both are scored on table 1's exact tests.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dnerf_core.downstream.baselines.scoring import score
from dnerf_core.downstream.images.segmenter import Segmenter
from dnerf_core.files.masks import read_sized_mask
from dnerf_core.files.view_lists import read_view_lists
from dnerf_core.metrics import confusion_matrix, pooled_scores
from headless.downstream.segmenter_plan import TrainSegmenterCall
from headless.reproducing.pictures import CHANGED_COLOR, CHANGED_SCALE
from headless.reproducing.scales import SMALL
from headless.runs.downstream.train_segmenter import train_segmenter
from headless.work.reporting import Quiet

_PAIRS = re.compile(r"\d+ pairs by (the branch|DatasetGAN) of (\d+) labels, seed (\d+)")
_TESTS = {"individual test": "Ind.", "video test": "Vid."}


def folders_by_title(report: Path) -> dict[str, list[Path]]:
    """Where the steps of a report made their folders, by their titles."""
    found: dict[str, list[Path]] = {}
    for path in sorted((report / "cache").glob("*/step.json")):
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        product = {"render": "pairs", "datasetgan": "pairs", "world": "exact"}.get(record["kind"])
        if product is not None:
            found.setdefault(record["title"], []).append(path.parent / product)
    return found


def quality(folders: list[Path], exact: Path) -> tuple[int, float]:
    """How many listed views of some folders have an exact mask, and the mIoU of their masks against it."""
    confusions = []
    for folder in folders:
        lists = read_view_lists(folder)
        assert lists.labels is not None
        for row in lists.rows:
            assert row.mask is not None
            truth = exact / "masks" / row.mask.name
            if truth.is_file():
                masks = [read_sized_mask(path, lists.labels, lambda width_px, height_px: None) for path in (truth, row.mask)]
                confusions.append(confusion_matrix(masks[0], masks[1], lists.labels.num_classes))
    return len(confusions), pooled_scores(confusions).miou


def with_exact(folder: Path, exact: Path, what: str, output: Path) -> Path:
    """A copy of a folder with exact pictures, or exact masks, in place of its own."""
    shutil.copytree(folder, output)
    for path in sorted((output / what).glob("*.png")):
        shutil.copyfile(exact / what / path.name, path)
    return output


def learned(sets: list[Path], steps: int, seed: int, tests: dict[str, Path], output: Path) -> dict[str, float]:
    """mIoU on the tests of a segmenter that learned from some sets as table 1's do."""
    call = TrainSegmenterCall(
        dataset=sets[0],
        also=tuple(sets[1:]),
        output=output,
        network=SMALL.segmenter,
        size_px=SMALL.size_px,
        steps=steps,
        batch=SMALL.batch,
        scale=CHANGED_SCALE,
        color=CHANGED_COLOR,
        seed=seed,
        validation=0.0,
        allow_missing_classes=True,
    )
    train_segmenter(call, Quiet())
    segmenter = Segmenter.load(output)
    return {column: score(segmenter, test).pooled.miou for column, test in tests.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=SMALL.segmenter_steps)
    arguments = parser.parse_args()
    found = folders_by_title(arguments.report)
    exact = found[f"{SMALL.pairs[-1]} exact pairs, seed {arguments.seed}"][0]
    sets: dict[tuple[str, int], list[Path]] = {}
    for title, folders in found.items():
        match = _PAIRS.fullmatch(title)
        if match and int(match[3]) == arguments.seed:
            sets.setdefault((match[1], int(match[2])), []).extend(folders)
    for (maker, labels), folders in sorted(sets.items()):
        count, miou = quality(folders, exact)
        print(f"masks by {maker} of {labels} labels against the exact ones, {count} views: mIoU {miou:.4f}", flush=True)
    tests = {column: found[title][0] for title, column in _TESTS.items()}
    best = sets["the branch", max(labels for maker, labels in sets if maker == "the branch")]
    with tempfile.TemporaryDirectory() as place:
        for what, title in (("masks", "generated pictures, exact masks"), ("images", "exact pictures, the branch's masks")):
            mixed = [with_exact(folder, exact, what, Path(place, f"{what}-{number}")) for number, folder in enumerate(best)]
            scores = learned(mixed, arguments.steps, arguments.seed, tests, Path(place, f"{what}.safetensors"))
            print(f"{title}: {', '.join(f'{column} {miou:.4f}' for column, miou in scores.items())}", flush=True)


if __name__ == "__main__":
    main()
