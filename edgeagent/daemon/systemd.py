"""Notifications to systemd by the protocol of sd_notify(3), and its watchdog of sd_watchdog_enabled(3)."""

from __future__ import annotations

import logging
import os
import socket
import threading

logger = logging.getLogger(__name__)

SEND_S = 2.0
"""Longest wait for a manager that takes no notification; the agent would wait for it even while it stops."""

_failing = threading.Event()


def has_manager() -> bool:
    """Return whether a service manager receives notifications."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def watchdog_s() -> float | None:
    """Return the seconds in which systemd expects ``WATCHDOG=1`` of this process; None where it does not."""
    wanted, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not has_manager() or not wanted.isdecimal() or not int(wanted):
        return None
    return int(wanted) / 1e6 if pid in ("", str(os.getpid())) else None


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` or ``STATUS=...`` to systemd; do nothing where it is not running."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(SEND_S)
            connection.sendto(state.encode(errors="replace"), address)
    except OSError as error:
        if not _failing.is_set():
            logger.warning("systemd cannot be notified (%s): %s", state.split("=")[0], error)
        _failing.set()
    else:
        _failing.clear()
