"""Table of devices: search, filters, sorting, parts, and the same as a file."""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.fleet.page.permalinks import device_place, place
from edgeagent.fleet.page.views.data_age import write_data_age
from edgeagent.fleet.page.views.fleet_table import choice, pager, sortable_table
from edgeagent.fleet.page.views.state_bar import state_badge
from edgeagent.fleet.page.views.teaching import no_devices, no_match
from edgeagent.fleet.queries.device_list import DeviceFilter, DeviceRow
from edgeagent.fleet.queries.device_state import STATES
from edgeagent.fleet.queries.filter_choices import FilterChoices
from edgeagent.fleet.queries.page_of_rows import PageOfRows
from edgeagent.fleet.queries.table_age import TableAge
from edgeagent.fleet.store.device_statement import RECENT_MINUTES
from edgeagent.web.views.markup import badge, icon, shown_number, text, value_or, when

FEW = f"too few frames in {RECENT_MINUTES} minutes for this percentile; a p99 needs 662"
LATENCY = (
    f"p50 and p99 are from capture to detections, of the {RECENT_MINUTES} minutes up to the newest telemetry."
)
HEADS: tuple[tuple[str, str | None], ...] = (
    ("Device", "device"),
    ("State", "state"),
    ("Alarms", None),
    ("Board", "board"),
    ("Model", "model"),
    ("Delegate", "delegate"),
    ("Frames/s", "fps"),
    ("p50, ms", "p50"),
    ("p99, ms", "p99"),
    ("Power, W", "watts"),
    ("mJ/inference", "joules"),
    ("°C", "temperature"),
    ("mAP", "map"),
    ("Agent", "agent"),
    ("Heard", "last"),
)


def write_devices(
    rows: Sequence[DeviceRow],
    count: int,
    condition: DeviceFilter,
    choices: FilterChoices,
    sort: str,
    page: PageOfRows,
    age: TableAge | None = None,
) -> str:
    """Return the HTML of the view.

    Args:
        rows: part of the list.
        count: number of all that fulfil the condition.
        condition: that they fulfil.
        choices: values that exist.
        sort: key, with ``-`` before it for the greatest first.
        page: which part.
        age: of the table.
    """
    given = {**condition.given, "sort": sort if sort != "device" else ""}
    if rows:
        shown = f'<p class="about">{LATENCY} {write_data_age(age)}</p>'
        shown += sortable_table("Devices", HEADS, [_row(one) for one in rows], "/devices", given, sort)
        shown += pager("/devices", given, page.number, page.size, count)
    elif condition.given or page.number > 1:
        shown = no_match()
    else:
        shown = no_devices()
    files = "".join(
        f'<a class="button quiet" href="{text(place(f"/devices.{kind}", given))}">{label}</a>'
        for kind, label in (("csv", "CSV"), ("parquet", "Parquet"))
    )
    return (
        f'<div class="head"><h1>Devices <span class="unit">{shown_number(count, digits=0)}</span></h1><div class="row">{files}</div></div>'
        + _form(condition, choices, sort)
        + f'<section class="card" data-part="devices">{shown}</section>'
    )


def _form(condition: DeviceFilter, choices: FilterChoices, sort: str) -> str:
    kept = f'<input type="hidden" name="sort" value="{text(sort)}">' if sort != "device" else ""
    if condition.label:
        kept += f'<input type="hidden" name="label" value="{text(condition.label)}">'
        kept += f'<input type="hidden" name="value" value="{text(condition.value)}">'
    label = (
        f'<a class="badge plain" href="{text(place("/devices", condition.given, label="", value=""))}" title="Take this condition away">'
        f"{text(condition.label)}: {text(condition.value)} {icon('remove')}</a>"
        if condition.label
        else ""
    )
    return (
        '<form class="filters" method="get" action="/devices" role="search">'
        f'<label>Search <input type="search" name="search" id="search" value="{text(condition.search)}" maxlength="200" '
        'autocomplete="off" spellcheck="false" placeholder="part of a name"></label>'
        + choice("state", "State", STATES, condition.state)
        + choice("alarm", "Alarm", choices.alarms, condition.alarm)
        + choice("board", "Board", choices.boards, condition.board)
        + choice("model", "Model", choices.models, condition.model)
        + choice("delegate", "Delegate", choices.delegates, condition.delegate)
        + choice("agent", "Agent", choices.agents, condition.agent)
        + f'{kept}<button>Filter</button><a class="button quiet" href="/devices">All</a>{label}</form>'
    )


def _row(one: DeviceRow) -> list[str]:
    tenant = f' <span class="unit">{text(one.tenant)}</span>' if one.tenant else ""
    joules = None if one.joules_per_inference is None else 1000 * one.joules_per_inference
    return [
        f'<a href="{text(device_place(one.tenant, one.device))}">{text(one.device)}</a>{tenant}',
        state_badge(one.state),
        " ".join(badge("warn", code.replace("_", " ")) for code in one.problem_codes[:3])
        + (f" +{len(one.problem_codes) - 3}" if len(one.problem_codes) > 3 else ""),
        value_or(one.board),
        value_or(one.model),
        value_or(one.delegate),
        shown_number(one.fps),
        shown_number(one.p50_ms, why=FEW),
        shown_number(one.p99_ms, why=FEW),
        shown_number(one.watts, digits=2, why="this board measures none"),
        shown_number(joules, digits=0, why="no power reading, or no idle power known"),
        shown_number(one.temperature_c, digits=0),
        shown_number(one.map50_95, digits=3, why="not measured"),
        value_or(one.agent),
        when(one.last_stored.strftime("%Y-%m-%dT%H:%M:%SZ")),
    ]
