"""A PNG whose bytes are damaged is refused by everything that reads one for its data."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerf_core.errors import AnnotationError, OutputError, PhotoError
from dnerf_core.files.masks import read_mask
from dnerf_core.files.opening.whole_png import DamagedPngError, check_png
from dnerf_core.files.photos import BLACK, read_label_mask, read_photo
from dnerf_core.files.pictures import read_gray16, read_image
from dnerf_core.labels import SHAPENET_CAR_LABELS

FILES = Path(__file__).parent / "files"
WHOLE, FLIPPED = FILES / "mask-whole.png", FILES / "mask-one-bit-flipped.png"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        found.append((kind, data[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def test_pillow_alone_takes_the_flipped_bit() -> None:
    """The reason for a check of our own: should Pillow learn it, this test says so."""
    whole, flipped = (np.array(Image.open(path)) for path in (WHOLE, FLIPPED))
    assert (whole != flipped).sum() > 1000


def test_the_whole_mask_is_read() -> None:
    mask = read_mask(WHOLE, SHAPENET_CAR_LABELS, 256)
    assert np.bincount(mask.ravel()).tolist() == [54712, 2630, 1628, 1180, 5386]


def test_the_flipped_bit_is_refused_by_every_reader() -> None:
    with pytest.raises(
        AnnotationError, match=r"mask-one-bit-flipped.png: expected a PNG image.*wrong check sum in its PNG chunk 'IDAT'"
    ):
        read_mask(FLIPPED, SHAPENET_CAR_LABELS, 256)
    with pytest.raises(AnnotationError, match="check sum"):
        read_label_mask(FLIPPED, 256, "pad", SHAPENET_CAR_LABELS)
    with pytest.raises(PhotoError, match="check sum"):
        read_photo(FLIPPED, 256, "pad", BLACK)
    for reader in (read_image, read_gray16):
        with pytest.raises(OutputError, match="check sum"):
            reader(FLIPPED)


@pytest.mark.parametrize("position", [20, 60, 850, 1200, 1580, 1610])
def test_any_flipped_bit_is_refused(position: int) -> None:
    data = bytearray(WHOLE.read_bytes())
    data[position] ^= 4
    with pytest.raises(DamagedPngError):
        check_png(io.BytesIO(data))


def test_zlibs_own_sum_is_held() -> None:
    """Chunk sums made anew over damaged pixels, as a repairing tool would."""
    chunks = chunks_of(WHOLE.read_bytes())
    broken = [(kind, data[:-1] + bytes([data[-1] ^ 1]) if kind == b"IDAT" else data) for kind, data in chunks]
    with pytest.raises(DamagedPngError, match="cannot be unpacked"):
        check_png(io.BytesIO(png_of(broken)))


def test_pixels_in_many_chunks_and_bytes_after_the_end_are_whole() -> None:
    chunks = chunks_of(WHOLE.read_bytes())
    pieces = [
        (kind, piece)
        for kind, data in chunks
        for piece in ([data[i : i + 100] for i in range(0, len(data), 100)] if kind == b"IDAT" else [data])
    ]
    check_png(io.BytesIO(png_of(pieces) + b"what another program appended"))


@pytest.mark.parametrize("end", [30, 900, -12, -4])
def test_a_cut_file_is_refused(end: int) -> None:
    with pytest.raises(DamagedPngError):
        check_png(io.BytesIO(WHOLE.read_bytes()[:end]))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_passes(tmp_path: Path, mode: str) -> None:
    image = Image.new("L", (33, 21), 7).convert(mode) if mode != "I;16" else Image.fromarray(np.full((21, 33), 700, np.uint16))
    image.save(tmp_path / "x.png")
    with (tmp_path / "x.png").open("rb") as file:
        check_png(file)
