"""ZIP archive with labels, unpacked within limits, without its pictures."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from edgeagent.datasets.picture_files import RESOURCE_FORK
from edgeagent.errors import DataError
from edgeagent.files.naming import printable

SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml")
MOST_UNPACKED, MOST_FILES = 33_554_432, 20_000
"""Most bytes, and files, of labels in one archive."""
MOST_RATIO, RATIO_FROM = 100, 1_000_000
"""Most that an archive of labels may grow by, from so many bytes on: labels grow by 10 to 30."""
MACOS = "__MACOSX"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def unpack_labels(content: bytes, folder: Path) -> Path:
    """Unpack the labels of an archive; return the folder that they are in.

    Args:
        content: of the archive.
        folder: that is made.

    Raises:
        DataError: it is no archive, is damaged, holds a name that leads out of it, too much, or no labels.
        OSError: the labels cannot be written.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = _members(file)
            for one in members:
                path = folder.joinpath(*_parts(one))
                packed = file.read(one)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packed)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(
            f"no ZIP archive that can be unpacked ({type(error).__name__}); pack it again"
        ) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise DataError("the archive holds a file and a folder of one name; pack it again") from None
    if not folder.is_dir():
        raise DataError("the archive holds no labels (.json, .xml, or .txt with data.yaml)")
    inner = [one for one in folder.iterdir() if one.is_dir() and one.name != "labels"]
    return inner[0] if len(inner) == 1 and len(list(folder.iterdir())) == 1 else folder


def _members(file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of labels.

    Raises:
        DataError: there is too much of them, or one cannot be unpacked.
    """
    members = [one for one in file.infolist() if _is_label_file(one)]
    size = sum(one.file_size for one in members)
    if len(members) > MOST_FILES or size > MOST_UNPACKED:
        raise DataError(
            f"the archive holds {len(members)} files of labels with {size} bytes; {MOST_FILES} files and "
            f"{MOST_UNPACKED} bytes are the most: export fewer frames at once"
        )
    if size > RATIO_FROM and size > MOST_RATIO * sum(one.compress_size for one in members):
        raise DataError(
            f"the labels of the archive grow by more than {MOST_RATIO} times when they are unpacked, which "
            "labels do not; export them again"
        )
    if any(one.compress_type not in METHODS for one in members):
        raise DataError("the archive is packed in an unusual way; pack it again as ZIP with deflate")
    return members


def _is_label_file(one: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(one.filename)
    left_out = MACOS in path.parts or path.name.startswith(RESOURCE_FORK) or one.is_dir()
    return path.suffix.lower() in SUFFIXES and not left_out


def _parts(one: zipfile.ZipInfo) -> tuple[str, ...]:
    parts = PurePosixPath(one.filename.replace("\\", "/")).parts
    if one.filename.startswith(("/", "\\")) or ".." in parts or any("\0" in part for part in parts):
        raise DataError("the archive holds a name that leads out of it; pack it again")
    if any(len(part.encode()) > 255 for part in parts):
        raise DataError(f"the archive holds a name that is too long ({printable(parts[-1][:40])}...)")
    return parts
