"""The files of a training: whether its result is there already, and whether each of them has a place to go."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnerf_core.errors import CheckpointError, OutputError
from dnerf_core.files.whole import check_writable, make_folder, output_error, remove_files
from headless.annotating.training_state import state_path
from headless.pictures.picture_grid import drawn_by

GRID, CURVE, TABLE = "-grid.png", "-loss.png", "-loss.csv"
"""What the names of files beside a network end with: its predictions, and its losses drawn and as numbers."""


def file_beside(output: Path, ending: str) -> Path:
    """A file beside the output of a training: `-grid.png` gives NAME-grid.png."""
    return output.with_name(f"{output.stem}{ending}")


def finished_record(output: Path, call_sha256: str, record_in: Callable[[Path], Any]) -> dict[str, Any] | None:
    """The record of this very training if its output holds the result already; None if there is no output.

    Args:
        record_in: what a file of the output's kind says of its training.

    Raises:
        OutputError: the output is something else.
    """
    try:
        exists = output.exists()
    except OSError as error:
        raise output_error(output, error) from error
    if not exists:
        make_folder(output.parent)
        return None
    try:
        record = record_in(output)
    except CheckpointError:
        record = None
    if not isinstance(record, dict) or record.get("call_sha256") != call_sha256:
        raise OutputError(f"{output}: expected a new file, it holds something else; remove it, or choose another --output")
    remove_files([state_path(output)])
    return record


def check_network_places(output: Path, call_sha256: str, onnx: Path | None, size_bytes: int = 1) -> None:
    """Make sure that everything the training of a network writes has a place to go, before it costs any time.

    Args:
        size_bytes: of the network.

    Raises:
        OutputError: a file cannot be written, the disk is too full, or a file that this training did not write is in the way.
    """
    grid, *curves = (file_beside(output, ending) for ending in (GRID, CURVE, TABLE))
    ours = os.path.lexists(grid) and drawn_by(grid) == call_sha256
    others = [] if ours else [grid, *curves]  # the curves are this training's own where the grid is
    for path in [*others, *([] if onnx is None else [onnx])]:
        if os.path.lexists(path):
            raise OutputError(
                f"{path}: expected no file where a result of this training goes, found one; remove it, or choose another name"
            )
    check_writable(output, size_bytes)
    for path in (grid, state_path(output)):
        check_writable(path)
    if onnx is not None:
        make_folder(onnx.parent)
        check_writable(onnx, size_bytes)


def write_onnx_once(onnx: Path | None, write: Callable[[Path], None]) -> None:
    """Have a network written as ONNX, where the call wants that and the file is not there.

    Raises:
        OutputError: it cannot be written.
    """
    if onnx is not None and not onnx.exists():
        make_folder(onnx.parent)
        write(onnx)
