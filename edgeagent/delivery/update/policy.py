"""Rollout policy on the device: which release it takes, and when.

Pure functions: no file, no clock, no network. Each returns why not, or None. Fetching and serving are decided
apart, as files may be fetched long before they serve:

    fetch_hindrance   cohorts, percent, start, pause, battery and mains
    serve_hindrance   the same again, and the window of the day

A release that only waits for its window is fetched; one that is paused or withdrawn meanwhile does not begin
to serve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.repository.channel_entry import ChannelEntry, Rollout, Window
from edgeagent.delivery.state.record import BadModel, Installed, Record

ANY = "any"
FIRST_YEAR = 2024  # an earlier clock was never set; no release is older
MAX_REASONS = 3


@dataclass(frozen=True)
class Device:
    """Properties of a device that rollout policies test.

    Attributes:
        id: name of the device.
        boards: names of its board, ``any`` included.
        labels: its cohorts.
        local_time: time of its clock, with the time zone of windows.
        battery_percent: charge of its battery, 0..100; None without a reading.
        on_mains: whether it is on external power; None where that is not known.
    """

    id: str
    boards: tuple[str, ...]
    labels: tuple[str, ...]
    local_time: datetime
    battery_percent: float | None = None
    on_mains: bool | None = None


def bucket(device: str, rollout: str) -> float:
    """Return the place of a device in the order of a rollout, 0 <= bucket < 100.

    The first 8 hexadecimal digits of the SHA-256 of ``<rollout>/<device>`` in UTF-8, over 2**32, times 100.
    A device is among the first ``percent`` when its bucket is less than ``percent``.
    """
    digest = hashlib.sha256(f"{rollout}/{device}".encode()).hexdigest()
    return int(digest[:8], 16) / 2**32 * 100


def choose_release(channel: Channel, device: Device, record: Record) -> tuple[Release | None, str]:
    """Return the release to move to now, or None; and the reason in words.

    It is the newest release that fits the board, is not withdrawn, not bad here, and whose rollout includes
    this device, as long as it is newer than the current one. A pin excludes all others, until the pinned
    release is withdrawn. When the current release is withdrawn, older ones qualify too, and the previous good
    one whatever its rollout says.
    """
    pin = named(channel, record.pinned) if record.pinned is not None else None
    if record.pinned is not None and pin is None:
        return None, f"pinned to {record.pinned}, which channel {channel.channel} does not offer"
    if pin is not None and pin.withdrawn is None:
        return _choose_pinned(pin, device, record)
    withdrawn = _withdrawn(channel, record.current)
    notes = [f"the pinned {release_name(pin)} is withdrawn"] if pin is not None else []
    notes += [withdrawn] if withdrawn is not None else []
    fitting = [release for release in channel.releases if fits(release, device)]
    if not fitting:
        notes.append(f"channel {channel.channel} has nothing for {', '.join(device.boards)}")
    for release in sorted(fitting, key=lambda release: release.sequence, reverse=True):
        if withdrawn is None and not _is_newer(release, record.current):
            continue
        known_good = withdrawn is not None and _is(release, record.previous)
        hindrance = unusable(release, record) or (None if known_good else fetch_hindrance(release, device))
        if hindrance is None:
            return release, "; ".join([*notes, f"{release_name(release)} is the newest for this device"])
        if not _is(release, record.current):
            notes.append(f"{release_name(release)}: {hindrance}")
    if not notes:
        notes.append(f"{release_name(record.current or fitting[0])} is the newest for this device")
    return None, "; ".join(notes[:MAX_REASONS])


def withdrawn_slots(channel: Channel) -> frozenset[str]:
    """Return the slots of the releases that are withdrawn."""
    return frozenset(release.slot for release in channel.releases if release.withdrawn is not None)


def board_hindrance(release: ChannelEntry, device: Device) -> str | None:
    """Return why a release is not for the board of a device; None if it is."""
    return None if fits(release, device) else f"it is not for {', '.join(device.boards)}"


def must_leave(channel: Channel, device: Device, record: Record) -> str | None:
    """Return why the current model must be left at once; None where it may stay.

    It must if it is withdrawn and no other release can take its place, now or later: all others are for other
    boards, withdrawn or bad here.
    """
    reason = _withdrawn(channel, record.current)
    others = [release for release in channel.releases if fits(release, device)]
    usable = any(unusable(release, record) is None for release in others)
    return None if usable or reason is None else f"{reason}; nothing else is offered to this device"


def find_offered(channel: Channel, model: Installed) -> Release | None:
    """Return the release of a model in a slot; None if the channel does not offer it any more."""
    return next((release for release in channel.releases if _is(release, model)), None)


def named(channel: Channel, model: str) -> Release | None:
    """Return the release with a name and version, written as in a pin; the newest of several."""
    found = [release for release in channel.releases if release_name(release) == model]
    return max(found, key=lambda release: release.sequence, default=None)


def fits(release: ChannelEntry, device: Device) -> bool:
    """Return whether a release is for the board of a device."""
    return ANY in release.boards or not set(release.boards).isdisjoint(device.boards)


def unusable(release: Release, record: Record) -> str | None:
    """Return why this device may not run a release at all: withdrawn or bad here; None if it may."""
    if release.withdrawn is not None:
        return f"withdrawn: {release.withdrawn}"
    bad = bad_here(release, record)
    return f"bad on this device: {bad.reason}" if bad is not None else None


def bad_here(release: Release, record: Record) -> BadModel | None:
    """Return the newest entry of a release among the bad models of this device; None without one."""
    return next((bad for bad in reversed(record.bad) if bad.slot == release.slot), None)


def fetch_hindrance(release: ChannelEntry, device: Device) -> str | None:
    """Return why a device may not fetch a release yet; None if it may."""
    checks = (
        _withdrawal(release),
        *_rollout(release.rollout, device),
        power_hindrance(release.rollout, device),
    )
    return next((reason for reason in checks if reason is not None), None)


def serve_hindrance(release: ChannelEntry, device: Device) -> str | None:
    """Return why a fetched release may not serve yet; None if it may."""
    return fetch_hindrance(release, device) or window_hindrance(release.rollout.window, device)


def power_hindrance(rollout: Rollout, device: Device) -> str | None:
    """Return why the power supply of a device is not sufficient; None if it is.

    A device without any reading has no battery, so it is on the mains. On external power the charge does not
    matter.
    """
    if device.on_mains or (device.on_mains is None and device.battery_percent is None):
        return None
    if rollout.mains_only:
        return "only on external power" + ("" if device.on_mains is False else ", and this is not known here")
    least = rollout.least_battery_percent
    if least is None:
        return None
    if device.battery_percent is None:
        return f"needs {least:g} % of battery, and the charge is not known here"
    if device.battery_percent < least:
        return f"needs {least:g} % of battery; this device has {device.battery_percent:g} %"
    return None


def window_hindrance(window: Window | None, device: Device) -> str | None:
    """Return why the local time is outside a window; None if it is inside.

    The beginning is inside, the end is not; a window whose ends are equal is the whole day.
    """
    if window is None:
        return None
    if _never_set(device.local_time):
        return f"serves from {window.begin} to {window.end}, but {_clock(device)}"
    now = device.local_time.strftime("%H:%M")
    if window.begin < window.end:
        inside = window.begin <= now < window.end
    else:
        inside = now >= window.begin or now < window.end
    return None if inside else f"serves from {window.begin} to {window.end}; here it is {now}"


def _is(release: Release, model: Installed | None) -> bool:
    return model is not None and release.slot == model.slot


def _is_newer(release: Release, model: Installed | None) -> bool:
    return model is None or release.sequence > model.sequence


def release_name(release: Release | Installed) -> str:
    """Return name and version, as in a pin."""
    return f"{release.name} {release.version}"


def _rollout(rollout: Rollout, device: Device) -> Iterator[str | None]:
    if rollout.paused:
        yield f"rollout {rollout.id} is paused"
    if rollout.cohorts and set(rollout.cohorts).isdisjoint(device.labels):
        yield f"only for {', '.join(rollout.cohorts)}"
    place = bucket(device.id, rollout.id)
    if place >= rollout.percent:
        yield f"{rollout.percent:g} % of the devices so far; this one is at {place:.1f}"
    if rollout.start is not None:
        yield _before(rollout.start, device)


def _before(start: datetime, device: Device) -> str | None:
    start = start if start.tzinfo is not None else start.replace(tzinfo=timezone.utc)
    if device.local_time >= start:
        return None
    begins = f"begins at {start.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    return f"{begins}, but {_clock(device)}" if _never_set(device.local_time) else begins


def _never_set(time: datetime) -> bool:
    return time.year < FIRST_YEAR


def _clock(device: Device) -> str:
    return f"the clock here says {device.local_time:%Y-%m-%d}, so that this cannot be judged"


def _withdrawal(release: ChannelEntry) -> str | None:
    return None if release.withdrawn is None else f"withdrawn: {release.withdrawn}"


def _withdrawn(channel: Channel, current: Installed | None) -> str | None:
    """Return why the current model must be replaced; None if it need not."""
    if current is None:
        return None
    release = find_offered(channel, current)
    if release is None or release.withdrawn is None:
        return None
    return f"{release_name(release)}, which serves, is withdrawn ({release.withdrawn})"


def _choose_pinned(pin: Release, device: Device, record: Record) -> tuple[Release | None, str]:
    """Decide on a pinned release: board, power and bad models count, rollout and window do not."""
    if _is(pin, record.current):
        return None, f"pinned to {release_name(pin)}, which serves"
    if not fits(pin, device):
        return None, f"pinned to {release_name(pin)}, which is not for {', '.join(device.boards)}"
    hindrance = unusable(pin, record) or power_hindrance(pin.rollout, device)
    if hindrance is not None:
        return None, f"pinned to {release_name(pin)}: {hindrance}"
    return pin, f"pinned to {release_name(pin)}"
