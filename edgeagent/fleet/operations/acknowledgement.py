"""Acknowledgement of an alarm: somebody has seen it, and says so to the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from edgeagent.errors import EdgeagentError
from edgeagent.fleet.queries.alarm_list import alarm_exists
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.users.actor import Actor
from edgeagent.fleet.users.user_audit import UserAudit

LONGEST_NOTE = 500
FIRST_YEAR, LAST_YEAR = 1971, 2200
"""Years that the store can hold, with a margin for time zones."""


class UnknownTargetError(EdgeagentError):
    """What shall be changed is not there, or is of another tenant."""


@dataclass(frozen=True, slots=True)
class AlarmKey:
    """Alarm: of which device, which one, and since when.

    Attributes:
        tenant, device: names.
        code: of the problem.
        camera: name; "" for one of the whole device.
        since: beginning, with a zone.
    """

    tenant: str
    device: str
    code: str
    camera: str
    since: datetime


def acknowledge(
    store: FleetStore, audit: UserAudit, actor: Actor, address: str, alarm: AlarmKey, note: str
) -> None:
    """Acknowledge an alarm; a second time replaces note and name.

    Args:
        store: with the alarm.
        audit: is written first.
        actor: who does it, at least an operator.
        address: of the client.
        alarm: that is acknowledged.
        note: for others, cut to :data:`LONGEST_NOTE` characters.

    Raises:
        UnknownTargetError: there is no such alarm among those that the actor sees.
        StoreError: the store refuses, or cannot be reached.
        ConfigurationError: the audit cannot be written.
    """
    key = (alarm.tenant, alarm.device, alarm.code, alarm.camera, alarm.since)
    storable = FIRST_YEAR <= alarm.since.year <= LAST_YEAR
    if not storable or not alarm_exists(store, actor.tenant, *key):
        raise UnknownTargetError(f"{alarm.device}: there is no alarm {alarm.code} since {alarm.since}")
    where = f"{alarm.tenant}/{alarm.device}" if alarm.tenant else alarm.device
    audit.note(actor, "acknowledge", f"{alarm.code} of {where}", address, detail=note)
    row = {
        "tenant": alarm.tenant,
        "device": alarm.device,
        "code": alarm.code,
        "camera": alarm.camera,
        "since": alarm.since,
        "at": datetime.now(timezone.utc),
        "by": actor.name,
        "note": note[:LONGEST_NOTE],
    }
    store.insert("acknowledgements", [row])
