"""Our EXR bytes, read by the OpenEXR library: every size, compressible or not, comes back bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from dnerf_core.files.exr import exr_bytes


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (16, 16), (17, 5), (33, 64), (48, 31)])
@pytest.mark.parametrize("kind", ["noise", "smooth", "zero"])
def test_the_library_reads_what_we_write(shape: tuple[int, int], kind: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2**31, shape, dtype=np.int32).view(np.float32)
    noise[~np.isfinite(noise)] = 1.0
    smooth = np.add.outer(np.linspace(1, 2, shape[0]), np.linspace(0, 1, shape[1])).astype(np.float32)
    values = {"noise": noise, "smooth": smooth, "zero": np.zeros(shape, np.float32)}[kind]
    path = tmp_path / "depth.exr"
    path.write_bytes(exr_bytes(values, "Z"))
    with OpenEXR.File(str(path)) as file:
        header = file.header()
        assert header["compression"] == OpenEXR.ZIP_COMPRESSION
        assert header["type"] == OpenEXR.scanlineimage
        np.testing.assert_array_equal(header["dataWindow"][1], [shape[1] - 1, shape[0] - 1])
        assert list(file.channels()) == ["Z"]
        np.testing.assert_array_equal(file.channels()["Z"].pixels, values)


def test_it_is_as_small_as_the_librarys_own(tmp_path: Path) -> None:
    smooth = np.add.outer(np.linspace(1, 2, 256), np.linspace(0, 1, 256)).astype(np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Z": smooth}).write(str(tmp_path / "theirs.exr"))
    assert len(exr_bytes(smooth, "Z")) <= 1.1 * (tmp_path / "theirs.exr").stat().st_size
