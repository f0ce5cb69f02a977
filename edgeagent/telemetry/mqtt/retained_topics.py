"""Record of topics that the broker retains for this device, so that they can be removed at a later start.

Without it, the last detections of a camera that was removed, or the counts of an agent that was killed, would
stay at the broker for ever.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)


class RetainedTopics:
    """Names of retained topics, kept in a file; its owner calls it from one thread at a time.

    Args:
        file: file of the names, in the state folder.

    Attributes:
        before: names that earlier starts have recorded, and that may still be retained.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.before = frozenset(_read(file))
        self._recorded = set(self.before)

    def add(self, topics: Collection[str]) -> None:
        """Record topics; to be called before they are published."""
        if not self._recorded.issuperset(topics):
            self._recorded.update(topics)
            self._write()

    def forget(self, topics: Collection[str]) -> None:
        """Forget topics, once the broker knows that they are removed."""
        if not self._recorded.isdisjoint(topics):
            self._recorded.difference_update(topics)
            self._write()

    def _write(self) -> None:
        try:
            write_state(self._file, json.dumps(sorted(self._recorded)).encode())
        except EdgeagentError as error:
            logger.error("%s; the broker may keep old messages of this device", error)


def _read(file: Path) -> list[str]:
    try:
        return read_json(file, list[str])
    except FileNotFoundError:
        return []
    except (OSError, DamagedJsonError) as error:
        logger.error("%s: cannot be read (%s); the broker may keep old messages of this device", file, error)
        return []
