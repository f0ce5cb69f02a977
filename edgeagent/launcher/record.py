"""Record of the versions of the agent on a board, read by the launcher and written by any version.

::

    <state>/agent/record.json        current, previous and trial version, bad versions, the last update
    <state>/agent/good/<slot>.json   this version was good here; used where the record is lost
    <state>/agent/versions/<slot>/   an environment

Every version keeps the fields that it does not know. The record is replaced whole and durably.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.launcher.formats import RECORD_FORMAT

RECORD, GOOD, VERSIONS, PARTIAL = "record.json", "good", "versions", "partial"
MOST_BAD = 50
MOST_BYTES = 1 << 20
_SLOT = re.compile(r"[a-z0-9][a-z0-9._-]{0,120}")
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")

_changing = threading.RLock()

_Part = TypeVar("_Part")


class DamagedAgentRecordError(EdgeagentError):
    """The record of the agent's versions cannot be read, or was written for a newer launcher."""


@dataclass(frozen=True)
class AgentVersion:
    """A version of the agent in an environment.

    Attributes:
        slot: name of its environment.
        version: of it.
        sequence: position in its channel.
    """

    slot: str
    version: str
    sequence: int = 0

    def __post_init__(self) -> None:
        if not _SLOT.fullmatch(self.slot) or not _VERSION.fullmatch(self.version):
            raise ValueError(f"{self.slot} {self.version}: no slot and version")


@dataclass(frozen=True)
class AgentTrial(AgentVersion):
    """A version on trial.

    Attributes:
        starts: that have neither ended cleanly nor passed.
        most_starts: starts after which it is given up.
        detecting: whether frames were detected before it, so that it must detect, too.
        broker: whether the broker was connected before it, so that it must connect, too.
        since: UTC of its beginning, ISO 8601; for display.
    """

    starts: int = 0
    most_starts: int = 3
    detecting: bool = True
    broker: bool = False
    since: str = ""


@dataclass(frozen=True)
class BadVersion:
    """A version that was rejected or left here; it is tried again only after a command."""

    slot: str
    version: str
    reason: str
    since: str


@dataclass(frozen=True)
class LastUpdate:
    """End of the last update: ``good``, ``rejected`` or ``rolled_back``; ``since`` in UTC, ISO 8601."""

    version: str
    state: str
    reason: str | None = None
    since: str = ""


@dataclass(frozen=True)
class AgentRecord:
    """Record of the agent's versions.

    Attributes:
        current: good delivered version; None is the packaged one.
        previous: good delivered version before it.
        trial: version on trial.
        starts: starts of the current version in a row that did not come up.
        bad: newest last.
        last: end of the last update.
        verified: boot in which each environment was hashed, by its slot.
        other: fields of newer versions, kept as they are.
    """

    current: AgentVersion | None = None
    previous: AgentVersion | None = None
    trial: AgentTrial | None = None
    starts: int = 0
    bad: tuple[BadVersion, ...] = ()
    last: LastUpdate | None = None
    verified: tuple[tuple[str, str], ...] = ()
    other: tuple[tuple[str, Any], ...] = ()

    def is_bad(self, slot: str) -> BadVersion | None:
        """Return the entry of a slot among the bad ones; None without one."""
        return next((bad for bad in self.bad if bad.slot == slot), None)

    def without(
        self, version: AgentVersion, state: str, reason: str, now: str, *, bad: bool = True
    ) -> AgentRecord:
        """Return the record after a version was rejected or rolled back.

        Args:
            version: that is left; the previous one follows a current one.
            state: ``rejected`` or ``rolled_back``.
            reason: why.
            now: UTC, ISO 8601.
            bad: whether it is not to be tried again here.
        """
        marked = [one for one in self.bad if one.slot != version.slot]
        if bad:
            marked.append(BadVersion(version.slot, version.version, reason, now))
        was_current = self.current is not None and self.current.slot == version.slot
        was_previous = self.previous is not None and self.previous.slot == version.slot
        return replace(
            self,
            current=self.previous if was_current else self.current,
            previous=None if was_current or was_previous else self.previous,
            trial=None if self.trial is not None and self.trial.slot == version.slot else self.trial,
            starts=0 if was_current else self.starts,
            bad=tuple(marked)[-MOST_BAD:],
            last=LastUpdate(version.version, state, reason, now),
        )


def read_agent_record(folder: Path) -> AgentRecord:
    """Return the record of a folder; an empty one where there is none.

    Args:
        folder: of the agent's versions, ``<state>/agent``.

    Raises:
        DamagedAgentRecordError: it cannot be read, or is for a newer launcher.
    """
    path = folder / RECORD
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MOST_BYTES))
        if not isinstance(data, dict):
            raise ValueError("no object")
        if data.pop("schema_version", RECORD_FORMAT) > RECORD_FORMAT:
            raise ValueError("it was written for a newer launcher")
        return _parsed(data)
    except FileNotFoundError:
        return AgentRecord()
    except OSError as error:
        raise DamagedAgentRecordError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedAgentRecordError(f"{path}: is damaged ({error})") from None


def write_agent_record(folder: Path, record: AgentRecord) -> None:
    """Write the record durably.

    Raises:
        EdgeagentError: it cannot be written; the old one stays.
    """
    for bad in record.bad:
        with suppress(OSError):  # of a disk that takes no record either
            (folder / GOOD / f"{bad.slot}.json").unlink(missing_ok=True)
    known = asdict(record)
    other = known.pop("other")
    data = {**dict(other), **known, "verified": dict(record.verified), "schema_version": RECORD_FORMAT}
    write_state(folder / RECORD, json.dumps(data, indent=1).encode())


def change_agent_record(folder: Path, change: Callable[[AgentRecord], AgentRecord]) -> AgentRecord:
    """Change the record durably, from any thread of this process, and return it.

    Args:
        folder: of the agent's versions.
        change: returns the new record for the one on the disk.

    Raises:
        EdgeagentError: it cannot be read or written; the old one stays.
    """
    with _changing:
        record = read_agent_record(folder)
        changed = change(record)
        if changed != record:
            write_agent_record(folder, changed)
        return changed


def mark_good(folder: Path, version: AgentVersion) -> None:
    """Remember durably that a version was good here.

    Raises:
        EdgeagentError: it cannot be written.
    """
    kept = {"slot": version.slot, "version": version.version, "sequence": version.sequence}
    write_state(folder / GOOD / f"{version.slot}.json", json.dumps(kept).encode())


def known_good(folder: Path) -> list[AgentVersion]:
    """Return the versions that were good here, newest first; damaged entries are left out."""
    found = []
    for path in sorted((folder / GOOD).glob("*.json")):
        try:
            found.append(_part(AgentVersion, json.loads(path.read_bytes()[:MOST_BYTES])))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda one: version_key(one.version), reverse=True)


def version_key(version: str) -> tuple[int, ...]:
    """Return a version as numbers, to compare it."""
    return tuple(int(part) for part in version.split("."))


def _parsed(data: dict[str, Any]) -> AgentRecord:
    own = {field.name for field in fields(AgentRecord)} - {"other"}
    other = tuple((name, value) for name, value in data.items() if name not in own)
    return AgentRecord(
        current=_optional(AgentVersion, data.get("current")),
        previous=_optional(AgentVersion, data.get("previous")),
        trial=_optional(AgentTrial, data.get("trial")),
        starts=int(data.get("starts", 0)),
        bad=tuple(_part(BadVersion, one) for one in data.get("bad", ())),
        last=_optional(LastUpdate, data.get("last")),
        verified=tuple((str(slot), str(boot)) for slot, boot in data.get("verified", {}).items()),
        other=other,
    )


def _optional(kind: type[_Part], data: Any) -> _Part | None:
    return None if data is None else _part(kind, data)


def _part(kind: type[_Part], data: dict[str, Any]) -> _Part:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in data.items() if name in names})
