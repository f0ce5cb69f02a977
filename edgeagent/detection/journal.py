"""Journal of the trials on this board, so that a delegate that takes the machine down is tried only once.

::

    START key boot   -> trial ->   END key boot  |  ERROR key boot reason

A START without END or ERROR from an earlier boot means that the machine went down during that trial. The key
contains the artefact and all versions, so that an update is tried again; ``FORGIVE key`` lets the operator
have the same trial repeated. The file is append-only, and START is on the disk before the trial begins.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.errors import EdgeagentError
from edgeagent.files.state_json import DamagedJsonError, parse_json

logger = logging.getLogger(__name__)

TrialEvent = Literal["start", "end", "error", "forgive"]
JOURNAL = "delegates.journal"
"""Name of the journal in the state folder."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class JournalEntry:
    """One line of the journal.

    Attributes:
        event: what happened.
        key: of the trial.
        boot: id of the boot in which it happened.
        reason: of an error.
    """

    event: TrialEvent
    key: str
    boot: str
    reason: str = ""


class Journal:
    """The journal of one board.

    Lines that cannot be read (a torn write, a full disk) are ignored; the file is never rewritten.

    Args:
        path: of the file, whose folder is created when missing; None keeps the journal in memory only.
        boot: id of this boot; by default the kernel's.

    Raises:
        EdgeagentError: the file cannot be read or created.
    """

    def __init__(self, path: Path | None, boot: str | None = None) -> None:
        self._path = path
        self._boot = boot if boot is not None else _boot_id()
        content = b"" if path is None else _read_or_create(path)
        entries = [entry for line in content.splitlines() if (entry := _parse(line)) is not None]
        if len(entries) < len([line for line in content.splitlines() if line.strip()]):
            logger.warning("%s: lines that cannot be read are ignored", path)
        self._entries = entries
        self._torn = bool(content) and not content.endswith(b"\n")

    def took_down(self, key: str) -> bool:
        """Return whether the machine went down during the last trial of a key."""
        return key in self.suspects()

    def suspects(self) -> list[str]:
        """Return the keys during whose last trial the machine went down."""
        last = {entry.key: entry for entry in self._entries}
        return [key for key, entry in last.items() if entry.event == "start" and entry.boot != self._boot]

    def write(self, event: TrialEvent, key: str, reason: str = "") -> None:
        """Append a line, and return when it is on the disk.

        Raises:
            EdgeagentError: it cannot be written.
        """
        entry = JournalEntry(event, key, self._boot, reason)
        if self._path is not None:
            self._append(self._path, entry)
        self._entries.append(entry)

    def _append(self, path: Path, entry: JournalEntry) -> None:
        line = {
            "time": round(time.time(), 3),
            **{name: value for name, value in vars(entry).items() if value},
        }
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                text = b"\n" * self._torn + json.dumps(line).encode() + b"\n"
                written = os.write(descriptor, text)
                if written < len(text):
                    self._torn = True
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise EdgeagentError(f"{path}: the journal cannot be written ({error.strerror})") from error
        self._torn = False


def trials_in_progress(state: Path) -> list[str]:
    """Return the keys of trials of this boot that have begun and not ended; none without a journal."""
    try:
        lines = (state / JOURNAL).read_bytes().splitlines()
    except OSError:
        return []
    last = {entry.key: entry for line in lines if (entry := _parse(line)) is not None}
    return [key for key, entry in last.items() if entry.event == "start" and entry.boot == _boot_id()]


def open_journal(state: Path) -> Journal | None:
    """Return the journal in a state folder; None, with a logged error, where it cannot be used.

    A full or read-only disk must not stop detection.
    """
    try:
        return Journal(state / JOURNAL)
    except EdgeagentError as error:
        logger.error("%s; only delegates of the processor are tried", error)
        return None


def _read_or_create(path: Path) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise EdgeagentError(
            f"{path}: the journal of trials cannot be used ({error.strerror}); make its folder writable "
            "to the agent, or name another state directory"
        ) from error
    return content


def _parse(line: bytes) -> JournalEntry | None:
    try:
        return parse_json(line, JournalEntry)
    except DamagedJsonError:
        return None


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
