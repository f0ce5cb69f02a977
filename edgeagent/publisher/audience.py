"""Audience of a release: which boards and what share of the devices take it, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import TargetFile

from edgeagent.bundle.reading import MANIFEST, needs_newer, parse_manifest
from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.repository.channel_entry import ChannelEntry
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.device import BOARDS, CORAL
from edgeagent.delivery.update.facts import DeviceFacts
from edgeagent.delivery.update.policy import (
    ANY,
    choose_release,
    fetch_hindrance,
    fits,
    release_name,
    serve_hindrance,
    unusable,
)
from edgeagent.errors import BundleError
from edgeagent.publisher.places import served_path

DETECTED = frozenset({ANY, CORAL, *(name for _, names in BOARDS for name in names)})
"""Board names that devices find out by themselves."""


def describe_audience(release: ChannelEntry) -> Iterator[str]:
    """Yield which devices take a release, and when, as lines."""
    rollout = release.rollout
    boards = "every board" if ANY in release.boards else f"boards named {' or '.join(release.boards)}"
    share = (
        "all devices" if rollout.percent >= 100 else f"{rollout.percent:g} % of the devices, by their names"
    )
    if rollout.percent <= 0:
        share = "no device before `edgeagent publish rollout`"
    cohorts = f", with a label of {', '.join(rollout.cohorts)}" if rollout.cohorts else ""
    yield f"for {boards}; {share}{cohorts}"
    start = f"from {rollout.start:%Y-%m-%d %H:%M %Z} on, " if rollout.start else ""
    window = f"; it serves between {rollout.window.begin} and {rollout.window.end}" if rollout.window else ""
    battery = rollout.least_battery_percent
    power = "; only on external power" if rollout.mains_only else ""
    power += f"; from {battery:g} % of battery on" if battery is not None else ""
    paused = "; paused, no device begins" if rollout.paused else ""
    check = "at the next check of each device (delivery.check_every, 1 h by default)"
    yield f"{start}{check}{window}{power}{paused}"


def unknown_boards(names: Collection[str], profiles: Collection[str]) -> Iterator[str]:
    """Yield a warning for every board name that no device finds out by itself.

    Args:
        names: of a release.
        profiles: names of the board profiles in ``config/boards/``.
    """
    for name in names:
        if name in DETECTED:
            continue
        if name in profiles:
            yield f"{name}: devices do not find this name out; set delivery.boards: [{name}] on them"
        else:
            yield (
                f"{name}: no known board has this name; a device takes the release only where "
                f"delivery.boards names it. Known: {', '.join(sorted(DETECTED))}"
            )


@dataclass(frozen=True)
class Prediction:
    """What a device does with the releases of a channel.

    Attributes:
        takes: name and version of the release that it fetches at its next check; None for none.
        reason: why, in words.
        serves: why it would not serve at once; None if it would, or takes nothing.
        releases: name, version and what hinders each release, newest first; None where nothing does.
    """

    takes: str | None
    reason: str
    serves: str | None
    releases: tuple[tuple[str, str | None], ...]


def minimum_versions(folder: Path, channel: Channel) -> dict[int, str]:
    """Return the version of edgeagent that each release needs, by sequence; without those not on the disk.

    Args:
        folder: of the publisher.
        channel: index.
    """
    found = {}
    for release in channel.releases:
        target = TargetFile(
            release.files.get(MANIFEST, 0),
            {"sha256": release.manifest_sha256},
            release.target(channel.channel, MANIFEST),
        )
        try:
            content = served_path(folder, target).read_bytes()
            found[release.sequence] = parse_manifest(content, target.path).minimum_agent_version
        except (OSError, BundleError):  # `publish verify` tells what is missing or damaged
            continue
    return found


def predict(
    channel: Channel, facts: DeviceFacts, record: Record, now: datetime, minimum: dict[int, str]
) -> Prediction:
    """Predict what a device does, with the policy of the device itself.

    Args:
        channel: index.
        facts: of the device.
        record: deployment record of the device; an empty one for a new device.
        now: time with a time zone where the facts give none.
        minimum: version of edgeagent that each release needs, by sequence.
    """
    device = facts.device(now)
    release, reason = choose_release(channel, device, record)

    def too_old(one: Release) -> str | None:
        wanted = minimum.get(one.sequence)
        if facts.version is None or wanted is None or not needs_newer(wanted, facts.version):
            return None
        return f"needs edgeagent {wanted}; the device has {facts.version}, and would reject it"

    def hindrance(one: Release) -> str | None:
        if not fits(one, device):
            return f"for {', '.join(one.boards)}; this board is {', '.join(device.boards)}"
        return unusable(one, record) or too_old(one) or fetch_hindrance(one, device)

    newest: Sequence[Release] = sorted(channel.releases, key=lambda one: one.sequence, reverse=True)
    releases = tuple((release_name(one), hindrance(one)) for one in newest)
    if release is None:
        return Prediction(None, reason, None, releases)
    rejected = too_old(release)
    if rejected is not None:
        return Prediction(None, f"{release_name(release)} {rejected}", None, releases)
    return Prediction(release_name(release), reason, serve_hindrance(release, device), releases)
