"""Clip of an object in the player of the browser, and as a file."""

from __future__ import annotations

from edgeagent.web.views.markup import icon, text, when_utc


def write_clip(camera: str, name: str, snapshots: bool) -> str:
    """Return the HTML of the view.

    Args:
        camera: its name.
        name: of the file.
        snapshots: whether pictures of objects are stored.
    """
    place, identity = text(f"/clips/{camera}/{name}"), name.removesuffix(".mp4")
    shot = text(f"/snapshots/{camera}/{identity}.jpg")
    poster = f' poster="{shot}"' if snapshots else ""
    seen = when_utc(float(identity.partition("-")[0]))
    return (
        f'<div class="head"><h1>Clip of {text(camera)}</h1>'
        f'<a class="button quiet" href="/events">{icon("events")} Events</a></div>'
        f'<section class="card"><p class="about">Object first seen {seen}</p>'
        f'<video class="clip" controls preload="metadata" src="{place}"{poster}></video>'
        f'<p class="row"><a class="button" href="{place}" download>Download</a><span class="about">MP4 as the camera '
        "sends it. Some browsers play no H.265; the file does.</span></p></section>"
    )
