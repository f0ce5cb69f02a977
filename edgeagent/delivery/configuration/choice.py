"""Choice of a configuration under the signed rollout policy, by the rules for models. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.bundle.reading import needs_newer
from edgeagent.delivery.configuration.record import ConfigurationRecord, StoredConfiguration
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.configuration_entry import Configuration
from edgeagent.delivery.update.policy import MAX_REASONS, Device, fetch_hindrance, fits
from edgeagent.version import __version__


@dataclass(frozen=True)
class ConfigurationChoice:
    """What a device does about its configuration.

    Attributes:
        entry: configuration to move to; None stays.
        reason: why not a newer one, in words; None where nothing hinders one.
        leave: why the current one must be left for the file of the board; None where it may stay.
    """

    entry: Configuration | None = None
    reason: str | None = None
    leave: str | None = None


def choose_configuration(
    channel: Channel, device: Device, record: ConfigurationRecord, version: str = __version__
) -> ConfigurationChoice:
    """Return what to do: the newest configuration that fits the board, is not withdrawn, and not bad here.

    Its rollout must include the device, and it must be newer than the current one. When the current one is
    withdrawn, older ones qualify too, and the previous good one whatever its rollout says.

    Args:
        channel: verified index.
        device: properties of this device.
        record: its configurations.
        version: of this edgeagent.
    """
    withdrawn = withdrawal(channel, record.current)
    notes = [f"configuration {withdrawn}"] if withdrawn is not None else []
    usable = False
    for entry in sorted(channel.configurations, key=lambda one: one.sequence, reverse=True):
        if _is(entry, record.current) or (withdrawn is None and not _is_newer(entry, record.current)):
            continue
        refusal = unusable_configuration(entry, device, record, version)
        usable = usable or refusal is None
        again = withdrawn is not None and _is(entry, record.previous)
        hindrance = refusal or (None if again else fetch_hindrance(entry, device))
        if hindrance is None:
            return ConfigurationChoice(entry, "; ".join(notes[:MAX_REASONS]) or None)
        if fits(entry, device):
            notes.append(f"configuration {entry.version}: {hindrance}")
    leave = f"{withdrawn}; nothing else is offered" if withdrawn is not None and not usable else None
    return ConfigurationChoice(None, "; ".join(notes[:MAX_REASONS]) or None, leave)


def unusable_configuration(
    entry: Configuration, device: Device, record: ConfigurationRecord, version: str = __version__
) -> str | None:
    """Return why this device may not run a configuration at all; None if it may."""
    if not fits(entry, device):
        return f"for {', '.join(entry.boards)}; this board is {', '.join(device.boards)}"
    if entry.withdrawn is not None:
        return f"withdrawn: {entry.withdrawn}"
    bad = next((one for one in reversed(record.bad) if one.slot == entry.slot), None)
    if bad is not None:
        return f"bad on this device: {bad.reason}"
    wanted = entry.minimum_agent_version
    if wanted is not None and needs_newer(wanted, version):
        return f"made for edgeagent {wanted}; this one is {version}"
    return None


def withdrawal(channel: Channel, configuration: StoredConfiguration | None) -> str | None:
    """Return that a configuration is withdrawn, and why; None if it is not, or is not offered any more."""
    if configuration is None:
        return None
    found = next((one for one in channel.configurations if _is(one, configuration)), None)
    if found is None or found.withdrawn is None:
        return None
    return f"{found.version} is withdrawn ({found.withdrawn})"


def stored(entry: Configuration) -> StoredConfiguration:
    """Return a configuration as the record names it."""
    return StoredConfiguration(version=entry.version, sequence=entry.sequence, sha256=entry.sha256)


def offered(channel: Channel, configuration: StoredConfiguration) -> Configuration | None:
    """Return the entry of a configuration; None if the channel does not offer it any more."""
    return next((one for one in channel.configurations if _is(one, configuration)), None)


def _is(entry: Configuration, configuration: StoredConfiguration | None) -> bool:
    return configuration is not None and entry.slot == configuration.slot


def _is_newer(entry: Configuration, configuration: StoredConfiguration | None) -> bool:
    return configuration is None or entry.sequence > configuration.sequence
