"""The programs of docs/python.md, each run as a newcomer would: as a file, in a folder of its own that the next one shares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dnerf_core import Model, PointCloud

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
TITLES = {
    "Render views": "LabeledView(128 x 128 px, rgb, mask, depth, Camera(",
    "Train a semantic branch from arrays": "Model(demo-cars, 256 x 256 px, labels background, wheels, body, on cpu)",
    "Fuse views to a point cloud": "of its points are wheels",
    "Find the subject of a picture": "dB",
    "Write a data set": "16 views, an overview in cars",
    "Read a data set in torch": "loss after 5 epochs: 0.",
    "Look at labels over time": "of a thousand pixels flicker",
}
"""The programs' titles in their order, and something that each prints."""
LONGEST_S = 300


def programs() -> dict[str, str]:
    """The fenced programs by the title that they stand under."""
    sections = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)[1:]
    found = {}
    for title, section in zip(sections[::2], sections[1::2], strict=True):
        (found[title],) = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def printed(workplace: Path) -> dict[str, str]:
    """What each program prints, all of them run one after the other; they say nothing on stderr."""
    results = {}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    for number, (title, program) in enumerate(programs().items()):
        path = workplace / f"program_{number}.py"
        path.write_text(program, encoding="utf-8")
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
        print(f"{title}: {time.monotonic() - started:.1f} s\n{done.stdout}")
        assert (done.returncode, done.stderr) == (0, ""), f"{title}: {done.stderr}"
        results[title] = done.stdout
    return results


def test_the_programs_are_these() -> None:
    assert list(programs()) == list(TITLES)


@pytest.mark.parametrize("title", TITLES)
def test_a_program_runs_and_says_what_it_did(title: str, printed: dict[str, str]) -> None:
    assert TITLES[title] in printed[title]


def test_the_programs_leave_what_they_say(workplace: Path, printed: dict[str, str]) -> None:
    assert len(list(workplace.glob("image-*.png"))) == len(list(workplace.glob("labels-*.png"))) == 3
    assert Model.load(workplace / "wheels.safetensors").has_semantics
    cloud = PointCloud.load(workplace / "car.ply")
    assert 0 < len(PointCloud.load(workplace / "wheels.npz")) < len(cloud)
    first, last = map(
        float, re.findall(r"loss: ([0-9.]+) at first, ([0-9.]+) at last", printed["Train a semantic branch from arrays"])[0]
    )
    assert last < first / 2
    assert (workplace / "cars" / "train" / "metadata.jsonl").is_file() and (workplace / "cars" / "test").is_dir()
