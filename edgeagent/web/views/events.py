"""Events: objects with their pictures, and what the device has decided or seen."""

from __future__ import annotations

from edgeagent.web.device_record import SeenObject, Sight
from edgeagent.web.views.markup import badge, card, empty, icon, shown_number, table, text, when, when_utc

SHOWN_EVENTS = 100


def write_events(sight: Sight, snapshots: bool, tracked: bool) -> str:
    """Return the HTML of the view.

    Args:
        sight: what is known.
        snapshots: whether pictures of objects are stored.
        tracked: whether objects are tracked.
    """
    objects = "".join(_object(one) for one in sight.objects)
    if not tracked:
        shown = empty(
            "No objects",
            "Objects are not tracked. Choose a <code>tracking.tracker</code> in the configuration.",
        )
    elif not objects:
        shown = empty(
            "No objects yet",
            "An object is listed as soon as it was seen for <code>events.confirm_after</code>.",
        )
    else:
        shown = f'<ul class="objects">{objects}</ul>'
    about = (
        ""
        if snapshots or not tracked
        else "No pictures are stored: add <code>snapshots: {}</code> to the configuration."
    )
    rows = [
        [when(event["time"]), badge("plain", event["kind"].replace("_", " ")), text(event["text"])]
        for event in sight.events[:SHOWN_EVENTS]
    ]
    log = (
        table("Decisions and changes", ["Time", "Kind", "What"], rows, numeric=False)
        if rows
        else empty("Nothing yet", "Decisions of the device since its start are listed here.")
    )
    return (
        '<div class="head"><h1>Events</h1></div>'
        + card("objects", f"Objects ({len(sight.objects)})", shown, about, wide=True)
        + card("log", "Decisions and changes", log, wide=True)
    )


def _object(one: SeenObject) -> str:
    label = one.label or "object"
    zones = " ".join(badge("plain", zone) for zone in one.zones)
    if one.snapshot is None:
        picture = f'<span class="no-picture">{icon("nopicture")}<span class="hidden">no picture</span></span>'
    else:
        place = f"/snapshots/{text(one.snapshot)}"
        picture = f'<a href="{place}"><img src="{place}" alt="{text(label)} at {text(one.camera)}" loading="lazy"></a>'
    here = f" {badge('good', 'present')}" if one.present else ""
    score = f" {shown_number(100 * one.score, '%', 0)}" if one.score is not None else ""
    ended = one.seconds is not None and not one.present  # of a present object it is that of its last message
    lasted = f"<span>{shown_number(one.seconds, 's')}</span>" if ended else ""
    speed = f"<span>{shown_number(one.speed_mps, 'm/s')}</span>" if one.speed_mps is not None else ""
    clip = ""
    if one.clip is not None:
        clip = f'<a class="button quiet" href="/watch/{text(one.clip)}">{icon("live")} Clip</a>'
    return (
        f'<li class="object"><div class="shot">{picture}</div><div class="object-facts">'
        f"<p><strong>{text(label)}</strong>{score}{here}</p>"
        f'<p class="unit">{text(one.camera)} · {when_utc(one.began)}</p>'
        f'<p class="row">{lasted}{speed}{zones}{clip}</p></div></li>'
    )
