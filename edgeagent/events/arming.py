"""Whether events of zones and lines are published: armed or disarmed, over restarts and power cuts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)

ARMED = "armed.json"
"""File name in the agent's state folder."""


class _ArmedFile(BaseModel):
    armed: bool
    since: float


class Arming:
    """Switch of the events of zones and lines; thread-safe.

    A device is armed at its first start, and where its file cannot be read.

    Args:
        state: folder of the file.
        now: returns seconds since 1970.

    Attributes:
        on_change: called after each change.
    """

    def __init__(self, state: Path, now: Callable[[], float] = time.time) -> None:
        self._file, self._now = state / ARMED, now
        self._lock = threading.Lock()
        self._state = _read(self._file) or _ArmedFile(armed=True, since=now())
        self.on_change: Callable[[], None] = lambda: None

    @property
    def armed(self) -> bool:
        """Whether the device is armed."""
        return self._state.armed

    @property
    def since(self) -> float:
        """Time of the last change, or of the first start; seconds since 1970 in UTC."""
        return self._state.since

    def arm(self) -> str:
        """Arm the device, and return a sentence about it.

        Raises:
            EdgeagentError: the state cannot be stored; it is unchanged.
        """
        return self._set(True)

    def disarm(self) -> str:
        """Disarm the device, and return a sentence about it.

        Raises:
            EdgeagentError: the state cannot be stored; it is unchanged.
        """
        return self._set(False)

    def _set(self, armed: bool) -> str:
        word = "armed" if armed else "disarmed"
        with self._lock:
            if self._state.armed is armed:
                return f"was {word} before"
            new = _ArmedFile(armed=armed, since=self._now())
            write_state(self._file, new.model_dump_json().encode())
            self._state = new
        logger.info("the device is %s", word)
        self.on_change()
        return word


def _read(file: Path) -> _ArmedFile | None:
    """Return the stored state; None where there is none."""
    try:
        return read_json(file, _ArmedFile)
    except FileNotFoundError:
        return None
    except (OSError, DamagedJsonError) as error:
        logger.error("%s: cannot be read (%s); the device is armed", file, error)
        return None
