"""Pictures with polygons as a YOLO data set, and the bundle of a small model that they calibrate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import edgeagent

Outline = tuple[int, Sequence[float]]
"""Class, and corners x y x y ... in shares of the picture."""


def write_pictures(
    folder: Path, seed: int, pictures: Iterable[tuple[npt.NDArray[np.uint8], Sequence[Outline]]]
) -> Path:
    """Write pictures (height, width, 3) with their polygons into a folder without splits; return it."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number, (picture, found) in enumerate(pictures):
        cv2.imwrite(str(folder / "images" / f"{seed}-{number}.png"), picture)
        lines = (f"{index} {' '.join(f'{value:.5f}' for value in outline)}\n" for index, outline in found)
        (folder / "labels" / f"{seed}-{number}.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def calibrated_bundle(
    folder: Path,
    model: Path,
    draw: Callable[[Path, int, int], Path],
    counts: tuple[int, int, int],
    formats: tuple[str, ...],
) -> Path:
    """Write pictures and the bundle of a model's calibration into a folder; return the bundle.

    Args:
        folder: of the pictures and the bundle.
        model: float model, with its description beside it.
        draw: writes pictures, called with folder, count and seed.
        counts: of pictures to calibrate on, to measure on, and of the golden set.
        formats: of the artefacts.
    """
    train, val, golden = counts
    edgeagent.quantize(
        model,
        draw(folder / "train", train, 0) / "images",
        folder / "bundle",
        val_dataset=draw(folder / "val", val, 1),
        golden=draw(folder / "golden", golden, 2) / "images",
        formats=formats,
        quick=True,
        compiled=False,
    )
    return folder / "bundle"
