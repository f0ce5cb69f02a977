"""Small clips and pictures whose grey level encodes the frame number, made with OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgeagent.imaging.frame import Image

STEP = 8  # grey levels between two frames, above the error of a lossy codec


def grey(number: int, size: tuple[int, int] = (64, 48)) -> Image:
    """Return frame ``number``: (height, width, 3) uint8, uniform grey."""
    return np.full((size[1], size[0], 3), number * STEP % 256, np.uint8)


def number_of(image: Image) -> int:
    """Return the number of a frame made by :func:`grey`."""
    return round(float(image.mean()) / STEP)


def write_clip(
    path: Path, frames: int = 10, fps: float = 25.0, size: tuple[int, int] = (64, 48), fourcc: str = "MJPG"
) -> Path:
    """Write a clip of numbered frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(grey(number, size))
    writer.release()
    return path


def encode(image: Image, suffix: str = ".png") -> bytes:
    """Return the bytes of a picture file."""
    ok, data = cv2.imencode(suffix, image)
    assert ok
    return data.tobytes()


def write_pictures(folder: Path, frames: int = 5, size: tuple[int, int] = (64, 48)) -> Path:
    """Write a folder of numbered pictures."""
    folder.mkdir(exist_ok=True)
    for number in range(frames):
        (folder / f"{number:03}.png").write_bytes(encode(grey(number, size)))
    return folder
