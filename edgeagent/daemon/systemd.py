"""Service state for systemd, by the protocol of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.pipeline import Result
from edgeagent.detection.serving import Change

logger = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` or ``STATUS=...`` to systemd; do nothing where it is not running."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.sendto(state.encode(), address)
    except OSError as error:
        logger.warning("systemd cannot be notified (%s): %s", state.split("=")[0], error)


class ServiceStatus(AgentPart):
    """Notifications of the agent: ``READY`` at the first processed frame, ``STATUS``, and ``STOPPING``."""

    def __init__(self) -> None:
        self._ready = False

    def start(self) -> None:
        """Notify that the agent waits for the first frame."""
        notify("STATUS=waiting for the first frame")

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Notify that the agent stops."""
        notify("STOPPING=1")

    def frame(self, result: Result) -> None:
        """Notify that the agent is ready, once."""
        if not self._ready:
            self._ready = True
            notify("READY=1\nSTATUS=detecting")
            logger.info("first frame of camera %s: %d detections", result.camera, len(result.detections))

    def changed(self, change: Change) -> None:
        """Notify whether the agent detects, and why this changed."""
        notify(f"STATUS={'detecting' if change.serving else 'not detecting'}: {change.reason}")
