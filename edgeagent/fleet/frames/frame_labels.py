"""Labels of people for received frames: read in any of the four formats, checked, and stored all or none."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath

from edgeagent.datasets.returned_kinds import read_returned
from edgeagent.datasets.returned_labels import ReturnedPicture
from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.fleet.frames.frame_archive import FrameArchive, ReceivedFrame
from edgeagent.fleet.frames.received_notes import ReceivedObject, TakenLabels

MOST_UPLOADED = 33_554_432
MOST_UNPACKED, MOST_FILES = 268_435_456, 20_000
SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml")
MOST_OBJECTS = 1000


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
        DataError: something does not fit; nothing is stored.
    """
    known = {one.key.name: one for one in archive.frames(tenant)}
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
            given = _unpacked(content, given)
        else:
            given = folder / f"given{suffix if suffix in SUFFIXES else '.unknown'}"
            given.write_bytes(content)
        try:
            returned = read_returned(given, images)
        except DataError as error:
            raise DataError(str(error).replace(f"{place}/", "")) from None
    if not returned.pictures:
        raise DataError(f"none of the {returned.waiting} pictures is labelled yet; nothing to take")
    at = time.time() if now is None else now
    checked = [(_frame_of(one, known), one) for one in returned.pictures]
    if len({frame.key for frame, _ in checked}) < len(checked):
        raise DataError("a picture is listed twice; which labels belong to it? keep one")
    labels = [(frame.key, TakenLabels(objects=_objects(one), by=by, at=at)) for frame, one in checked]
    for key, taken in labels:
        archive.put_labels(key, taken)
    return len(labels), returned.waiting


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


def _unpacked(content: bytes, folder: Path) -> Path:
    """Unpack the labels of an archive, not its pictures; return the folder that they are in.

    Raises:
        DataError: it is none, holds a name that leads out of it, or too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = [one for one in file.infolist() if PurePosixPath(one.filename).suffix in SUFFIXES]
            if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_UNPACKED:
                raise DataError(f"the archive holds more than {MOST_FILES} files or {MOST_UNPACKED} bytes")
            for one in members:
                parts = PurePosixPath(one.filename.replace("\\", "/")).parts
                if one.filename.startswith("/") or ".." in parts or any("\0" in part for part in parts):
                    raise DataError("the archive holds a name that leads out of it; pack it again")
                path = folder.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open(one) as packed:
                    path.write_bytes(packed.read(one.file_size + 1)[: one.file_size])
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(
            f"no ZIP archive that can be unpacked ({type(error).__name__}); pack it again"
        ) from None
    if not folder.is_dir():
        raise DataError("the archive holds no labels (.json, .xml, or .txt with data.yaml)")
    inner = [one for one in folder.iterdir() if one.is_dir() and one.name != "labels"]
    return inner[0] if len(inner) == 1 and len(list(folder.iterdir())) == 1 else folder
