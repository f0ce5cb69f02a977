"""Labels of people for received frames: read in any of the four formats, checked, and stored all or none."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edgeagent.datasets.returned_kinds import read_returned
from edgeagent.datasets.returned_labels import ReturnedLabels, ReturnedPicture
from edgeagent.errors import DataError, EdgeagentError
from edgeagent.files.naming import printable
from edgeagent.fleet.frames.frame_archive import FrameArchive, ReceivedFrame
from edgeagent.fleet.frames.label_archive import SUFFIXES, unpack_labels
from edgeagent.fleet.frames.received_notes import ReceivedObject, TakenLabels

MOST_UPLOADED = 33_554_432
"""Most bytes of a file that is brought."""
MOST_OBJECTS = 1000
"""Most objects of one frame."""
MOST_VALUES, MOST_YAML = 4_000_000, 100_000
"""Most values of all files, of which each takes 60 bytes of memory and more; most bytes of a YAML file."""
SEPARATORS = {".json": (b",", b"[", b"{"), ".xml": (b"<", b"="), ".txt": (b" ", b"\n")}
"""What stands before, or behind, each value."""


def take_labels(
    archive: FrameArchive, tenant: str | None, name: str, content: bytes, by: str, now: float | None = None
) -> tuple[int, int]:
    """Take labels back.

    Args:
        archive: of the frames.
        tenant: whose frames are labelled; None for those of all.
        name: of the file, whose suffix tells ZIP, JSON and XML apart.
        content: of the file.
        by: name of the user.
        now: seconds since 1970; None is the clock.

    Returns:
        Number of frames that are labelled now, and of pictures that nobody has labelled yet.

    Raises:
        DataError: something does not fit, or cannot be written; nothing is stored.
    """
    known = {one.key.name: one for one in archive.frames(tenant)}
    try:
        returned = _returned(archive, known, name, content)
    except OSError as error:
        raise DataError(
            f"the labels cannot be unpacked here ({error.strerror}); make room for temporary files, and "
            "bring them again"
        ) from error
    if not returned.pictures:
        raise DataError(f"none of the {returned.waiting} pictures is labelled yet; nothing to take")
    at = time.time() if now is None else now
    checked = [(_frame_of(one, known), one) for one in returned.pictures]
    if len({frame.key for frame, _ in checked}) < len(checked):
        raise DataError("a picture is listed twice; which labels belong to it? keep one")
    labels = {frame.key: TakenLabels(objects=_objects(one), by=by, at=at) for frame, one in checked}
    try:
        archive.put_labels(labels)
    except EdgeagentError as error:
        raise DataError(str(error)) from error
    return len(checked), returned.waiting


def _returned(
    archive: FrameArchive, known: dict[str, ReceivedFrame], name: str, content: bytes
) -> ReturnedLabels:
    """Read labels through temporary files.

    Raises:
        DataError: they cannot be read.
        OSError: there is no room for the files.
    """
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        images = folder / "images"
        images.mkdir()
        for frame in known.values():
            picture = archive.picture(frame.key)
            if picture is not None:
                (images / frame.key.name).symlink_to(picture.absolute())
        given = folder / "labels"
        if suffix == ".zip":
            given = unpack_labels(content, given)
        else:
            given = folder / f"given{suffix if suffix in SUFFIXES else '.unknown'}"
            given.write_bytes(content)
        try:
            _check_values([given] if given.is_file() else sorted(given.rglob("*")))
            return read_returned(given, images)
        except DataError as error:
            raise DataError(str(error).replace(f"{place}/", "")) from None


def _check_values(paths: Sequence[Path]) -> None:
    """Refuse files that would take much memory when they are read."""
    count = 0
    for path in paths:
        suffix = path.suffix.lower()
        if not path.is_file():
            continue
        if suffix in (".yaml", ".yml") and path.stat().st_size > MOST_YAML:
            raise DataError(f"{printable(path)}: larger than {MOST_YAML} bytes; names of classes are shorter")
        if suffix in SEPARATORS:
            content = path.read_bytes()
            count += sum(content.count(one) for one in SEPARATORS[suffix])
    if count > MOST_VALUES:
        raise DataError(
            f"the labels hold about {count} values; {MOST_VALUES} are the most: export fewer frames at once"
        )


def _frame_of(picture: ReturnedPicture, known: dict[str, ReceivedFrame]) -> ReceivedFrame:
    frame = known.get(picture.name)
    if frame is None:
        raise DataError(f"{printable(picture.name)}: there is no such frame here; export the frames again")
    size = (float(frame.notes.width), float(frame.notes.height))
    if picture.size is not None and picture.size != size:
        raise DataError(
            f"{printable(picture.name)}: was labelled with {picture.size[0]:g} x {picture.size[1]:g} pixels, "
            f"the frame has {size[0]:g} x {size[1]:g}"
        )
    return frame


def _objects(picture: ReturnedPicture) -> tuple[ReceivedObject, ...]:
    if len(picture.objects) > MOST_OBJECTS:
        raise DataError(f"{printable(picture.name)}: more than {MOST_OBJECTS} objects")
    found = []
    for one in picture.objects:
        if one.box is None or one.outline:
            raise DataError(
                f"{printable(picture.name)}: has a class of the whole picture or a polygon; the page keeps "
                "boxes, `edgeagent frames labels` takes the others"
            )
        if len(one.label) > 128:
            raise DataError(f"{printable(picture.name)}: a class with more than 128 letters")
        found.append(ReceivedObject(label=one.label, box=one.box))
    return tuple(found)
