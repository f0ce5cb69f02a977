"""Record of the cameras whose last detections the broker retains, so that they can be removed again.

Without it, the objects of a camera that was removed, or is no longer reported by change, would stay at the
broker for ever.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.settings.types import TopicLevel
from edgeagent.telemetry.mqtt.interface import Publisher

logger = logging.getLogger(__name__)

FILE = "detections-retained.json"


class RetainedDetections:
    """Removes the retained detections of cameras that are no longer reported by change.

    Args:
        publisher: publisher, not yet started or already running.
        state: folder of the file with the names of the cameras.
        cameras: names of the cameras that are reported by change from now on.
    """

    def __init__(self, publisher: Publisher, state: Path, cameras: Collection[str]) -> None:
        self._publisher, self._file, self._cameras = publisher, state / FILE, set(cameras)
        before = _read(self._file)
        self._gone = before - self._cameras
        for camera in self._gone:
            publisher.retain(f"detections/{camera}", b"")
        if self._cameras - before:
            self._write(before | self._cameras)

    def stop(self) -> None:
        """Forget the removed cameras if the broker could be told."""
        if self._gone and self._publisher.state == "connected":
            self._write(self._cameras)

    def _write(self, cameras: Collection[str]) -> None:
        try:
            write_state(self._file, json.dumps(sorted(cameras)).encode())
        except EdgeagentError as error:
            logger.error("%s; the broker may keep old detections of a removed camera", error)


def _read(file: Path) -> set[str]:
    try:
        return set(read_json(file, list[TopicLevel]))
    except FileNotFoundError:
        return set()
    except (OSError, DamagedJsonError) as error:
        logger.error("%s: cannot be read (%s); the broker may keep old detections", file, error)
        return set()
