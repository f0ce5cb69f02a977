"""Size of picture files by their headers, and the limit of size."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.camera.folder import FolderSource
from edgeagent.errors import DataError
from edgeagent.imaging.picture import PICTURE_SUFFIXES, read_picture
from edgeagent.imaging.picture_size import picture_size
from tests.camera.media import encode, grey


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG file whose header states a size; its rows are missing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_every_format_states_its_size(suffix: str) -> None:
    image = grey(5, (301, 77))
    written = image[:, :, 0] if suffix == ".pgm" else image
    assert picture_size(encode(written, suffix)) == (301, 77)


def test_lossless_webp_states_its_size() -> None:
    ok, data = cv2.imencode(".webp", grey(5, (301, 77)), [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert ok
    assert picture_size(data.tobytes()) == (301, 77)


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_a_cut_header_gives_a_size_or_nothing(suffix: str) -> None:
    written = np.ascontiguousarray(grey(5)[:, :, 0]) if suffix == ".pgm" else grey(5)
    data = encode(written, suffix)
    for length in range(60):
        assert picture_size(data[:length]) in (None, (64, 48)) or suffix in {".pgm", ".ppm", ".webp"}


def test_a_picture_beyond_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(32000, 32000))
    with pytest.raises(DataError, match=r"bomb\.png has 32000 x 32000 pixels.*limit of 100 million"):
        read_picture(path)


def test_a_folder_leaves_it_out_and_counts_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(huge_png(32000, 32000))
    (tmp_path / "b.png").write_bytes(encode(grey(3)))
    source = FolderSource(tmp_path)
    source.open()
    image = source.read(None)
    assert image is not None
    assert image.shape == (48, 64, 3)
    assert source.unreadable == 1
