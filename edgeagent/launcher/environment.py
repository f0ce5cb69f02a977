"""Environment of a version: a virtual environment whose every file is listed with size, time and SHA-256.

::

    bin/python3 -> interpreter    pyvenv.cfg    lib/python3.11/site-packages/...
    environment.json              format, Python version, and the list of all files

It is verified before every start. All files are hashed at the first start of an installation and at the first
start after every boot, as a power cut or a failing card changes bytes. Between them the list of names, sizes
and times are compared, and only a file with another time is hashed. That finds damage, and files that were
changed or added by mistake. It is no barrier against somebody with the rights of the service, who can write
the list, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeagent.files.hashing import hash_file
from edgeagent.launcher.formats import RECORD_FORMAT

LIST = "environment.json"
MOST_BYTES = 64 << 20


def python_version() -> str:
    """Return the version of this interpreter, such as ``3.11``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class ListedFile:
    """A file as it was installed: size in bytes, modification time in nanoseconds, SHA-256."""

    size: int
    mtime_ns: int
    sha256: str


def site_packages(environment: Path) -> Path:
    """Return the folder of the packages of an environment for this interpreter's version."""
    return environment / "lib" / f"python{python_version()}" / "site-packages"


def interpreter(environment: Path) -> Path:
    """Return the interpreter of an environment."""
    return environment / "bin" / "python3"


def list_files(environment: Path) -> bytes:
    """Return the content of the list of an environment.

    Raises:
        OSError: a file cannot be read.
    """
    found = {}
    for name in sorted(_names(environment)):
        path = environment / name
        status = path.lstat()
        if path.is_symlink():
            found[name] = [0, 0, _link_digest(path)]
        else:
            found[name] = [status.st_size, status.st_mtime_ns, hash_file(path)]
    return json.dumps({"format": RECORD_FORMAT, "python": python_version(), "files": found}).encode()


def damage(environment: Path, *, hashed: bool) -> str | None:
    """Return why an environment cannot be started, as a sentence; None if it can.

    Args:
        environment: its folder.
        hashed: whether to read and hash every file; else sizes and times are compared.
    """
    path = environment / LIST
    try:
        content = path.read_bytes()
        data = json.loads(content[:MOST_BYTES])
        if data["format"] > RECORD_FORMAT:
            return f"{path}: was installed for a newer launcher"
        if data["python"] != python_version():
            return f"{path}: is for Python {data['python']}; this system has {python_version()}"
        listed = {name: ListedFile(*values) for name, values in data["files"].items()}
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{path}: is damaged ({error})"
    try:
        there = set(_names(environment)) - {LIST}
        changed = there.symmetric_difference(listed)
        if changed:
            return f"{environment / min(changed)}: is {'missing' if min(changed) in listed else 'new'}"
        for name, file in listed.items():
            if not _is_unchanged(environment / name, file, hashed):
                return f"{environment / name}: was changed or damaged"
    except OSError as error:
        return f"{error.filename or environment}: cannot be read ({error.strerror})"
    if not os.access(interpreter(environment), os.X_OK):
        return f"{interpreter(environment)}: there is no such interpreter any more"
    return None


def _is_unchanged(path: Path, file: ListedFile, hashed: bool) -> bool:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return _link_digest(path) == file.sha256
    if status.st_size != file.size:
        return False
    return (not hashed and status.st_mtime_ns == file.mtime_ns) or hash_file(path) == file.sha256


def _names(environment: Path) -> list[str]:
    found: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(environment / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                (waiting if entry.is_dir(follow_symlinks=False) else found).append(name)
    return found


def _link_digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
