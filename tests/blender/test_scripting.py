"""The programs of docs/blender-scripting.md, run as `blender -b -P` runs them: in a Blender of their own, with the extension enabled."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed here")

from dnerf_core import PointCloud
from dnerf_core.files.pictures import read_image
from tests.blender.addon import REPOSITORY
from tests.blender.warm_engine import WarmEngine

pytestmark = pytest.mark.skipif(
    "DNERF_ENGINE_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
    reason="no torch beside bpy here: name a Python that has it in DNERF_ENGINE_PYTHON",
)
TEXT = (REPOSITORY / "docs" / "blender-scripting.md").read_text(encoding="utf-8")
ENABLED = """
import contextlib, io, json, os, sys, traceback
import bpy
import addon_utils
names = sys.argv[sys.argv.index("-b") + 1:sys.argv.index("-P")]
if names and names[0].endswith(".blend"):
    bpy.ops.wm.open_mainfile(filepath=names[0])
assert addon_utils.enable("blender_addon", default_set=True) is not None
preferences = bpy.context.preferences.addons["blender_addon"].preferences
preferences.interpreter, preferences.device = sys.argv[1], "cpu"
for number, path in enumerate(sys.argv[sys.argv.index("-P") + 1:sys.argv.index("--")]):
    if number:  # what another program has left is in another scene, and in another folder
        bpy.context.window.scene = bpy.data.scenes.new("Scene")
        sys.argv[-1] = os.path.splitext(path)[0]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            exec(compile(open(path, encoding="utf-8").read(), path, "exec"), {"__name__": "__main__"})
        except Exception:
            traceback.print_exc(file=said)
    print(json.dumps({"program": path, "said": said.getvalue()}), flush=True)
addon_utils.disable("blender_addon", default_set=True)
"""
"""What Blender has done by the time it runs a program. Several share a Blender, since an engine takes seconds to start."""
ALONE = ("A data set", "A batch over scenes and seeds")
"""Programs that have a Blender of their own."""


def blocks(language: str) -> dict[str, str]:
    """The fenced texts of a language by the title that they stand under."""
    sections = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)[1:]
    found = {}
    for title, section in zip(sections[::2], sections[1::2], strict=True):
        for text in re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL):
            assert title not in found
            found[title] = text
    return found


def run(titles: list[str], folder: Path, engine: WarmEngine) -> dict[str, str]:
    """Run programs, the first with a folder as its argument, others with one named as they are; returns what each prints."""
    paths = {}
    for title in titles:
        paths[title] = folder / f"{title.replace(' ', '-')}.py"
        paths[title].write_text(blocks("python")[title], encoding="utf-8")
    command = [sys.executable, "-c", ENABLED, str(engine.script(folder)), "-b", "-P", *map(str, paths.values())]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*command, "--", str(folder)], env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"program"')]
    return {title: without_reports(answer["said"]) for title, answer in zip(paths, answers, strict=True)}


def without_reports(text: str) -> str:
    """What a program prints itself, and the trace of its error; Blender prints the outcomes, too."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("Info: "))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def said(folder: Path, warm_engine: WarmEngine) -> dict[str, str]:
    """What the programs print that share a Blender, each in a scene of its own."""
    return run([title for title in blocks("python") if title not in ALONE], folder, warm_engine)


def place(folder: Path, title: str) -> Path:
    """The folder that a program was given, which is not the first."""
    return folder / title.replace(" ", "-")


def files(folder: Path, pattern: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern))


def test_every_program_is_run_here() -> None:
    assert list(blocks("python")) == [
        "A subject and its views",
        "A data set",
        "A label video",
        "Clouds and meshes",
        "Annotate, train, and use the new model",
        "Find the subject of a photo, and edit it",
        "People that move",
        "A driver on the subject",
        "A batch over scenes and seeds",
    ]


def test_no_program_meets_an_error(said: dict[str, str]) -> None:
    assert [text for text in said.values() if "Traceback" in text] == []


def test_a_subject_and_its_views(said: dict[str, str]) -> None:
    seen = [f"s{seed:04d}_v{view:02d}" for seed in range(3) for view in range(2)]
    assert sorted(said["A subject and its views"].splitlines()) == sorted([*seen, "s0003-t0.7_dnerf v01"])


def test_a_data_set(tmp_path: Path, warm_engine: WarmEngine) -> None:
    printed = run(["A data set"], tmp_path, warm_engine)["A data set"]
    scenes = json.loads((tmp_path / "cars" / "nerfstudio" / "scenes.json").read_text())["scenes"]
    assert [(scene["seed"], scene["views"]) for scene in scenes] == [(seed, 6) for seed in range(4)]
    assert "the range '3-0' runs backwards; write 0-3" in printed and not (tmp_path / "none").exists()


def test_a_label_video(said: dict[str, str], folder: Path) -> None:
    folder = place(folder, "A label video")
    assert said["A label video"] == ""
    clips = sorted((folder / "videos").iterdir())
    assert [re.sub(r"_DatasetNeRF.*_", "_", clip.name) for clip in clips] == [
        f"Scene.001_s000{seed}_f0001-0003" for seed in (3, 5)
    ]
    for clip in clips:
        assert len(files(clip, "*/masks/*.png")) == 3


def test_clouds_and_meshes(said: dict[str, str], folder: Path) -> None:
    folder = place(folder, "Clouds and meshes")
    first, refused, *_, meshes = said["Clouds and meshes"].splitlines()  # Blender's importer says something, too
    assert first == "cloud s0004"
    assert "part: expected background or hood or roof or wheels or other, found 'wheel' (did you mean wheels?)" in refused
    assert {"mesh s0003 roof", "mesh s0003 wheels"} <= set(json.loads(meshes.replace("'", '"')))
    roof = PointCloud.load(folder / "roof.ply")
    assert roof.labels is not None and np.unique(roof.labels).tolist() == [2]


def test_annotate_train_and_use_the_new_model(said: dict[str, str], folder: Path) -> None:
    folder = place(folder, "Annotate, train, and use the new model")
    assert said["Annotate, train, and use the new model"].strip() == "['s0000_v00', 's0001_v00']"
    record = json.loads((folder / "trained" / "dataset.json").read_text())
    from dnerf_core.checkpoints.model_file import file_sha256

    assert record["plan"]["model_sha256"] == file_sha256(folder / "cars.safetensors")


def test_find_the_subject_of_a_photo_and_edit_it(said: dict[str, str], folder: Path) -> None:
    folder = place(folder, "Find the subject of a photo, and edit it")
    lines = said["Find the subject of a photo, and edit it"].splitlines()
    assert lines == ["found: s0003_v00-001.safetensors", "edited: s0003_v00-001-edit-001.safetensors"]
    assert files(folder / "subjects", "*") == ["s0003_v00-001-edit-001.safetensors", "s0003_v00-001.safetensors"]


def test_people_that_move(said: dict[str, str]) -> None:
    assert said["People that move"].strip() == "DatasetNeRF Person"


def test_frames_follow_a_driver_on_the_subject(said: dict[str, str], folder: Path) -> None:
    folder = place(folder, "A driver on the subject")
    assert said["A driver on the subject"] == ""
    (clip,) = [path for path in (folder / "videos").iterdir() if "2-subjects" in path.name]
    frames = [read_image(folder / "videos" / name) for name in files(folder / "videos", f"{clip.name}/*/images/*.png")]
    expected = [read_image(folder / "views" / name) for name in files(folder / "views", "images/*.png")]
    assert len(frames) == 2 and not np.array_equal(frames[0], frames[1])
    for frame, still in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame, still)


def test_a_batch_over_scenes_and_seeds(tmp_path: Path, warm_engine: WarmEngine) -> None:
    """The shell's file, with a Blender that is pip's; what the one of Windows does beside it is looked at."""
    title = "A batch over scenes and seeds"
    for name, language in (("batch.py", "python"), ("batch.sh", "sh"), ("enabled.py", "")):
        (tmp_path / name).write_text(blocks(language)[title] if language else ENABLED, encoding="utf-8")
    scenes = tmp_path / "my scenes"
    scenes.mkdir()
    make = (
        "import bpy, sys\n"
        "bpy.data.objects['Camera'].location = (0, -3, 0.5)\n"
        "bpy.data.objects['Camera'].rotation_euler = (1.4, 0, 0)\n"
        "for name in ('one', 'two'): bpy.ops.wm.save_as_mainfile(filepath=f'{sys.argv[1]}/{name}.blend')\n"
    )
    subprocess.run([sys.executable, "-c", make, str(scenes)], check=True, timeout=100, capture_output=True)
    blender = tmp_path / "blender"
    engine = warm_engine.script(tmp_path)
    blender.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/enabled.py" "{engine}" "$@"\n')
    blender.chmod(blender.stat().st_mode | stat.S_IXUSR)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "BLENDER": str(blender)}
    command = ["sh", str(tmp_path / "batch.sh"), str(scenes), "0-1", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0 and "Traceback" not in done.stdout, done.stdout + done.stderr
    for name in ("one", "two"):
        assert files(tmp_path / "out" / name, "masks/*.png") == ["masks/s0000_v00.png", "masks/s0001_v00.png"]
    windows, posix = blocks("bat")[title], blocks("sh")[title]
    for text in ("--python-exit-code 1 -P", "batch.py", " -b ", ".blend"):
        assert text in windows and text in posix
