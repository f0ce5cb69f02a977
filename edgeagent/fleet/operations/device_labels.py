"""Labels that people give to devices, such as site or cohort."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.operations.acknowledgement import UnknownTargetError
from edgeagent.fleet.queries.device_facts import device_facts
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.users.actor import Actor
from edgeagent.fleet.users.user_audit import UserAudit

LABELS = re.compile(r"[A-Za-z0-9_-]{1,64}")
LABEL_VALUE = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Values of labels: any text without control characters."""
LONGEST_LABEL_VALUE = 200
MOST_LABELS = 32


def set_label(
    store: FleetStore,
    audit: UserAudit,
    actor: Actor,
    address: str,
    owner: str,
    device: str,
    label: str,
    value: str,
) -> None:
    """Set a label of a device; an empty value removes it.

    Args:
        store: with the device.
        audit: is written first.
        actor: who does it, at least an operator.
        address: of the client.
        owner: tenant of the device.
        device: its name.
        label: name of the label.
        value: its value.

    Raises:
        UnknownTargetError: there is no such device among those that the actor sees.
        ConfigurationError: label or value cannot be used, the device has too many, or the audit cannot be
            written.
        StoreError: the store refuses, or cannot be reached.
    """
    if not LABELS.fullmatch(label):
        raise ConfigurationError(f"label {label[:80]!r}: use 1 to 64 letters, digits, - and _")
    if len(value) > LONGEST_LABEL_VALUE or not re.fullmatch(LABEL_VALUE, value):
        raise ConfigurationError(
            f"label {label}: use a value of at most {LONGEST_LABEL_VALUE} characters, none of them a control"
        )
    value = value.strip()
    known = device_facts(store, actor.tenant, owner, device)
    if known is None:
        raise UnknownTargetError(f"{device[:80]!r}: there is no such device")
    if value and label not in known.labels and len(known.labels) >= MOST_LABELS:
        raise ConfigurationError(f"{device}: has {MOST_LABELS} labels already; remove one first")
    where = f"{owner}/{device}" if owner else device
    audit.note(actor, "label" if value else "remove label", where, address, detail=f"{label}: {value}")
    row = {
        "tenant": owner,
        "device": device,
        "label": label,
        "value": value,
        "changed": datetime.now(timezone.utc),
        "by": actor.name,
    }
    store.insert("labels", [row])
