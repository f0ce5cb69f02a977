"""Birth-death sequence number of an edge node: count of its CONNECT packets over all starts, modulo 256."""

from __future__ import annotations

import logging
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state

logger = logging.getLogger(__name__)

BD_SEQ_FILE = "sparkplug-bdseq"


class BirthDeathNumber:
    """Number of the last CONNECT that was sent; not thread-safe.

    Args:
        state: folder of the file that keeps it.

    Attributes:
        value: the number; -1 before the first CONNECT.
    """

    def __init__(self, state: Path) -> None:
        self._file = state / BD_SEQ_FILE
        self.value = _read(self._file)

    @property
    def following(self) -> int:
        """Number of the next CONNECT."""
        return (self.value + 1) % 256

    def count(self) -> None:
        """Count a CONNECT, and store the number."""
        self.value = self.following
        try:
            write_state(self._file, str(self.value).encode())
        except EdgeagentError as error:
            logger.error("%s; Sparkplug births may repeat a number after the next start", error)


def _read(file: Path) -> int:
    try:
        return int(file.read_bytes()) % 256
    except FileNotFoundError:
        return -1
    except (OSError, ValueError) as error:
        logger.warning("%s: cannot be read (%s); Sparkplug births are numbered from 0 again", file, error)
        return -1
