"""States of devices in words and as bars."""

from __future__ import annotations

from collections.abc import Iterable

from edgeagent.fleet.queries.device_groups import DeviceGroup
from edgeagent.fleet.queries.device_state import DeviceState
from edgeagent.web.views.markup import badge, text

KINDS: dict[str, str] = {"detecting": "good", "degraded": "warn", "not detecting": "bad", "lost": "bad"}


def state_badge(state: DeviceState) -> str:
    """Return a state."""
    return badge(KINDS.get(state, "plain"), state)


def state_bar(parts: Iterable[tuple[str, int]], label: str) -> str:
    """Return a bar with parts in proportion; each is a state and a number of devices."""
    given = [(name, count) for name, count in parts if count]
    total = sum(count for _, count in given)
    if not total:
        return ""
    drawn, x = [], 0.0
    for name, count in given:
        width = 100 * count / total
        kind = name.replace(" ", "-")
        drawn.append(f'<rect class="state-{text(kind)}" x="{x:.2f}" y="0" width="{width:.2f}" height="8"/>')
        x += width
    told = ", ".join(f"{count} {name}" for name, count in given)
    return (
        f'<svg class="state-bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{text(label)}: {text(told)}">'
        f"<title>{text(told)}</title>{''.join(drawn)}</svg>"
    )


def group_bar(group: DeviceGroup) -> str:
    """Return the bar of a group."""
    parts = (
        ("detecting", group.detecting),
        ("degraded", group.degraded),
        ("not detecting", group.not_detecting),
        ("lost", group.lost),
        ("other", group.other),
    )
    return state_bar(parts, group.name or "without")
