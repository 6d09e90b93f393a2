"""The client's folder, through which arrays travel as `.npy` files by plain names."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.errors import OutputError, UsageError, brief
from dnerf_core.files.whole import output_error

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\.npy")


class Exchange:
    """A folder that the client made and will remove; nothing outside it is written or read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    def put(self, array: NDArray[Any]) -> str:
        """Write an array for the client; returns its name. Whole by the time the client hears the name.

        Raises:
            OutputError: it cannot be written.
        """
        name = f"w{next(self._numbers):06d}.npy"
        try:
            np.save(self.folder / name, array, allow_pickle=False)
        except OSError as error:
            raise output_error(self.folder / name, error) from error
        return name

    def take(self, name: Any) -> NDArray[Any]:
        """An array that the client wrote, whose file is removed.

        Raises:
            UsageError: the name is no plain one.
            OutputError: there is no such array.
        """
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise UsageError(f"array: expected a plain name such as c000001.npy, found {brief(name)}; leave folders out")
        path = self.folder / name
        try:
            array: NDArray[Any] = np.load(path, allow_pickle=False)
            path.unlink()
        except (OSError, ValueError, EOFError) as error:
            raise OutputError(f"{path}: expected an array of the client, it cannot be read ({error}); send it again") from error
        return array
