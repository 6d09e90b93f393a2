"""Train, pressed by the mouse to its end in a real Blender, on masks of the demo's truth; the new model is chosen, and makes the next view.

The tests of this file go on from one another: run the whole file.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.blender.gui.test_window import finish
from tests.blender.gui.window import REPOSITORY, Root, Window

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]

STEPS = 50
LEAST_AGREEMENT = 0.8
"""Share of a subject's pixels whose label is the demo's own. One label alone has less than half of them."""


@pytest.fixture(scope="module")
def painted(root: Root) -> None:
    """A folder of views to annotate, whose masks are the demo's truth, as `dnerf-headless sample --truth` fills them."""
    words = ["sample", "--truth", "--seeds", "0-3", "--views", "2", "-o", str(root.job / "cars")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(
        [sys.executable, "-P", "-m", "headless.cli", *words], env=environment, check=True, capture_output=True, timeout=300
    )


@pytest.mark.usefixtures("painted")
def test_the_folder_is_opened_and_trained_on_to_the_end(window: Window, root: Root) -> None:
    window.ask("s = bpy.context.scene.dnerf; s.annotation_folder, s.trained_path = '/job/cars', '/job/trained.safetensors'")
    window.ask(f"s.training_steps, s.seed, s.camera_count, s.views_folder = {STEPS}, 21, 1, '/job/demo'")
    window.press("dnerf.load_model")
    finish(window)
    window.learn_headers("live_preview")
    with window.panel("DNERF_PT_views") as top:
        window.press("dnerf.render_views", top=top + 40)
        assert "1 view in" in finish(window)
    with window.panel("DNERF_PT_annotate") as top:
        window.press("dnerf.open_annotations", columns=(0.75,), top=top + 40)
        assert finish(window) == "8 views, 0 still to paint"
        window.scroll(15)
        x, y = window.find("dnerf.train", top=600)
        window.click(x, y)
        window.until(f"current().job is not None and current().job.done > 0 and current().job.total == {STEPS}", 200)
        time.sleep(0.5)
        window.screenshot("70-training")
        assert window.value("[current().job.title, current().job.button]") == ["Training", "dnerf.train"]
        said = finish(window, 400)
        assert said.startswith("demo-cars trained: mIoU 0.") and "on held-out subjects; it is the model now" in said
        window.hover(400, 600)
        time.sleep(0.5)
        window.screenshot("71-trained")
    assert window.value("[s.model_kind, s.model_path]") == ["FILE", "/job/trained.safetensors"]
    assert (root.job / "trained.safetensors").is_file()


def test_the_next_view_is_the_new_models(window: Window, root: Root) -> None:
    window.screenshot("72-chosen")
    window.press("dnerf.load_model")
    assert finish(window) == "demo-cars: 256 px, 4 labels", "its name is that of what it was trained from"
    window.ask("bpy.context.scene.dnerf.views_folder = '/job/new'")
    with window.panel("DNERF_PT_views") as top:
        window.press("dnerf.render_views", top=top + 40)
        assert "1 view in" in finish(window)
        window.screenshot("73-its-view")
    models = [json.loads((root.job / name / "dataset.json").read_text())["plan"]["model_sha256"] for name in ("demo", "new")]
    assert models[0] != models[1] == hashlib.sha256((root.job / "trained.safetensors").read_bytes()).hexdigest()
    images = [np.asarray(Image.open(root.job / name / "images" / "s0021_v00.png")) for name in ("demo", "new")]
    assert np.array_equal(*images), "the pictures are the generator's, which training leaves as it is"
    demo, new = (np.asarray(Image.open(root.job / name / "masks" / "s0021_v00.png")) for name in ("demo", "new"))
    agreement = float((demo == new)[demo > 0].mean())
    print(f"{agreement:.3f} of the subject's pixels have the demo's own label")
    assert agreement > LEAST_AGREEMENT and (demo != new).any(), "labels of its own, learnt from the demo's truth"
    assert "Traceback" not in window.log(), window.log()
