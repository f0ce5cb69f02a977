"""Files of a work folder: checkpoints and intermediate artefacts."""

from __future__ import annotations

from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state


def write_work_file(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        EdgeagentError: the file cannot be written; an older version is unchanged.
    """
    try:
        write_state(path, content, shared=True)
    except EdgeagentError as error:
        raise EdgeagentError(f"{error}; free disk space and continue with --resume") from error
