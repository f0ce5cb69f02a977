"""First configuration: find cameras, look at one, try the broker, see what serves, write the file."""

from __future__ import annotations

from edgeagent.files.naming import redact
from edgeagent.web.device_record import Sight
from edgeagent.web.page_facts import PageFacts
from edgeagent.web.views.markup import icon, text
from edgeagent.web.views.status import alarm_items, camera_badge, serving_card


def write_start(facts: PageFacts, sight: Sight, can_write: bool) -> str:
    """Return the HTML of the view.

    Args:
        facts: of the device.
        sight: what is known.
        can_write: whether the configuration can be written from here.
    """
    return (
        '<div class="head"><h1>Set up</h1>'
        f'<a class="button quiet" href="/">{icon("live")} Live</a></div>'
        '<noscript><p class="about">This view needs JavaScript. In a terminal: <code>edgeagent cameras find</code>, '
        "<code>edgeagent cameras test ADDRESS</code>.</p></noscript>"
        f'<div data-part="live-alarms">{alarm_items(sight, short=True)}</div>'
        + _step("cameras", "1. Cameras", _cameras())
        + _step("broker", "2. Broker", _broker(facts))
        + serving_card(sight, "3. Model and delegate")
        + _step("write", "4. Configuration", _write(facts, sight, can_write))
    )


def _step(name: str, title: str, content: str) -> str:
    """Return a card that is not replaced while somebody types in it."""
    return f'<section class="card" aria-labelledby="step-{name}"><h2 id="step-{name}">{title}</h2>{content}</section>'


def _field(label: str, name: str, more: str = "") -> str:
    return f'<label>{label}<input name="{name}" autocomplete="off" spellcheck="false" {more}></label>'


PASSWORD = _field("Password", "password", 'type="password"')
BROKER = (
    _field("Host", "host", "required")
    + _field("Port", "port", 'type="number" min="1" max="65535" placeholder="1883, 8883 with TLS"')
    + _field("User", "user", 'autocapitalize="none"')
    + PASSWORD
)
ADDRESS = _field("Address", "source", 'required placeholder="rtsp://10.0.0.7/stream1 or /dev/video0"')
NAME = _field("Name of this camera", "name", 'required maxlength="64" pattern="[A-Za-z0-9_\\-]+"')
LOGIN = _field("User at the camera", "user", 'autocapitalize="none"') + PASSWORD


def _cameras() -> str:
    return (
        '<p class="about">Devices of this board are listed without asking anybody. ONVIF cameras answer to one small '
        "message in the local network; with a user they name their streams. The password itself is not sent.</p>"
        f'<form id="start-find" class="fields">{LOGIN}'
        '<label class="tick"><input type="checkbox" name="network"> Ask the network</label>'
        '<button class="quiet">Find cameras</button></form>'
        '<p id="found-told" class="about told" role="status"></p><ul id="found" class="plain"></ul>'
        f'<form id="start-picture" class="fields">{ADDRESS}{LOGIN}'
        '<button class="quiet">Test</button></form><p id="picture-told" class="about told" role="status"></p>'
        '<form id="start-take" class="fields" hidden><img id="picture" alt="Picture of the tested address">'
        f"{NAME}"
        "<button>Take this camera</button></form>"
    )


def _broker(facts: PageFacts) -> str:
    now = "A broker is configured; another one replaces it." if facts.broker else "None is configured."
    return (
        f'<p class="about">Telemetry over MQTT goes to a broker. {now} The board works without one.</p>'
        f'<form id="start-broker" class="fields">{BROKER}'
        '<label class="tick"><input type="checkbox" name="tls"> TLS</label>'
        '<button class="quiet">Try</button></form><p id="broker-told" class="about told" role="status"></p>'
    )


def _write(facts: PageFacts, sight: Sight, can_write: bool) -> str:
    if not can_write:
        return '<p class="about">This agent takes no changes from here; edit its configuration file.</p>'
    reports = (sight.telemetry or {}).get("cameras", {})
    rows = "".join(
        f"<li><strong>{text(one.name)}</strong> <code>{text(redact(one.source))}</code> "
        f"{camera_badge(reports[one.name]) if one.name in reports else ''}"
        f'<label class="tick"><input type="checkbox" name="remove" value="{text(one.name)}"> remove</label></li>'
        for one in facts.cameras
    )
    return (
        '<p class="about">Cameras are there at once. What needs a new start is named. Comments of the file stay.</p>'
        f'<ul id="present" class="plain">{rows}</ul><ul id="taken" class="plain"></ul>'
        '<div class="row"><button id="start-write" disabled>Write the configuration</button></div>'
        '<p id="write-told" class="about told" role="status"></p>'
    )
