"""Alarms of all devices, with acknowledgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeagent.fleet.page.permalinks import device_place, place
from edgeagent.fleet.page.views.fleet_table import choice, pager, tabs
from edgeagent.fleet.page.views.teaching import no_alarms
from edgeagent.fleet.queries.alarm_list import AlarmFilter, FleetAlarm
from edgeagent.fleet.queries.page_of_rows import PageOfRows
from edgeagent.fleet.users.actor import Actor
from edgeagent.web.views.advice import advice_for
from edgeagent.web.views.markup import icon, text, when

WHICH = (("open", "Open"), ("present", "Present"), ("ended", "Ended"), ("all", "All"))
URGENT = ("not_detecting", "camera_lost", "under_voltage")
PRECISE = "%Y-%m-%dT%H:%M:%S.%fZ"


def write_alarms(
    alarms: Sequence[FleetAlarm],
    count: int,
    condition: AlarmFilter,
    codes: Mapping[str, int],
    page: PageOfRows,
    actor: Actor,
    csrf: str,
) -> str:
    """Return the HTML of the view.

    Args:
        alarms: part of the list.
        count: number of all that fulfil the condition.
        condition: that they fulfil.
        codes: number of present alarms by code.
        page: which part.
        actor: who looks.
        csrf: value that a write repeats.
    """
    given = condition.model_dump()
    shown = tabs(
        "Which",
        [(label, place("/alarms", given, which=which), which == condition.which) for which, label in WHICH],
    )
    here = place("/alarms", given, page=page.number if page.number > 1 else "")
    rows = alarm_rows(alarms, actor, csrf, here) if alarms else no_alarms(condition.which)
    form = (
        f'<form class="filters" method="get" action="/alarms" role="search"><input type="hidden" name="which" value="{text(condition.which)}">'
        f'<label>Search <input type="search" name="search" id="search" value="{text(condition.search)}" maxlength="200" autocomplete="off" '
        'spellcheck="false" placeholder="part of a name"></label>'
        + choice("code", "Alarm", codes, condition.code)
        + "<button>Filter</button></form>"
    )
    return (
        f'<div class="head"><h1>Alarms</h1></div>{shown}{form}<section class="card" data-part="alarms">{rows}'
        + pager("/alarms", given, page.number, page.size, count)
        + "</section>"
    )


def alarm_rows(alarms: Sequence[FleetAlarm], actor: Actor, csrf: str, here: str, short: bool = False) -> str:
    """Return alarms with what to do; ``short`` is for the page of their device, to which ``here`` leads back."""
    if not alarms:
        return f'<p class="fine">{icon("good")} No alarms.</p>'
    return '<ul class="alarms">' + "".join(_alarm(one, actor, csrf, here, short) for one in alarms) + "</ul>"


def _alarm(one: FleetAlarm, actor: Actor, csrf: str, here: str, short: bool) -> str:
    kind = (
        "plain" if one.ended is not None or one.acknowledged_by else "bad" if one.code in URGENT else "warn"
    )
    camera = f" at {text(one.camera)}" if one.camera else ""
    tenant = f' <span class="unit">{text(one.tenant)}</span>' if one.tenant else ""
    device = (
        ""
        if short
        else f' <a href="{text(device_place(one.tenant, one.device))}">{text(one.device)}</a>{tenant}{camera}'
    )
    until = f", ended {when(one.ended.strftime(PRECISE))}" if one.ended is not None else ""
    known = ""
    if one.acknowledged_by:
        at = when(one.acknowledged_at.strftime(PRECISE)) if one.acknowledged_at else ""
        note = f": {text(one.note)}" if one.note else ""
        known = f'<p class="unit">Acknowledged by {text(one.acknowledged_by)} {at}{note}</p>'
    elif one.ended is None and actor.may("operator"):
        known = _form(one, csrf, here)
    return (
        f'<li class="alarm {kind}">{icon("warning")}<div><p><strong>{text(one.code.replace("_", " "))}</strong>{device} '
        f'<span class="unit">since {when(one.since.strftime(PRECISE))}{until}</span></p><p>{text(one.text)}</p>'
        f'<p class="advice">{text(advice_for(one.code))}</p>{known}</div></li>'
    )


def _form(one: FleetAlarm, csrf: str, here: str) -> str:
    hidden = {
        "csrf": csrf,
        "tenant": one.tenant,
        "device": one.device,
        "code": one.code,
        "camera": one.camera,
        "since": one.since.strftime(PRECISE),
        "next": here,
    }
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{text(value)}">' for name, value in hidden.items()
    )
    return (
        f'<form class="acknowledge" method="post" action="/alarms/acknowledge">{fields}<label><span class="hidden">Note on {text(one.code)} of {text(one.device)}</span>'
        '<input name="note" maxlength="500" placeholder="note, such as who goes there" autocomplete="off"></label>'
        "<button>Acknowledge</button></form>"
    )
