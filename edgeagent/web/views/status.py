"""Status: alarms with what to do, what serves and why, cameras, latency per stage, board."""

from __future__ import annotations

from typing import Any

from edgeagent.web.device_record import Sight
from edgeagent.web.views.accuracy_card import accuracy_card
from edgeagent.web.views.advice import advice_for
from edgeagent.web.views.board_card import board_card
from edgeagent.web.views.deployment_card import deployment_card
from edgeagent.web.views.markup import (
    absent,
    badge,
    card,
    curve,
    empty,
    facts,
    icon,
    shown_number,
    table,
    text,
    value_or,
    when,
)

FEW = "too few frames in the interval for this percentile"
STAGE_NAMES = {
    "age": "waiting for the pipeline",
    "preprocess": "preprocessing",
    "queue": "waiting for the engine",
    "inference": "inference",
    "decode": "decoding",
    "publish": "publishing",
    "end_to_end": "end to end",
}
CAMERA_STATES = {"running": "good", "opening": "plain", "lost": "bad", "ended": "plain"}
URGENT = ("not_detecting", "camera_lost", "under_voltage")


def write_status(sight: Sight, broker: bool) -> str:
    """Return the HTML of the view.

    Args:
        sight: what is known.
        broker: whether a broker is configured.
    """
    return (
        '<div class="head"><h1>Status</h1><div class="row"><p class="unit" data-part="asof">'
        + (f"Numbers of {when(sight.telemetry['time'])}" if sight.telemetry else "No numbers yet")
        + '</p><a class="button quiet" href="/start">Set up</a></div></div>'
        + card("alarms", "Alarms", alarm_items(sight), wide=True)
        + _cameras(sight)
        + _stages(sight)
        + serving_card(sight)
        + board_card(sight)
        + accuracy_card(sight, broker)
        + deployment_card(sight, broker)
    )


def alarm_items(sight: Sight, short: bool = False) -> str:
    """Return the present problems; ``short`` shows nothing where there are none."""
    alarm = sight.retained.get("alarm")
    if alarm is None:
        return "" if short else empty("Not known yet", "The device has just started.")
    problems = alarm["problems"]
    if not problems:
        return "" if short else f'<p class="fine">{icon("good")} No alarms.</p>'
    return '<ul class="alarms">' + "".join(_problem(one) for one in problems) + "</ul>"


def _problem(problem: dict[str, Any]) -> str:
    kind = "bad" if problem["code"] in URGENT else "plain" if problem["code"] == "starting" else "warn"
    return (
        f'<li class="alarm {kind}">{icon("warning")}<div><p><strong>{text(problem["code"].replace("_", " "))}</strong> '
        f'<span class="unit">since {when(problem["since"])}</span></p><p>{text(problem["text"])}</p>'
        f'<p class="advice">{text(advice_for(problem["code"]))}</p></div></li>'
    )


def camera_badge(report: dict[str, Any]) -> str:
    """Return the state of a camera."""
    return badge(CAMERA_STATES.get(report["state"], "plain"), report["state"])


def serving_card(sight: Sight, title: str = "Model") -> str:
    """Return which model serves on which delegate, and why."""
    info = sight.retained.get("info")
    if info is None:
        return card("serving", title, empty("No model serves", "The alarms say why."))
    bundle, engine = info["bundle"], info["engine"]
    return card(
        "serving",
        title,
        facts(
            [
                ("Model", f"{text(bundle['name'])} {text(bundle['version'])}"),
                (
                    "Delegate",
                    f"{text(engine['delegate'])} ({text(engine['name'])} {text(engine['version'])})",
                ),
                ("Why this one", _why(sight)),
                ("File", text(bundle["artefact"])),
                ("Threads", shown_number(engine["threads"], digits=0)),
                ("Loaded in", shown_number(engine["load_s"], "s", 2)),
                ("Board", value_or(info["board"].get("model"), "the board names no model")),
                ("Agent", text(info["agent"])),
            ]
        ),
    )


def _why(sight: Sight) -> str:
    for problem in sight.retained.get("alarm", {}).get("problems", ()):
        if problem["code"] == "fallback_delegate":
            return text(problem["text"])
    for event in sight.events:
        if event["kind"] == "delegate":
            return text(event["text"])
    return "the fastest of those that gave right outputs when they were measured at the start"


def _cameras(sight: Sight) -> str:
    if sight.telemetry is None:
        return card("cameras", "Cameras", _first_interval(), wide=True)
    rows = []
    for name, report in sight.telemetry["cameras"].items():
        total = report["stages"].get("end_to_end", {})
        failed = report["frames_failed"] + report["frames_dropped"]
        rows.append(
            [
                text(name),
                camera_badge(report) + _error(report),
                shown_number(report["fps_in"]),
                shown_number(report["fps_processed"])
                + curve("frames/s", sight.series(f"fps/{name}"), "frames/s"),
                shown_number(total.get("p50_ms"), why=FEW),
                shown_number(total.get("p90_ms"), why=FEW),
                shown_number(total.get("p99_ms"), why=FEW),
                shown_number(failed, digits=0),
                shown_number(report["reconnects"], digits=0),
            ]
        )
    head = [
        "Camera",
        "State",
        "In, /s",
        "Processed, /s",
        "p50, ms",
        "p90, ms",
        "p99, ms",
        "Left out",
        "Reconnects",
    ]
    about = "Latency is end to end, from the camera's picture to its result. Counts are since the start."
    return card("cameras", "Cameras", table("Cameras", head, rows), about, wide=True)


def _error(report: dict[str, Any]) -> str:
    error = report.get("last_error")
    return f'<span class="unit cause">{text(error)}</span>' if error and report["state"] != "running" else ""


def _stages(sight: Sight) -> str:
    if sight.telemetry is None:
        return card("stages", "Latency per stage", _first_interval(), wide=True)
    rows = []
    for camera, report in sight.telemetry["cameras"].items():
        seen = {stage: found for stage, found in report["stages"].items() if found["count"]}
        if not seen:
            rows.append([text(camera), *[absent("no frames in the interval")] * 3, shown_number(0, digits=0)])
        for stage, found in seen.items():
            rows.append(
                [
                    f"{text(camera)}: {text(STAGE_NAMES.get(stage, stage))}",
                    shown_number(found.get("p50_ms"), why=FEW),
                    shown_number(found.get("p90_ms"), why=FEW),
                    shown_number(found.get("p99_ms"), why=FEW),
                    shown_number(found["count"], digits=0),
                ]
            )
    about = "Of the last interval. A p90 needs 64 frames in it, a p99 662; with fewer there is none."
    shown = table("Latency per stage", ["Stage", "p50, ms", "p90, ms", "p99, ms", "Frames"], rows)
    return card("stages", "Latency per stage", shown if rows else absent("no camera"), about, wide=True)


def _first_interval() -> str:
    return empty("No numbers yet", "They come after the first <code>telemetry.interval</code>.")
