"""Versions of the agent itself in ``edgeagent status``: those of the service, not of this command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeagent.delivery.agent.report import FAILED, describe_end
from edgeagent.launcher.record import AgentRecord, DamagedAgentRecordError, read_agent_record
from edgeagent.launcher.start import FOLDER
from edgeagent.version import __version__


@dataclass(frozen=True)
class AgentVersions:
    """Versions of the agent on this device.

    Attributes:
        packaged: version of this command, which is that of the package.
        record: of the delivered versions; None where it cannot be read.
        problem: why it cannot be read; None otherwise.
    """

    packaged: str
    record: AgentRecord | None
    problem: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the last update was rejected or rolled back, or the record cannot be read."""
        last = self.record.last if self.record is not None else None
        return self.problem is not None or (last is not None and last.state in FAILED)

    def plain(self) -> dict[str, object]:
        """Return the versions for JSON."""
        record = None if self.record is None else asdict(self.record)
        if record is not None:
            record.pop("other")
            record.pop("verified")
        return {"packaged": self.packaged, "problem": self.problem, "record": record}


def read_versions(state: Path) -> AgentVersions:
    """Return the versions in a state folder, whether the agent runs or not."""
    try:
        return AgentVersions(__version__, read_agent_record(state / FOLDER))
    except DamagedAgentRecordError as error:
        return AgentVersions(__version__, None, str(error))


def version_lines(versions: AgentVersions) -> Iterator[tuple[str, str]]:
    """Yield the versions as lines; none where only the package was ever used."""
    record = versions.record
    if versions.problem is not None:
        yield "version", versions.problem
    if record is None or record == AgentRecord():
        return
    if record.trial is not None:
        trial = record.trial
        yield "version", f"{trial.version}, delivered, on trial since {trial.since} (start {trial.starts})"
    current = "delivered" if record.current else "of the package"
    yield "version", f"{record.current.version if record.current else versions.packaged}, {current}"
    if record.previous is not None:
        yield "version", f"{record.previous.version}, delivered, the one before"
    if record.current is not None:
        yield "version", f"{versions.packaged}, of the package"
    if record.last is not None:
        yield "update", f"{describe_end(record.last)} ({record.last.since})"
    for bad in record.bad:
        yield "bad here", f"edgeagent {bad.version}: {bad.reason} ({bad.since})"
