"""Facts of a device as a document, from which the publisher predicts what the device will take.

``edgeagent status --json`` writes them as ``device``, beside the deployment record as ``record``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.policy import ANY, Device
from edgeagent.errors import DeliveryError
from edgeagent.files.state_json import DamagedJsonError, parse_json
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.delivery import Label
from edgeagent.version import __version__


class DeviceFacts(BaseModel):
    """Facts of a device.

    Attributes:
        id: name of the device; with the id of a rollout it decides the share that it belongs to.
        boards: names of its board.
        labels: its cohorts.
        version: of its edgeagent.
        channel: that it follows.
        time: its clock, with a time zone, which is that of windows; None is the clock of the reader.
        battery_percent: charge of its battery, 0..100; None without a reading.
        on_mains: whether it is on external power; None where that is not known.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, Field(min_length=1)]
    boards: tuple[Label, ...] = ()
    labels: tuple[Label, ...] = ()
    version: str | None = None
    channel: Label | None = None
    time: AwareDatetime | None = None
    battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    on_mains: bool | None = None

    def device(self, now: datetime) -> Device:
        """Return the properties that rollout policies test.

        Args:
            now: time with a time zone where the facts give none.
        """
        boards = tuple(dict.fromkeys((*self.boards, ANY)))
        time = self.time or now
        return Device(self.id, boards, self.labels, time, self.battery_percent, self.on_mains)


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    device: DeviceFacts
    record: Record | None = None


def facts_of(device: Device, channel: str) -> DeviceFacts:
    """Return the facts of this device.

    Args:
        device: its properties.
        channel: that it follows.
    """
    return DeviceFacts(
        id=device.id,
        boards=device.boards,
        labels=device.labels,
        version=__version__,
        channel=channel,
        time=device.local_time,
        battery_percent=device.battery_percent,
        on_mains=device.on_mains,
    )


def parse_facts(content: bytes, source: str) -> tuple[DeviceFacts, Record]:
    """Parse the output of ``edgeagent status --json``, or facts alone.

    Args:
        content: a JSON object: facts, or one with ``device`` and perhaps ``record``.
        source: name of the file, for messages.

    Raises:
        DeliveryError: it holds no facts.
    """
    try:
        data = parse_json(content, dict[str, object])
        document = _Document.model_validate_json(json.dumps(data if "device" in data else {"device": data}))
    except DamagedJsonError as error:
        raise DeliveryError(f"{source}: is no JSON object ({error})") from None
    except ValidationError as error:
        raise DeliveryError(
            f"{source}: {first_mistake(error)}; expected the output of `edgeagent status --json`, or an "
            'object such as {"id": "gate-7", "boards": ["rpi5"]}'
        ) from None
    return document.device, document.record or Record()
