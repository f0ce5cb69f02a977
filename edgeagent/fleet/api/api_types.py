"""What goes into the API and comes out of it, beside the results of queries."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from edgeagent.fleet.operations.device_labels import LABEL_VALUE, LONGEST_LABEL_VALUE
from edgeagent.fleet.page.permalinks import LONGEST_VALUE
from edgeagent.fleet.page.rollout_plans import PlannedRollout
from edgeagent.fleet.queries.alarm_list import AlarmFilter, FleetAlarm
from edgeagent.fleet.queries.device_list import DeviceFilter, DeviceRow, SortKey
from edgeagent.fleet.queries.fleet_row import FleetRow
from edgeagent.fleet.queries.page_of_rows import MOST_PAGE, MOST_ROWS, PAGE_ROWS
from edgeagent.fleet.queries.rollout_progress import FailureReason, RolloutProgress

ShortText = Annotated[str, StringConstraints(max_length=LONGEST_VALUE)]


class Wanted(BaseModel):
    """Base of what a request says; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceQuery(DeviceFilter):
    """Query of the list of devices."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: ShortText = ""
    sort: SortKey = "device"
    descending: bool = False
    page: Annotated[int, Field(ge=1, le=MOST_PAGE)] = 1
    size: Annotated[int, Field(ge=1, le=MOST_ROWS)] = PAGE_ROWS

    @property
    def condition(self) -> DeviceFilter:
        """The conditions alone."""
        names = set(DeviceFilter.model_fields)
        return DeviceFilter(**self.model_dump(include=names))


class AlarmQuery(AlarmFilter):
    """Query of the list of alarms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: ShortText = ""
    page: Annotated[int, Field(ge=1, le=MOST_PAGE)] = 1
    size: Annotated[int, Field(ge=1, le=MOST_ROWS)] = PAGE_ROWS

    @property
    def condition(self) -> AlarmFilter:
        """The conditions alone."""
        names = set(AlarmFilter.model_fields)
        return AlarmFilter(**self.model_dump(include=names))


class DevicePage(FleetRow):
    """Part of the devices, and the number of all that fulfil the conditions."""

    count: int
    devices: list[DeviceRow]


class AlarmPage(FleetRow):
    """Part of the alarms, and the number of all that fulfil the conditions."""

    count: int
    alarms: list[FleetAlarm]


class Rollouts(FleetRow):
    """Rollouts; ``plans`` is None where the publisher's folder is not known to the server."""

    progress: list[RolloutProgress]
    reasons: list[FailureReason]
    plans: list[PlannedRollout] | None


class StageHistogram(FleetRow):
    """Histogram of a stage: bucket ``i`` holds durations in (2^(i/64), 2^((i+1)/64)] ms."""

    stage: str
    buckets: dict[int, int]


class AuditEntryOut(FleetRow):
    """One thing that was done, or refused; newest first, ``before`` continues."""

    id: int
    time: float
    who: str
    address: str
    action: str
    object: str
    done: bool
    detail: str


class AcknowledgedAlarm(Wanted):
    """Alarm that is acknowledged, as the list has it, with a note for others."""

    tenant: ShortText = ""
    device: ShortText
    code: ShortText
    camera: ShortText = ""
    since: AwareDatetime
    note: Annotated[str, StringConstraints(max_length=500)] = ""


class LabelValue(Wanted):
    """Value of a label; empty removes it."""

    value: Annotated[str, StringConstraints(max_length=LONGEST_LABEL_VALUE, pattern=LABEL_VALUE)]


class RefusedRequest(BaseModel):
    """Why a request was refused, or cannot be answered now."""

    detail: str
