"""Fleet at a glance: numbers by state, groups, alarms, and what is below its claim."""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.fleet.page.permalinks import device_place, place
from edgeagent.fleet.page.views.data_age import write_data_age
from edgeagent.fleet.page.views.fleet_table import tabs
from edgeagent.fleet.page.views.state_bar import KINDS, group_bar, state_bar
from edgeagent.fleet.page.views.teaching import no_devices
from edgeagent.fleet.queries.accuracy_claims import MissedClaim
from edgeagent.fleet.queries.device_groups import GROUPS, DeviceGroup
from edgeagent.fleet.queries.fleet_glance import FleetGlance
from edgeagent.fleet.queries.table_age import TableAge
from edgeagent.web.views.advice import advice_for
from edgeagent.web.views.markup import card, facts, shown_number, table, text, when

SHOWN_STATES = ("detecting", "degraded", "not detecting", "lost", "stopped", "unknown")
ALWAYS_SHOWN = ("detecting", "degraded", "not detecting", "lost")
LABEL = "label:"
CLAIM = (
    "mAP on the golden pictures, through the serving engine, where it is below the claim by more than the tolerance of the "
    "bundle: it points to a fault of the engine on that board."
)


def write_overview(
    glance: FleetGlance,
    by: str,
    groups: Sequence[DeviceGroup],
    labels: Sequence[str],
    missed: Sequence[MissedClaim],
    lost: int,
    age: TableAge | None = None,
) -> str:
    """Return the HTML of the view.

    Args:
        glance: numbers of the fleet.
        by: what the groups have in common, as in :data:`GROUPS` or ``label:NAME``.
        groups: largest first.
        labels: names of labels that exist.
        missed: devices below the claimed accuracy by more than its tolerance.
        lost: number of lost messages.
        age: of the tables.
    """
    if not glance.devices:
        return '<div class="head"><h1>Fleet</h1></div>' + no_devices()
    as_of = f'<p class="unit" data-part="asof">Newest message {when(_iso(glance))}. {write_data_age(age)}</p>'
    return (
        f'<div class="head"><h1>Fleet</h1>{as_of}</div>'
        + f'<div data-part="tiles">{_tiles(glance)}</div><div class="columns">'
        + card("groups", "Groups", _groups(by, groups, labels), wide=True)
        + card("alarms", "Alarms of connected devices", _problems(glance))
        + card("totals", "Totals", _totals(glance, lost))
        + card("accuracy", "Accuracy below the claim", _missed(missed), CLAIM, wide=True)
        + "</div>"
    )


def _iso(glance: FleetGlance) -> str | None:
    return None if glance.newest is None else glance.newest.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tiles(glance: FleetGlance) -> str:
    tiles = [
        _tile("/devices", "devices", glance.devices, "plain"),
        _tile(None, "online", glance.online, "plain"),
    ]
    for state in SHOWN_STATES:
        count = glance.states[state]
        if count or state in ALWAYS_SHOWN:
            kind = KINDS.get(state, "plain") if count else "plain"
            tiles.append(_tile(place("/devices", {"state": state}), state, count, kind))
    bar = state_bar(((state, glance.states[state]) for state in SHOWN_STATES), "States")
    return f'<ul class="figures">{"".join(tiles)}</ul>{bar}'


def _tile(target: str | None, label: str, count: int, kind: str) -> str:
    shown = f"<strong>{shown_number(count, digits=0)}</strong><span>{text(label)}</span>"
    inner = f'<a href="{text(target)}">{shown}</a>' if target else f"<div>{shown}</div>"
    return f'<li class="figure {kind}">{inner}</li>'


def _groups(by: str, groups: Sequence[DeviceGroup], labels: Sequence[str]) -> str:
    names = [*GROUPS, *(f"{LABEL}{label}" for label in labels)]
    shown = tabs(
        "Groups by", [(name.replace(LABEL, "label "), place("/", {"by": name}), name == by) for name in names]
    )
    rows = [
        [
            _group_name(by, group),
            shown_number(group.devices, digits=0),
            group_bar(group),
            shown_number(group.detecting, digits=0),
            shown_number(group.degraded, digits=0),
            shown_number(group.not_detecting, digits=0),
            shown_number(group.lost, digits=0),
        ]
        for group in groups
    ]
    head = [
        by.replace(LABEL, "").capitalize(),
        "Devices",
        "States",
        "Detecting",
        "Degraded",
        "Not detecting",
        "Lost",
    ]
    about = (
        ""
        if labels
        else '<p class="about">Give devices labels such as site or cohort on their pages; they can be grouped by here.</p>'
    )
    return shown + about + table("Groups of devices", head, rows)


def _group_name(by: str, group: DeviceGroup) -> str:
    if not group.name:
        return "not known" if not by.startswith(LABEL) else "without this label"
    if by == "tenant":
        return text(group.name)
    given = (
        {"label": by.removeprefix(LABEL), "value": group.name} if by.startswith(LABEL) else {by: group.name}
    )
    return f'<a href="{text(place("/devices", given))}">{text(group.name)}</a>'


def _problems(glance: FleetGlance) -> str:
    if not glance.problems:
        return '<p class="fine">No connected device reports a problem.</p>'
    rows = "".join(
        f'<li><a href="{text(place("/devices", {"alarm": code}))}"><strong>{text(code.replace("_", " "))}</strong></a> '
        f'<span class="number">{count}</span><p class="advice">{text(advice_for(code))}</p></li>'
        for code, count in glance.problems.items()
    )
    return f'<ul class="problems">{rows}</ul><p><a href="/alarms">All alarms</a></p>'


def _totals(glance: FleetGlance, lost: int) -> str:
    mean = None if glance.watts is None else glance.watts / glance.measured
    of = (
        f' <span class="unit">({glance.measured} devices measure it)</span>'
        if glance.watts is not None
        else ""
    )
    return facts(
        [
            ("Processed", shown_number(glance.fps, "frames/s", 0)),
            ("Power", shown_number(glance.watts, "W", 0, "no connected device measures it") + of),
            ("Power of a device", shown_number(mean, "W", 2, "no connected device measures it")),
            ("Messages lost", f'<a href="/lost">{shown_number(lost, digits=0)}</a>'),
        ]
    )


def _missed(missed: Sequence[MissedClaim]) -> str:
    if not missed:
        return '<p class="about">No device measures less than its bundle claims and tolerates on the golden pictures.</p>'
    rows = [
        [
            f'<a href="{text(device_place(one.tenant, one.device))}">{text(one.device)}</a>',
            text(one.model or ""),
            text(one.board or ""),
            text(one.delegate or ""),
            shown_number(one.map50_95, digits=3),
            shown_number(one.map_claimed, digits=3),
            shown_number(one.map_tolerance, digits=3, why="the device has not said it"),
        ]
        for one in missed[:20]
    ]
    return table(
        "Devices below the claim",
        ["Device", "Model", "Board", "Delegate", "mAP50-95", "Claimed", "Tolerance"],
        rows,
    )
