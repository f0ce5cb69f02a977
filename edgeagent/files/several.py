"""Several files that are written together: all of them, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from edgeagent.files.atomic import PRIVATE_FILE, create_file, sync


def replace_files(contents: Mapping[Path, bytes], mode: int = PRIVATE_FILE) -> None:
    """Write files of existing folders: each beside its place, and, when all are on the disk, into its place.

    An earlier file is kept as ``NAME.old`` until all are in place. What a power cut in between leaves under
    ``NAME.new`` or ``NAME.old`` is replaced by the next call.

    Args:
        contents: content of each file.
        mode: permissions.

    Raises:
        OSError: one cannot be written; all files are as they were.
    """
    replaced: list[Path] = []
    try:
        for path, content in contents.items():
            _beside(path, "new").unlink(missing_ok=True)
            create_file(_beside(path, "new"), content, mode)
        for path in contents:
            if path.is_dir():
                raise IsADirectoryError(0, "there is a folder of this name", str(path))
            _beside(path, "old").unlink(missing_ok=True)
            if path.exists():
                os.link(path, _beside(path, "old"))
            replaced.append(path)
            _beside(path, "new").replace(path)
        for folder in {path.parent for path in contents}:
            sync(folder)
    except OSError:
        for path in replaced:
            _put_back(path)
        raise
    finally:
        for path in contents:
            for end in ("new", "old"):
                with suppress(OSError):
                    _beside(path, end).unlink(missing_ok=True)


def _put_back(path: Path) -> None:
    with suppress(OSError):
        if _beside(path, "old").exists():
            _beside(path, "old").replace(path)
        else:
            path.unlink(missing_ok=True)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}.{end}")
