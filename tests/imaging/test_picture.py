"""Picture files, intact and damaged."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from edgeagent.errors import DataError
from edgeagent.imaging.picture import is_truncated, read_picture
from tests.camera.media import encode


@pytest.fixture
def scene() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Return (48, 64, 3): red left half, noise in the right half for a JPEG of some length."""
    image = np.random.default_rng(7).integers(0, 256, (48, 64, 3), np.uint8)
    image[:, :32] = (0, 0, 255)
    return image


Scene = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_a_lossless_picture_is_read_as_bgr(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "scene.png"
    path.write_bytes(encode(scene))
    image = read_picture(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, scene)


@pytest.mark.parametrize(
    "picture",
    [
        np.full((48, 64), 90, np.uint8),
        np.full((48, 64, 4), 90, np.uint8),
        np.full((48, 64), 90 * 257, np.uint16),
    ],
    ids=["grey", "alpha", "16 bit"],
)
def test_other_pixel_formats_become_8_bit_bgr(
    tmp_path: Path, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode(picture))
    image = read_picture(path)
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {90}


def test_exif_orientation_is_applied(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_exif_orientation(encode(scene, ".jpg"), 6))
    assert read_picture(path).shape == (64, 48, 3)


def test_a_name_that_is_not_utf8(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / os.fsdecode(b"sc\xe9ne.png")
    path.write_bytes(encode(scene))
    assert np.array_equal(read_picture(path), scene)
    path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"sc\\xe9ne\.png cannot be decoded") as caught:
        read_picture(str(path))
    str(caught.value).encode()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_picture_is_an_error_wherever_it_was_cut(
    tmp_path: Path, scene: Scene, suffix: str
) -> None:
    data = encode(scene, suffix)
    path = tmp_path / f"cut{suffix}"
    for length in range(1, len(data) - 1, 37):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"truncated|cannot be decoded"):
            read_picture(path)
    path.write_bytes(data[:-2])
    with pytest.raises(DataError, match="truncated"):
        read_picture(path)


def test_the_end_of_a_thumbnail_is_not_taken_for_the_end_of_the_picture(scene: Scene) -> None:
    thumbnail = encode(scene[:8, :8], ".jpg")
    whole = encode(scene, ".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = whole[:2] + segment + whole[2:]
    assert not is_truncated(data)
    assert is_truncated(data[:-10])


@pytest.mark.parametrize("trailer", [b"\xff\xda\x00\x08 a motion photo's clip \xff\xd8", b"\x00" * 40])
def test_bytes_after_the_end_do_no_harm(tmp_path: Path, scene: Scene, trailer: bytes) -> None:
    path = tmp_path / "trailer.jpg"
    path.write_bytes(encode(scene, ".jpg") + trailer)
    assert read_picture(path).shape == scene.shape


@pytest.mark.parametrize("make", ["missing", "empty", "text", "folder"])
def test_what_is_no_picture_is_a_data_error_with_its_name(tmp_path: Path, make: str) -> None:
    path = tmp_path / "picture.jpg"
    if make == "empty":
        path.touch()
    elif make == "text":
        path.write_text("hello")
    elif make == "folder":
        path.mkdir()
    with pytest.raises(DataError, match=r"picture\.jpg"):
        read_picture(path)
