"""Editor of zones: corners are drawn over the picture; the result is the YAML of the configuration."""

from __future__ import annotations

from typing import Any

from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.web.views.live import drawn_areas
from edgeagent.web.views.markup import icon, tag_attributes, text


def write_zones(camera: CameraSettings, can_save: bool) -> str:
    """Return the HTML of the view.

    Args:
        camera: whose zones are drawn.
        can_save: whether they can be saved from here.
    """
    name = text(camera.name)
    zones = [_as_written(zone.model_dump(mode="json", exclude_defaults=True)) for zone in camera.zones]
    place = tag_attributes(camera=camera.name, zones=drawn_areas(camera), known=zones)
    save = "<button id=zone-save>Save</button>" if can_save else ""
    after = (
        "Saved zones count at once."
        if can_save
        else "Copy the text below the camera into the configuration, and restart the agent."
    )
    return (
        f'<div class="head"><h1>Zones of {name}</h1><a class="button quiet" href="/">{icon("live")} Live</a></div>'
        '<noscript><p class="about">Drawing needs JavaScript; docs/zones.md has the keys of a zone.</p></noscript>'
        f"<zone-editor {place}><live-picture {tag_attributes(camera=camera.name, zones=[], still='')}></live-picture>"
        '<div class="editor"><p class="about">Click the corners in order around the area. Drag a corner to move it, '
        f"double-click it to remove it. {after}</p>"
        '<div class="row"><label>Zone <select id="zone-choice"></select></label>'
        '<label>Name <input id="zone-name" maxlength="64" pattern="[A-Za-z0-9_\\-]+" autocomplete="off"></label></div>'
        '<div class="row"><button class="quiet" id="zone-add">New zone</button>'
        '<button class="quiet" id="zone-clear">Draw anew</button>'
        '<button class="quiet" id="zone-remove">Remove zone</button></div>'
        '<p id="zone-problem" class="form-error" role="alert" hidden></p>'
        '<label>Configuration<textarea id="zone-text" readonly rows="8" spellcheck="false"></textarea></label>'
        f'<div class="row"><button id="zone-copy" class="quiet">Copy</button>{save}'
        '<span id="zone-told" class="about" role="status"></span></div></div></zone-editor>'
    )


def _as_written(zone: dict[str, Any]) -> dict[str, Any]:
    """Return a zone as it is written in the configuration: durations with a unit."""
    return {key: f"{value:g}s" if key.endswith("_after") else value for key, value in zone.items()}
