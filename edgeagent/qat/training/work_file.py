"""Files of a run's work folder: each is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from edgeagent.errors import EdgeagentError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through a temporary one beside it, so that a failure leaves an older file as it was.

    Raises:
        EdgeagentError: it cannot be written.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EdgeagentError(
            f"{path}: cannot be written ({error.strerror}); make room and continue with --resume"
        ) from error
