"""File in memory whose content cannot change, for engines that read an artefact by its path only.

memfd_create(2) and the seals of fcntl(2); the path ``/proc/self/fd/N`` holds while the file is open.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeagent.errors import EngineError

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@contextmanager
def sealed_file(content: bytes, name: str) -> Iterator[Path]:
    """Yield the path of a file with this content; it ends with the context.

    Args:
        content: of the file.
        name: for messages.

    Raises:
        EngineError: there is not enough memory, or the kernel has no such files.
    """
    try:
        descriptor = os.memfd_create("artefact", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise EngineError(f"{name}: cannot be held in memory ({error.strerror})") from error
    try:
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except OSError as error:
            raise EngineError(f"{name}: cannot be held in memory ({error.strerror})") from error
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
