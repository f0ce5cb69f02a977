"""Frame of all views: navigation, and links below."""

from __future__ import annotations

from edgeagent.fleet.users.actor import Actor
from edgeagent.web.views.layout import PageFrame
from edgeagent.web.views.markup import text

FLEET_VIEWS = (
    ("fleet", "/", "Fleet"),
    ("device", "/devices", "Devices"),
    ("model", "/models", "Models"),
    ("rollout", "/rollouts", "Rollouts"),
    ("warning", "/alarms", "Alarms"),
)
PLACES = (
    "/",
    "/devices",
    "/models",
    "/compare",
    "/rollouts",
    "/alarms",
    "/frames",
    "/lost",
    "/audit",
    "/users",
    "/api",
)
"""Paths that may follow after signing in."""


def fleet_frame(actor: Actor | None) -> PageFrame:
    """Return the frame for a visitor; None before signing in."""
    links = [("/compare", "Compare"), ("/lost", "Lost messages"), ("/api", "API")]
    if actor is not None and actor.may("operator"):
        links += [("/frames", "Hard frames"), ("/audit", "Audit")]
    if actor is not None and actor.may("admin"):
        links.append(("/users", "Users"))
    shown = "".join(f'<a href="{place}">{label}</a>' for place, label in links)
    who = ""
    if actor is not None and actor.name:
        who = f'<span class="unit">{text(actor.name)} · {text(actor.role)}</span>'
    foot = f'<footer class="foot"><nav aria-label="More">{shown}</nav>{who}</footer>'
    return PageFrame(FLEET_VIEWS, ("fleet.css",), foot)
