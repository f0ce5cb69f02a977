"""Decision of a start: which version of the agent runs, and the record before it does.

::

    trial, this start counted durably  ->  too many starts, not newer, damaged, not countable: next
    current good version               ->  too many starts that did not come up, damaged: next
    previous good version              ->  damaged: next
    packaged version, always

A delivered version that is not newer than the packaged one is left: the package was upgraded. Where the
record is lost, the versions that were good take its place. A damaged version is not bad: it is fetched again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgeagent.launcher.record import AgentRecord, AgentVersion, version_key

MOST_STARTS = 5
"""Starts in a row of a good version that do not come up, after which it is left."""


@dataclass(frozen=True)
class Start:
    """What a start runs.

    Attributes:
        version: in an environment; None is the packaged version.
        record: to be written durably before it runs.
        trial: whether it is on trial; the record must be written then.
        notes: why other versions do not run, as sentences.
    """

    version: AgentVersion | None
    record: AgentRecord
    trial: bool
    notes: tuple[str, ...] = ()


def decide(
    record: AgentRecord,
    packaged: str,
    now: str,
    damage: Callable[[AgentVersion], str | None],
    *,
    countable: bool = True,
) -> Start:
    """Return what to start.

    Args:
        record: as it is on the disk.
        packaged: version of the package.
        now: UTC, ISO 8601.
        damage: returns why an environment cannot be started; None if it can.
        countable: whether the record can be written.
    """
    record, left = _leave_older(record, packaged)
    notes = [f"{one.version} is left for {packaged} of the package" for one in left]
    trial = record.trial
    if trial is not None and not countable:
        notes.append(f"{trial.version} is not tried: its starts cannot be counted")
    elif trial is not None:
        worn = _worn_out(trial.starts, trial.most_starts, "ended before its probation did")
        reason = worn or damage(trial)
        if reason is None:
            counted = replace(trial, starts=trial.starts + 1)
            return Start(trial, replace(record, trial=counted), True, tuple(notes))
        record = record.without(trial, "rolled_back", reason, now, bad=worn is not None)
        notes.append(f"{trial.version} is rolled back: {reason}")
    while (version := record.current) is not None:
        worn = _worn_out(record.starts, MOST_STARTS, "in a row did not come up")
        reason = worn or damage(version)
        if reason is None:
            return Start(version, replace(record, starts=record.starts + 1), False, tuple(notes))
        record = record.without(version, "rolled_back", reason, now, bad=worn is not None)
        notes.append(f"{version.version} is left: {reason}")
    return Start(None, replace(record, previous=None, starts=0), False, tuple(notes))


def _leave_older(record: AgentRecord, packaged: str) -> tuple[AgentRecord, list[AgentVersion]]:
    """Drop the delivered versions that are not newer than the packaged one; none of them is bad."""
    found = (record.current, record.previous, record.trial)
    old = [one for one in found if one is not None and version_key(one.version) <= version_key(packaged)]
    changed = replace(
        record,
        current=None if record.current in old else record.current,
        starts=0 if record.current in old else record.starts,
        previous=None if record.previous in old else record.previous,
        trial=None if record.trial in old else record.trial,
    )
    return changed, old


def _worn_out(starts: int, most: int, how: str) -> str | None:
    return f"{starts} starts {how}" if starts >= most else None
