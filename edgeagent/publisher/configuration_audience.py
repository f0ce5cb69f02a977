"""What a device does with the configurations of a channel, by the policy of the device itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from edgeagent.delivery.configuration.choice import choose_configuration, unusable_configuration
from edgeagent.delivery.configuration.record import ConfigurationRecord
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.update.facts import DeviceFacts
from edgeagent.delivery.update.policy import fetch_hindrance, serve_hindrance
from edgeagent.errors import DeliveryError
from edgeagent.files.validation import first_mistake
from edgeagent.version import __version__


@dataclass(frozen=True)
class ConfigurationPrediction:
    """What a device does with the configurations of a channel.

    Attributes:
        takes: version that it fetches at its next check; None for none.
        reason: why, in words; None where it has the newest.
        serves: why it would not serve at once; None if it would, or takes nothing.
        configurations: version and what hinders each, newest first; None where nothing does.
    """

    takes: str | None
    reason: str | None
    serves: str | None
    configurations: tuple[tuple[str, str | None], ...]


class _Signed(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    record: ConfigurationRecord | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    signed_configuration: _Signed | None = None


def parse_configuration_record(content: bytes, source: str) -> ConfigurationRecord:
    """Parse the configurations in the output of ``edgeagent status --json``; empty where it has none.

    Raises:
        DeliveryError: they are malformed.
    """
    try:
        signed = _Document.model_validate_json(content).signed_configuration
    except ValidationError as error:
        raise DeliveryError(f"{source}: {first_mistake(error)}") from None
    return (signed.record if signed is not None else None) or ConfigurationRecord()


def predict_configuration(
    channel: Channel, facts: DeviceFacts, record: ConfigurationRecord, now: datetime
) -> ConfigurationPrediction:
    """Predict what a device does.

    Args:
        channel: index.
        facts: of the device.
        record: its configurations; an empty one for a new device.
        now: time with a time zone where the facts give none.
    """
    device, version = facts.device(now), facts.version or __version__
    choice = choose_configuration(channel, device, record, version)
    newest = sorted(channel.configurations, key=lambda one: one.sequence, reverse=True)
    hindrances = tuple(
        (one.version, unusable_configuration(one, device, record, version) or fetch_hindrance(one, device))
        for one in newest
    )
    if choice.entry is None:
        return ConfigurationPrediction(None, choice.leave or choice.reason, None, hindrances)
    serves = serve_hindrance(choice.entry, device)
    reason = choice.reason or "it is the newest for this device"
    return ConfigurationPrediction(choice.entry.version, reason, serves, hindrances)
