"""Reports of the agent's versions: part of the message ``deployment``, alarm, and sentences."""

from __future__ import annotations

from typing import cast

from edgeagent.delivery.agent.agent_host import AgentUpdateStatus
from edgeagent.launcher.launched import Launched
from edgeagent.launcher.record import AgentRecord, LastUpdate
from edgeagent.telemetry.contract.deployment import AgentReport, BadReport
from edgeagent.version import __version__

FAILED = ("rejected", "rolled_back")
TEXTS = {
    "good": "has passed its probation",
    "rejected": "was rejected",
    "rolled_back": "was rolled back",
}


def build_agent_report(record: AgentRecord, status: AgentUpdateStatus, start: Launched) -> AgentReport:
    """Return the part ``agent`` of the message ``deployment``.

    Args:
        record: of the agent's versions.
        status: of the update.
        start: facts of this start.
    """
    last = record.last
    known = last is not None and last.state in TEXTS
    return AgentReport(
        state="trial" if start.trial and record.trial is not None else status.state,
        running=__version__,
        packaged=start.packaged,
        version=status.version,
        progress_percent=None if status.progress is None else round(100 * min(1.0, status.progress), 1),
        waiting=status.waiting,
        last_version=last.version if last is not None else None,
        last_state=cast("None", last.state) if last is not None and known else None,
        last_reason=last.reason if last is not None else None,
        previous=record.previous.version if record.previous is not None else None,
        bad=tuple(
            BadReport(model=f"edgeagent {bad.version}", reason=bad.reason, since=bad.since)
            for bad in record.bad
        ),
    )


def describe_end(last: LastUpdate) -> str:
    """Return the end of an update as a sentence."""
    reason = f": {last.reason}" if last.reason else ""
    return f"edgeagent {last.version} {TEXTS.get(last.state, last.state)}{reason}"


def agent_problem(record: AgentRecord, status: AgentUpdateStatus) -> str | None:
    """Return the text of the alarm ``agent_update_failed``; None while there is none.

    The next update that begins, or a version that is good, clears it.
    """
    if status.refused is not None:
        return status.refused
    last = record.last
    if last is None or last.state not in FAILED or status.state != "idle":
        return None
    return describe_end(last)


def describe_agent(record: AgentRecord, status: AgentUpdateStatus, start: Launched) -> str:
    """Return the versions and the update as one sentence, for the command ``agent_status``."""
    source = "of the package" if start.slot is None else f"delivered; the package has {start.packaged}"
    parts = [f"edgeagent {__version__} {source}"]
    if start.trial and record.trial is not None:
        parts.append("on trial")
    elif status.version is not None:
        share = f" {status.progress:.0%}" if status.progress is not None else ""
        parts.append(f"{status.version}: {status.state}{share}")
    if record.last is not None:
        parts.append(describe_end(record.last))
    if status.waiting is not None:
        parts.append(status.waiting)
    return "; ".join(parts)
