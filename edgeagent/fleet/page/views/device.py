"""One device: what it is, what it does, how it did over time, and what happened on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from edgeagent.fleet.page.permalinks import device_place, place
from edgeagent.fleet.page.views.alarms import alarm_rows
from edgeagent.fleet.page.views.data_age import write_data_age
from edgeagent.fleet.page.views.device_charts import device_charts
from edgeagent.fleet.page.views.fleet_table import tabs
from edgeagent.fleet.page.views.lost_list import lost_table
from edgeagent.fleet.page.views.state_bar import state_badge
from edgeagent.fleet.queries.alarm_list import FleetAlarm
from edgeagent.fleet.queries.device_facts import KnownDevice
from edgeagent.fleet.queries.device_history import DeviceHistory, ServedModel
from edgeagent.fleet.queries.device_log import AccuracyPoint, DeploymentStep, DeviceEvent, DeviceLog
from edgeagent.fleet.queries.lost_messages import LostMessages
from edgeagent.fleet.queries.table_age import TableAge
from edgeagent.fleet.queries.time_span import SPANS, TimeSpan
from edgeagent.fleet.store.device_statement import RECENT_MINUTES
from edgeagent.fleet.users.actor import Actor
from edgeagent.web.views.markup import (
    absent,
    badge,
    card,
    empty,
    facts,
    shown_number,
    table,
    text,
    value_or,
    when,
    when_hour,
)

FEW = "too few frames for this percentile"
DEPLOYMENT_KINDS = {"good": "good", "rolled_back": "warn", "rejected": "warn", "trial": "plain"}


def write_device(
    known: KnownDevice,
    history: DeviceHistory,
    log: DeviceLog,
    alarms: Sequence[FleetAlarm],
    lost: Sequence[LostMessages],
    span: TimeSpan,
    actor: Actor,
    csrf: str,
    age: TableAge | None = None,
) -> str:
    """Return the HTML of the view.

    Args:
        known: of the device now.
        history: over the span.
        log: events, deployments and accuracy.
        alarms: of the device, present ones first.
        lost: gaps in its messages.
        span: of the history.
        actor: who looks.
        csrf: value that a write repeats.
        age: of the tables.
    """
    here = device_place(known.tenant, known.device)
    spans = tabs("Span", [(name, place(here, {"span": name}), name == span.name) for name in SPANS])
    tenant = f' <span class="unit">{text(known.tenant)}</span>' if known.tenant else ""
    heard = f'<p class="unit">Heard {when(_iso(known.last_stored))}. {write_data_age(age)}</p>'
    return (
        f'<div class="head"><h1>{text(known.device)}{tenant} {state_badge(known.state)}</h1>{heard}</div>'
        f'<div class="columns">'
        + card("problems", "Alarms", alarm_rows(alarms, actor, csrf, here, short=True), wide=True)
        + card("now", "Now", _now(known))
        + card("software", "Board and software", _software(known))
        + card("history", "History", spans + device_charts(history, span), wide=True)
        + card(
            "served",
            "Models that served",
            _served(history.models),
            "Before and after each update.",
            wide=True,
        )
        + card("accuracy", "Accuracy", _accuracy(known, log.accuracy), wide=True)
        + card("deployments", "Deployments", _deployments(log.deployments), wide=True)
        + card("events", "Events", _events(log.events), wide=True)
        + card("lost", "Lost messages", lost_table(lost, of_one=True), wide=True)
        + card("labels", "Labels", _labels(known, actor, csrf, here))
        + "</div>"
    )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _now(known: KnownDevice) -> str:
    joules = None if known.joules_per_inference is None else 1000 * known.joules_per_inference
    running = (
        None if known.cameras_running is None else f"{known.cameras_running} of {len(known.cameras)} running"
    )
    quality = f" {badge('plain', known.power_quality)}" if known.power_quality else ""
    clock = (
        badge("good", "right")
        if known.clock == "ok"
        else badge("warn", known.clock or "not known")
        + " "
        + shown_number(known.clock_offset_s, "s off", 0, "no time in its messages")
    )
    return facts(
        [
            ("Serves", value_or(known.serving, "nothing serves")),
            ("Frames", shown_number(known.fps, "frames/s")),
            (f"p50 of {RECENT_MINUTES} min", shown_number(known.p50_ms, "ms", why=FEW)),
            (
                f"p90, p99 of {RECENT_MINUTES} min",
                f"{shown_number(known.p90_ms, 'ms', why=FEW)}, {shown_number(known.p99_ms, 'ms', why=FEW)}",
            ),
            ("Power", shown_number(known.watts, "W", 2, "this board measures none") + quality),
            (
                "Energy per inference",
                shown_number(joules, "mJ", 0, "no power reading, or no idle power known"),
            ),
            ("Temperature", shown_number(known.temperature_c, "°C")),
            (
                "Throttled",
                " ".join(badge("bad", flag.replace("_", " ")) for flag in known.throttled)
                or badge("good", "no"),
            ),
            ("Processor", shown_number(known.cpu_percent, "%")),
            ("Free memory", shown_number(known.memory_available_mb, "MB", 0)),
            ("Cameras", value_or(running)),
            ("Running for", shown_number(None if known.uptime_s is None else known.uptime_s / 3600, "h")),
            ("Clock", clock),
        ]
    )


def _software(known: KnownDevice) -> str:
    version = f" {known.bundle_version}" if known.bundle_version else ""
    return facts(
        [
            ("Board", value_or(known.board)),
            ("System", value_or(known.system)),
            ("Kernel", value_or(known.kernel)),
            ("Agent", value_or(known.agent)),
            ("Model", value_or(f"{known.bundle}{version}" if known.bundle else None)),
            ("File", value_or(known.artefact)),
            ("Engine and delegate", value_or(" ".join(filter(None, (known.engine, known.delegate))))),
            ("Signed configuration", value_or(known.configuration, "the file of the board serves alone")),
            ("Connection", f"{value_or(known.status)} since {when(_iso(known.status_time))}"),
            ("First heard", when(_iso(known.first_stored))),
            ("Cameras", value_or(", ".join(known.cameras))),
        ]
    )


def _served(models: Sequence[ServedModel]) -> str:
    rows = [
        [
            f"{text(one.bundle or 'not known')} {text(one.bundle_version)}",
            text(one.delegate),
            when_hour(_iso(one.first)),
            when_hour(_iso(one.last)),
            shown_number(one.p50_ms, why=FEW),
            shown_number(one.p90_ms, why=FEW),
            shown_number(one.p99_ms, why=FEW),
            shown_number(
                None if one.joules_per_inference is None else 1000 * one.joules_per_inference, digits=0
            ),
            shown_number(one.fps),
            shown_number(one.temperature_c, digits=0),
        ]
        for one in models
    ]
    head = [
        "Model",
        "Delegate",
        "First hour",
        "Last hour",
        "p50, ms",
        "p90, ms",
        "p99, ms",
        "mJ/inference",
        "Frames/s",
        "Most °C",
    ]
    return (
        table("Models that served", head, rows)
        if rows
        else empty("No telemetry in this span", "Choose a longer one.")
    )


def _accuracy(known: KnownDevice, points: Sequence[AccuracyPoint]) -> str:
    if not points:
        return empty(
            "Not measured yet",
            "The first golden run comes after the start of the agent; it needs pycocotools there.",
        )
    rows = [
        [
            when(_iso(one.time)),
            text(one.model),
            shown_number(one.map50_95, digits=3, why="no golden run"),
            shown_number(one.map_claimed, digits=3, why="the bundle claims none"),
            _share(one),
            badge("warn", "drifted") if one.drifted else badge("good", "steady"),
            shown_number(one.drift_index, digits=2, why="not compared"),
        ]
        for one in points[:20]
    ]
    head = ["Time", "Model", "mAP50-95", "Claimed", "Agreement", "Scene", "Greatest drift index"]
    return table("Accuracy", head, rows)


def _share(one: AccuracyPoint) -> str:
    if one.recent_share is None:
        return absent("not compared with a reference model")
    shown = shown_number(100 * one.recent_share, "%")
    if one.recent_low is None or one.recent_high is None:
        return shown
    return f'{shown} <span class="unit">({100 * one.recent_low:.0f} to {100 * one.recent_high:.0f} %)</span>'


def _deployments(steps: Sequence[DeploymentStep]) -> str:
    rows = [
        [
            when(_iso(one.time)),
            badge(DEPLOYMENT_KINDS.get(one.state, "plain"), one.state.replace("_", " ")),
            text(f"{one.name or ''} {one.version or ''}"),
            value_or(one.rollout, "no rollout"),
            value_or(one.reason, "none given"),
        ]
        for one in steps[:50]
    ]
    head = ["Time", "State", "Release", "Rollout", "Reason"]
    advice = "Devices with a <code>delivery</code> section report each step of an update."
    return table("Deployments", head, rows, numeric=False) if rows else empty("Nothing was deployed", advice)


def _events(events: Sequence[DeviceEvent]) -> str:
    rows = [
        [
            when(_iso(one.time))
            + ("" if one.clock == "ok" else ' <span class="unit">arrival; its clock is wrong</span>'),
            badge("plain", one.kind.replace("_", " ")),
            text(one.text),
        ]
        for one in events
    ]
    advice = "Decisions of the device, and changes that it sees, are listed here."
    return (
        table("Events", ["Time", "Kind", "What"], rows, numeric=False) if rows else empty("No events", advice)
    )


def _labels(known: KnownDevice, actor: Actor, csrf: str, here: str) -> str:
    shown = "".join(
        f'<li><a class="badge plain" href="{text(place("/devices", {"label": label, "value": value}))}">{text(label)}: {text(value)}</a></li>'
        for label, value in known.labels.items()
    )
    told = (
        f'<ul class="row plain-list">{shown}</ul>'
        if shown
        else '<p class="about">No labels, such as site or cohort.</p>'
    )
    if not actor.may("operator"):
        return told
    return (
        f'{told}<form class="filters" method="post" action="{text(here)}/labels"><input type="hidden" name="csrf" value="{text(csrf)}">'
        '<label>Label <input name="label" maxlength="64" required pattern="[A-Za-z0-9_\\-]+" autocomplete="off"></label>'
        '<label>Value <input name="value" maxlength="200" autocomplete="off" placeholder="empty removes it"></label>'
        "<button>Set</button></form>"
    )
