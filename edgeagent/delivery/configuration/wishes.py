"""Rollback of configurations as a table: state of the device -> what is done, or why it is refused.

The rules are those of :mod:`edgeagent.delivery.update.wishes` for models, without a cancel of its own.
"""

from __future__ import annotations

from typing import Literal

from edgeagent.delivery.configuration.record import ConfigurationRecord

PendingConfiguration = Literal["none", "update", "trial"]
"""Deployment in progress: none, one that does not serve yet, or one on trial."""
ConfigurationBefore = Literal["nothing", "own", "good", "withdrawn"]
"""What a rollback leads to.

``nothing``: no signed configuration is good here. ``own``: the file of the board comes before. ``good``: a
good configuration does. ``withdrawn``: it does, but the channel has withdrawn it, so that the file of the
board is next. During a trial it is the current good configuration that comes before.
"""
ConfigurationAction = Literal["cancel", "end_trial", "go_back", "leave"]
"""Steps of a rollback.

``cancel``: the update ends, bad here. ``end_trial``: the configuration on trial is bad here. ``go_back``: the
one that serves is bad here, and the one before is current. ``leave``: the file of the board serves alone.
"""

ROLLBACK_CONFIGURATION: dict[
    tuple[PendingConfiguration, ConfigurationBefore], tuple[ConfigurationAction, ...]
] = {
    ("none", "nothing"): (),
    ("none", "own"): ("go_back",),
    ("none", "good"): ("go_back",),
    ("none", "withdrawn"): ("go_back", "leave"),
    ("update", "nothing"): ("cancel",),
    ("update", "own"): ("cancel", "go_back"),
    ("update", "good"): ("cancel", "go_back"),
    ("update", "withdrawn"): ("cancel", "go_back", "leave"),
    ("trial", "nothing"): ("end_trial",),
    ("trial", "own"): ("end_trial",),
    ("trial", "good"): ("end_trial",),
    ("trial", "withdrawn"): ("end_trial", "leave"),
}
"""Empty is a refusal: the file of the board serves alone, and there is nothing to leave."""


def state_of(record: ConfigurationRecord) -> tuple[PendingConfiguration, ConfigurationBefore]:
    """Return the state of a device for the table."""
    if record.trial is not None:
        before = record.current
        if before is None:
            return "trial", "nothing"
        return "trial", "withdrawn" if before.slot in record.withdrawn else "good"
    pending: PendingConfiguration = "none" if record.pending is None else "update"
    if record.current is None:
        return pending, "nothing"
    if record.previous is None:
        return pending, "own"
    return pending, "withdrawn" if record.previous.slot in record.withdrawn else "good"
