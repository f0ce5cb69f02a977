"""Files of a bundle: validation of names, places, sizes and hashes.

A bundle can come from an untrusted source. A file name is a normalised relative path; neither the file nor
any directory on its path may be a symbolic link; the size is checked before anything is read.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

from edgeagent.errors import BundleError
from edgeagent.files.hashing import hash_file

MAX_ARTEFACT = 512 << 20
MAX_GOLDEN = 64 << 20
MAX_EVIDENCE = 16 << 20


def check_name(directory: Path, name: str) -> None:
    """Refuse a name that is not a normalised relative path with forward slashes.

    Raises:
        BundleError: the name is absolute or contains ``..``, ``.``, ``//``, a backslash or unprintable
            characters.
    """
    path = PurePosixPath(name)
    plain = name == str(path) and name.isprintable() and "\\" not in name
    if not plain or path.is_absolute() or ".." in path.parts or name == ".":
        raise BundleError(
            f"{directory}: the file name {name!r} is not a plain relative path inside the bundle; "
            "do not use this bundle"
        )


def locate(directory: Path, name: str, limit: int) -> tuple[Path, int]:
    """Find a file of the bundle without opening it.

    Args:
        directory: directory of the bundle; may itself be reached through a symbolic link.
        name: file name as in the manifest.
        limit: maximum size in bytes.

    Returns:
        Path and size in bytes.

    Raises:
        BundleError: the name leads outside the bundle, through a symbolic link or to something other than a
            regular file, or the file is missing or too large.
    """
    check_name(directory, name)
    path = directory
    try:
        for part in PurePosixPath(name).parts:
            path = path / part
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                link = path.relative_to(directory)
                raise BundleError(f"{directory}: {link} is a symbolic link; do not use this bundle")
    except FileNotFoundError:
        raise BundleError(f"{directory}: {name} is missing; copy the bundle again") from None
    except OSError as error:
        raise BundleError(f"{directory}: {name} cannot be found ({error.strerror})") from None
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{directory}: {name} is not a regular file; do not use this bundle")
    if status.st_size > limit:
        raise BundleError(
            f"{directory}: {name} is {status.st_size} bytes, more than the {limit >> 20} MiB allowed; "
            "do not use this bundle"
        )
    return path, status.st_size


def verify_file(directory: Path, name: str, sha256: str, limit: int, size: int | None = None) -> None:
    """Verify size and hash of a file of the bundle.

    Args:
        directory: directory of the bundle.
        name: file name as in the manifest.
        sha256: expected SHA-256 in hexadecimal.
        limit: maximum size in bytes.
        size: expected size in bytes; None when the manifest gives none.

    Raises:
        BundleError: see :func:`locate`; or size or hash differ from the manifest, or the file is unreadable.
    """
    path, found = locate(directory, name, limit)
    if size is not None and found != size:
        raise BundleError(
            f"{directory}: {name} is {found} bytes, the manifest says {size}; copy the bundle again"
        )
    try:
        digest = hash_file(path)
    except OSError as error:
        raise BundleError(f"{directory}: {name} cannot be read ({error.strerror})") from None
    if digest != sha256:
        raise BundleError(
            f"{directory}: {name} has the sha256 {digest[:12]}..., the manifest says {sha256[:12]}...; "
            "copy the bundle again"
        )
