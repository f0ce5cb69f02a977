"""Sizes of pictures with an EXIF orientation, compared with those that are read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.datasets.picture_shape import displayed_size
from edgeagent.imaging.picture import read_picture

TURNED = 6


def exif(orientation: int) -> bytes:
    """Return an EXIF block with nothing but an orientation."""
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0) + b"\0" * 4


def picture(kind: str, width: int, height: int, orientation: int) -> bytes:
    """Return a picture file with an EXIF block."""
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    data, block = cv2.imencode(f".{kind}", pixels)[1].tobytes(), exif(orientation)
    if kind == "jpg":
        block = b"Exif\0\0" + block
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    if kind == "png":
        chunk = b"eXIf" + block
        whole = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return data[:33] + whole + data[33:]
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    head = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + sides
    body = b"WEBP" + head + data[12:] + b"EXIF" + struct.pack("<I", len(block)) + block
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("orientation", [1, 3, TURNED, 8])
@pytest.mark.parametrize("size", [(64, 48), (633, 640), (640, 633), (9, 10), (64, 64)])
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_the_size_is_that_of_the_picture_that_is_read(
    kind: str, size: tuple[int, int], orientation: int, tmp_path: Path
) -> None:
    path = tmp_path / f"p.{kind}"
    path.write_bytes(picture(kind, *size, orientation))
    height, width = read_picture(path).shape[:2]
    assert displayed_size(path) == (width, height)


def test_a_picture_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    data = bytearray(picture("jpg", 64, 48, TURNED))
    place = data.find(b"\xff\xc0")
    data[place + 5 : place + 9] = b"\xff" * 4
    path = tmp_path / "p.jpg"
    path.write_bytes(data)
    assert displayed_size(path) == (65535, 65535)


def test_a_header_without_a_picture(tmp_path: Path) -> None:
    data = picture("png", 64, 48, TURNED)
    path = tmp_path / "p.png"
    path.write_bytes(data[:80])
    assert displayed_size(path) == (64, 48)
