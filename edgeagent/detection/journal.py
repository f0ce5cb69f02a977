"""What was tried on this board, so that a delegate that takes the machine down is not tried twice.

::

    START key boot   -> the trial ->   END key boot  |  ERROR key boot reason

A START without END or ERROR whose boot is over means that the machine went down during that trial. A key
holds the artefact and all versions, so that something new is tried again by itself; ``FORGIVE key`` lets the
operator do so. The file is only appended to, and a line is on the disk before its trial begins.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.errors import EdgeagentError

logger = logging.getLogger(__name__)

Event = Literal["start", "end", "error", "forgive"]
JOURNAL = "delegates.journal"
"""Its name in the agent's state folder."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes:
        event: what happened.
        key: of the trial.
        boot: id of the boot it happened in.
        reason: of an error.
    """

    event: Event
    key: str
    boot: str
    reason: str = ""


class Journal:
    """The journal of one board.

    A line that cannot be read (a torn write, a full disk) is left out; the file is never rewritten.

    Args:
        path: of the file; its folder is made when missing.
        boot: id of this boot; by default the kernel's.

    Raises:
        EdgeagentError: the file cannot be read or made.
    """

    def __init__(self, path: Path, boot: str | None = None) -> None:
        self._path = path
        self._boot = boot if boot is not None else _boot_id()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            with path.open("ab"):
                pass
        except OSError as error:
            raise EdgeagentError(
                f"{path}: the journal of trials cannot be used ({error.strerror}); make its folder writable "
                "to the agent, or name another state directory"
            ) from error
        entries = [entry for line in content.splitlines() if (entry := _parse(line)) is not None]
        if len(entries) < len([line for line in content.splitlines() if line.strip()]):
            logger.warning("%s: lines that cannot be read are left out", path)
        self._entries = entries
        self._torn = bool(content) and not content.endswith(b"\n")

    def took_down(self, key: str) -> bool:
        """Return whether the last trial of this key ended with the machine."""
        return key in self.suspects()

    def suspects(self) -> list[str]:
        """Return the keys whose last trial ended with the machine."""
        last = {entry.key: entry for entry in self._entries}
        return [key for key, entry in last.items() if entry.event == "start" and entry.boot != self._boot]

    def write(self, event: Event, key: str, reason: str = "") -> None:
        """Add a line, and return when it is on the disk.

        Raises:
            EdgeagentError: it cannot be written.
        """
        entry = Entry(event, key, self._boot, reason)
        line = {
            "time": round(time.time(), 3),
            **{name: value for name, value in vars(entry).items() if value},
        }
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, b"\n" * self._torn + json.dumps(line).encode() + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise EdgeagentError(f"{self._path}: the journal cannot be written ({error.strerror})") from error
        self._torn = False
        self._entries.append(entry)


def _parse(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
        entry = Entry(found["event"], found["key"], found["boot"], found.get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return entry if entry.event in ("start", "end", "error", "forgive") else None


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
