"""Search for pictures in folders, and their division into those for training and for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from edgeagent.datasets.picture_files import list_pictures
from edgeagent.errors import DataError
from edgeagent.imaging.picture import PICTURE_SUFFIXES

HELD_OUT = 64  # most pictures held out
HELD_OUT_SHARE = 0.1


def find_pictures(folders: Sequence[Path]) -> list[Path]:
    """Return the pictures below the folders, sorted by name within each; a repeated folder counts again.

    Raises:
        DataError: a folder is missing or has no pictures.
    """
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder of pictures")
        pictures = list_pictures(folder, recursive=True)
        if not pictures:
            raise DataError(f"{folder}: no pictures here; {', '.join(sorted(PICTURE_SUFFIXES))} are read")
        found.extend(pictures)
    return found


def evenly_spread(pictures: Sequence[Path], count: int) -> Sequence[Path]:
    """Return at most ``count`` of the pictures, at even distances."""
    return pictures[:: max(1, len(pictures) // count)][:count]


def pictures_hash(pictures: Sequence[Path]) -> str:
    """Return sha256 over the contents of the pictures, in order, as hex."""
    digest = hashlib.sha256()
    for path in pictures:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check_varied(pictures: Sequence[Path]) -> None:
    """Reject pictures that are all identical.

    Raises:
        DataError: there are several files of the same content, or one cannot be read.
    """
    try:
        contents = {hashlib.sha256(path.read_bytes()).digest() for path in dict.fromkeys(pictures)}
    except OSError as error:
        raise DataError(f"{error.filename}: the picture cannot be read ({error.strerror})") from None
    if len(contents) == 1 and len(pictures) > 1:
        raise DataError(
            f"{pictures[0].parent}: all {len(pictures)} pictures are the same; ranges and weights made from "
            "one picture fit no other: give pictures like those the camera will see"
        )


def hold_out(pictures: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return (pictures to train on, held-out pictures): an even sample of a tenth, 64 at most, is held out.

    A picture that is listed more than once is either held out or trained on.
    """
    unique = list(dict.fromkeys(pictures))
    count = min(HELD_OUT, int(len(unique) * HELD_OUT_SHARE))
    held = {unique[position * len(unique) // count] for position in range(count)}
    return [path for path in pictures if path not in held], [path for path in unique if path in held]
