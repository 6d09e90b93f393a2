"""Files of views as a shard holds them where its readers' decoders, which make pictures 8-bit RGB, would spoil the files' own bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnerf_core.labels import LabelSet


def gray_png(path: Path, labels: LabelSet | None, size_px: int) -> bytes:
    """A mask without a palette, whose colours would take the ids' place."""
    from dnerf_core.files.encoding.png import ids_png
    from dnerf_core.files.masks import read_mask

    assert labels is not None
    return ids_png(read_mask(path, labels, size_px))


def float_npy(path: Path, labels: LabelSet | None, size_px: int) -> bytes:
    """Depth of a 16-bit picture as the float32 array that it stands for, +inf at background."""
    import numpy as np

    from dnerf_core.files.pictures import read_depth

    buffer = io.BytesIO()
    np.save(buffer, read_depth(path))
    return buffer.getvalue()


def half_npy(path: Path, labels: LabelSet | None, size_px: int) -> bytes:
    """Uncertainty in steps of 1/65535 as a float16 array."""
    import numpy as np

    from dnerf_core.files.pictures import read_gray16

    buffer = io.BytesIO()
    np.save(buffer, (read_gray16(path) / 65535).astype(np.float16))
    return buffer.getvalue()
