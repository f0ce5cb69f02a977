"""Choice of the agent's version: the policy of models, and the platform. Pure functions.

The version with the highest sequence is taken that is newer than the running one, for the board and its
platform, neither withdrawn nor bad here, and whose rollout includes the device.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.delivery.agent.platform_fit import BoardPlatform, platform_hindrance
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.update.policy import MAX_REASONS, Device, fetch_hindrance, fits
from edgeagent.launcher.record import AgentRecord, AgentVersion, version_key


def choose_agent(
    releases: Sequence[AgentRelease], device: Device, here: BoardPlatform, record: AgentRecord, running: str
) -> tuple[AgentRelease | None, str | None]:
    """Return the version to move to, or None; and why a newer one is not taken, None where there is none.

    Args:
        releases: of the channel.
        device: properties for the policy.
        here: platform of the board.
        record: of the agent's versions.
        running: version that runs.
    """
    notes: dict[str, list[str]] = {}
    for release in sorted(releases, key=lambda one: one.sequence, reverse=True):
        if not fits(release, device) or version_key(release.version) <= version_key(running):
            continue
        hindrance = agent_hindrance(release, device, here, record)
        if hindrance is None:
            return release, None
        notes.setdefault(release.version, []).append(hindrance)
    said = [f"edgeagent {version}: {'; '.join(reasons)}" for version, reasons in notes.items()]
    return None, "; ".join(said[:MAX_REASONS]) or None


def agent_hindrance(
    release: AgentRelease, device: Device, here: BoardPlatform, record: AgentRecord
) -> str | None:
    """Return why a device may not fetch a version; None if it may."""
    bad = record.is_bad(release.slot)
    return (
        platform_hindrance(release, here)
        or (f"bad on this device: {bad.reason}" if bad is not None else None)
        or fetch_hindrance(release, device)
    )


def agent_withdrawal(releases: Sequence[AgentRelease], version: AgentVersion | None) -> str | None:
    """Return why a version is withdrawn; None where it is not, or is no longer offered."""
    if version is None:
        return None
    found = next((one for one in releases if one.slot == version.slot), None)
    return f"withdrawn: {found.withdrawn}" if found is not None and found.withdrawn is not None else None
