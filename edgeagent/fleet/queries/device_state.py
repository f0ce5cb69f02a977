"""State of a device, as it follows from its connection and its alarms.

::

    status offline                          lost
    status stopped                          stopped
    no status or alarm message yet          unknown
    nothing serves, or alarm not_detecting  not detecting
    any other alarm                         degraded
    else                                    detecting
"""

from __future__ import annotations

from typing import Literal, get_args

DeviceState = Literal["detecting", "degraded", "not detecting", "lost", "stopped", "unknown"]
STATES: tuple[DeviceState, ...] = get_args(DeviceState)
ONLINE: tuple[DeviceState, ...] = ("detecting", "degraded", "not detecting")

STATE = (
    "multiIf(ifNull(status, '') = 'offline', 'lost', ifNull(status, '') = 'stopped', 'stopped', "
    "isNull(status) OR isNull(alarm_time), 'unknown', "
    "isNull(serving) OR has(problem_codes, 'not_detecting'), 'not detecting', "
    "notEmpty(problem_codes), 'degraded', 'detecting')"
)
"""Expression of the state over a row of the table ``devices``."""

MODEL = "if(isNull(bundle), NULL, concat(bundle, ' ', ifNull(bundle_version, '')))"
"""Expression of name and version of the serving model; NULL where it is not known."""
