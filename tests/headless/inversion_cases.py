"""What the tests of `invert` and `edit` share: pictures of the tiny engine, and a call of the command line with all that it says."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from dnerf_core.camera import cameras_to_json
from dnerf_core.checkpoints.vgg16 import vgg16_shapes
from dnerf_core.files.pictures import write_image, write_mask
from dnerf_core.inversion.pose import camera_at
from dnerf_core.model import Model
from headless import cli
from tests.headless.tiny_engine import LABELS

YAW_DEG, PITCH_DEG = 20.0, 12.0
SEED = 7


@dataclass(frozen=True)
class Said:
    """What a call said: its exit code, the JSON lines or other lines of stdout, and the lines of stderr."""

    code: int
    out: list[str]
    err: list[str]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The JSON lines of a kind."""
        return [line for line in map(json.loads, self.out) if line["event"] == kind]

    @property
    def summary(self) -> dict[str, Any]:
        """The closing object."""
        last: dict[str, Any] = json.loads(self.out[-1])
        assert last["event"] == "summary"
        return last

    @property
    def error(self) -> str:
        """The one line of a failure."""
        assert len(self.err) == 1, self.err
        return self.err[0]


def said(*args: str | Path) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run([str(arg) for arg in args])
    return Said(code, out.getvalue().splitlines(), err.getvalue().splitlines())


def write_pictures(folder: Path, model: Path) -> None:
    """photo.png, mask.png and cameras.json: a view of a subject, its labels and its camera."""
    engine = Model.load(model)
    camera = camera_at(np.radians(YAW_DEG), np.radians(PITCH_DEG), engine.config.cameras)
    view = engine.subject(SEED).render(camera)
    assert view.mask is not None
    write_image(folder / "photo.png", view.rgb)
    write_mask(folder / "mask.png", view.mask, LABELS.palette())
    (folder / "cameras.json").write_text(json.dumps(cameras_to_json([camera], ["v"])))


def noise(path: Path, size_px: int = 128) -> Path:
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (size_px, size_px, 3), np.uint8)).save(path)
    return path


def write_vgg(path: Path, seed: int = 0) -> Path:
    """A file of random weights of VGG16's shapes."""
    rng = np.random.default_rng(seed)
    shapes = vgg16_shapes()
    save_file(
        {name: (rng.standard_normal(s, np.float32) * np.sqrt(2 / np.prod(s[1:] or (900,)))) for name, s in shapes.items()}, path
    )
    return path


def ending_after(steps: int) -> Callable[[], contextlib.AbstractContextManager[Callable[[], bool]]]:
    """Stands in for `ending_early`: Ctrl-C is pressed before the step of that number."""

    @contextlib.contextmanager
    def ending() -> Iterator[Callable[[], bool]]:
        asked = 0

        def stop() -> bool:
            nonlocal asked
            asked += 1
            return asked >= steps

        yield stop

    return ending
