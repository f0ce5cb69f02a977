"""Live view: the picture of each camera, with what was found drawn by the browser, and its numbers."""

from __future__ import annotations

from typing import Any

from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.web.device_record import Sight
from edgeagent.web.page_facts import PageFacts
from edgeagent.web.views.markup import absent, badge, icon, shown_number, tag_attributes, text
from edgeagent.web.views.status import alarm_items, camera_badge

THRESHOLD_NAMES = {
    "model.score_threshold": "Lowest score of a detection",
    "events.objects.min_score": "Lowest score of a reported object",
}
CHOICES = (("boxes", "Boxes"), ("tracks", "Paths"), ("zones", "Zones"))


def write_live(facts: PageFacts, sight: Sight, can_change: bool) -> str:
    """Return the HTML of the view.

    Args:
        facts: of the device.
        sight: what is known.
        can_change: whether thresholds can be changed from here.
    """
    cameras = facts.cameras
    choices = "".join(
        f'<label><input type="checkbox" name="show" value="{name}" checked> {label}</label>'
        for name, label in CHOICES
    )
    tiles = "".join(_tile(camera, sight) for camera in cameras)
    return (
        f'<div class="head"><h1>Live</h1><fieldset class="choices" id="choices" hidden>'
        f'<legend class="hidden">Drawn in the picture</legend>{choices}</fieldset></div>{_sliders(facts) if can_change else ""}'
        f'<div data-part="live-alarms">{alarm_items(sight, short=True)}{_all_lost(sight)}</div>'
        f'<div class="cameras" data-count="{len(cameras)}">{tiles}</div>'
        '<noscript><p class="about">Without JavaScript the pictures have no boxes.</p></noscript>'
    )


def _sliders(facts: PageFacts) -> str:
    """Return the thresholds; a value counts as soon as it is let go."""
    rows = "".join(
        f'<label>{text(THRESHOLD_NAMES[key])}<span class="row"><input type="range" name="{text(key)}" min="0.05" max="0.95" '
        f'step="0.01" value="{value:g}"><output class="number">{value:.2f}</output></span></label>'
        for key, value in facts.thresholds.items()
    )
    return (
        f'<details id="thresholds" class="sliders" hidden><summary>Thresholds</summary><div class="fields">{rows}</div>'
        '<p class="about">They count at once, are kept over restarts, and are an event. Objects that are followed already go on. <code>edgeagent live undo</code> '
        'takes them back. <span id="thresholds-told" role="status"></span></p></details>'
    )


def _all_lost(sight: Sight) -> str:
    """Return the way to other cameras where none gives pictures."""
    reports = (sight.telemetry or {}).get("cameras", {}).values()
    if not reports or any(report["state"] != "lost" for report in reports):
        return ""
    return '<p class="row"><a class="button" href="/start">Find cameras</a> No camera gives pictures.</p>'


def _tile(camera: CameraSettings, sight: Sight) -> str:
    name = text(camera.name)
    zones = tag_attributes(camera=camera.name, zones=drawn_areas(camera))
    return (
        f'<section class="tile" aria-labelledby="tile-{name}"><div class="tile-head"><h2 id="tile-{name}">{name}</h2>'
        f'<span class="tile-tools"><a class="quiet button" href="/zones/{name}" title="Draw zones">{icon("zone")}'
        f'<span class="hidden">Draw zones of {name}</span></a></span></div>'
        f'<live-picture {zones}><noscript><img src="/live/{name}.mjpeg" alt="Live picture of {name}"></noscript>'
        f'</live-picture><div data-part="facts-{name}">{_facts(camera.name, sight)}</div></section>'
    )


def _facts(camera: str, sight: Sight) -> str:
    report = (sight.telemetry or {}).get("cameras", {}).get(camera)
    if report is None:
        return f'<p class="tile-facts">{badge("plain", "starting")}<span class="unit">first numbers with the first telemetry</span></p>'
    latency = report["stages"].get("end_to_end", {}).get("p50_ms")
    objects = ", ".join(
        f"{count['current']} {text(label)}"
        for label, count in (report.get("objects") or {}).items()
        if count["current"]
    )
    return (
        f'<p class="tile-facts">{camera_badge(report)}<span>{shown_number(report["fps_processed"], "frames/s")}</span>'
        f"<span>{shown_number(latency, 'ms', 0, 'too few frames in the interval')}</span>"
        f"<span>{objects or absent('no counted objects in the newest frame')}</span></p>"
    )


def drawn_areas(camera: CameraSettings) -> list[dict[str, Any]]:
    """Return zones, lines and masks of a camera as the browser draws them; corners are shares of the picture."""
    zones = [{"kind": "zone", "name": one.name, "corners": one.polygon} for one in camera.zones]
    lines = [{"kind": "line", "name": one.name, "corners": [one.begin, one.end]} for one in camera.lines]
    masks = [{"kind": one.kind, "name": "", "corners": one.polygon} for one in camera.masks]
    return [*zones, *lines, *masks]
