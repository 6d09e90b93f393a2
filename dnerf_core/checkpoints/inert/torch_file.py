"""Reads what torch.save wrote, zip or legacy, as inert records: by the machine and the list of names that a release is read by.

The zip holds one pickle and an entry a storage; the legacy file is five pickles with the storages behind them.
"""

from __future__ import annotations

import re
import zipfile
from typing import Any

from dnerf_core.checkpoints.inert.builder import InertBuilder
from dnerf_core.checkpoints.inert.mapped_file import as_file
from dnerf_core.checkpoints.inert.nested_storage import read_legacy_pickles, take_storage
from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, MalformedPickleError, PickleMachine, shown

MAX_PICKLE_BYTES = 256 * 2**20
"""Of a zip's own pickle: a state dict's takes some hundred bytes a tensor, a module's carries its source text."""

ZIP_MAGIC = b"PK\x03\x04"

_ZIP_ERRORS = (zipfile.BadZipFile, LookupError, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)
"""The ways in which zipfile says that a file is damaged."""


def read_legacy(data: memoryview) -> Any:
    """The content of a file in torch's legacy format; its tensors stay in `data` until they are wanted.

    Raises:
        MalformedPickleError: another format, a name that no checkpoint needs, or storages that do not fit the file.
    """
    storages: dict[str, memoryview] = {}
    builder = InertBuilder(storages.__getitem__)
    tree, keys, position = read_legacy_pickles(data, builder)
    if sorted(keys) != sorted(builder.storages):
        raise MalformedPickleError("does not hold exactly the storages it describes")
    for key in keys:
        storages[key], position = take_storage(data, position, *builder.storages[key])
    if position != len(data):
        raise DamagedPickleError(f"has {len(data) - position} bytes after its end")
    return tree


def read_zip(data: memoryview) -> Any:
    """The content of a zip that torch.save wrote; each tensor is read, and its check sum compared, when it is wanted.

    `data` is of a mapped file (see `mapped_file`).

    Raises:
        MalformedPickleError: another archive, a compressed one, a name that no checkpoint needs, or entries of other sizes.
    """
    try:
        archive = zipfile.ZipFile(as_file(data))
        names = set(archive.namelist())
        root = next((name[: -len("/data.pkl")] for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)), None)
        if root is None:
            raise MalformedPickleError(_no_torch_zip(archive))
        if f"{root}/constants.pkl" in names:
            raise MalformedPickleError("is a TorchScript archive, which holds compiled code in place of a checkpoint")

        def read(name: str, max_bytes: int, min_bytes: int = 0) -> memoryview:
            info = archive.getinfo(f"{root}/{name}")
            # torch stores without compression: an entry cannot become larger than the file
            if info.compress_type != zipfile.ZIP_STORED:
                raise MalformedPickleError(
                    f"is a zip file with {shown(name)} compressed, which torch.save does not do; unpack and zip it anew"
                )
            if not min_bytes <= info.file_size <= max_bytes:
                raise DamagedPickleError(
                    f"is a zip file with {shown(name)} in {info.file_size} bytes, expected {min_bytes or max_bytes}"
                )
            try:
                return memoryview(archive.read(info))
            except _ZIP_ERRORS as error:
                raise DamagedPickleError(f"is a damaged zip file ({type(error).__name__})") from error

        if f"{root}/byteorder" in names and bytes(read("byteorder", 16)) != b"little":
            raise MalformedPickleError("was not written on a little-endian machine")

        def storage(key: str) -> memoryview:
            element, count = builder.storages[key]
            return read(f"data/{key}", element.bytes * count, element.bytes * count)

        builder = InertBuilder(storage)
        pickled = read("data.pkl", MAX_PICKLE_BYTES)
        try:
            tree = PickleMachine(pickled, builder).run()
        except DamagedPickleError as error:
            raise DamagedPickleError(f"is a zip file whose data.pkl {error}") from error
        for key, (element, count) in builder.storages.items():
            if count and (
                f"{root}/data/{key}" not in names or archive.getinfo(f"{root}/data/{key}").file_size != element.bytes * count
            ):
                raise DamagedPickleError(f"is a damaged zip file without {count} {element.name} values as {shown(f'data/{key}')}")
        return tree
    except _ZIP_ERRORS as error:
        raise DamagedPickleError(f"is a damaged zip file ({type(error).__name__})") from error


def _no_torch_zip(archive: zipfile.ZipFile) -> str:
    inside = [name for name in archive.namelist() if name.endswith((".pkl", ".pth", ".pt", ".safetensors"))]
    if inside:
        return f"is a zip file with {shown(inside[0])} inside: unpack it and pass that"
    return "is a zip file that torch.save did not write"
