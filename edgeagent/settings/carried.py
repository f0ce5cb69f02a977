"""Keys that a signed configuration never carries, and values that are secrets.

A signed configuration goes to every board of a channel, and anybody who reads the repository reads it. It
carries whatever a fleet may set; the table :data:`NEVER` lists what belongs to one board, what names files or
programs of a board, and what decides where a board takes its updates. A test keeps the table complete: a key
that holds a path is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgeagent.files.naming import redact
from edgeagent.files.strict_yaml import Place

NEVER: Mapping[str, str] = {
    "device": "it names one board",
    "state": "it is a folder of the board",
    "model.bundle": "models are delivered by `edgeagent publish add`",
    "model.library": "it loads a program of the board",
    "mqtt.username": "it is a credential",
    "mqtt.password_file": "it is a credential, and a file of the board",
    "mqtt.tls": "it names certificates and keys of the board",
    "accuracy.agreement_reference": "it is a folder of the board",
    "snapshots.folder": "it is a folder of the board",
    "clips.folder": "it is a folder of the board",
    "hard_frames": "it keeps pictures, which the owner of the board decides",
    "actions": "it calls servers and runs programs",
    "web": "it opens a port of the board, with its secrets",
    "otlp": "it sends readings of the board to a server, with its secrets",
    "delivery.repository": "it decides whom the board trusts",
    "delivery.root": "it decides whom the board trusts",
    "delivery.channel": "it decides what the board follows",
    "delivery.boards": "it describes one board",
    "delivery.proxy": "it decides how the board reaches the repository",
    "delivery.ca": "it decides whom the board trusts",
    "delivery.agent": "it decides whose programs the board runs",
    "delivery.hawkbit": "it decides whom the board obeys",
    "delivery.local": "it says which keys are the board's own",
    "delivery.configuration": "it judges the configuration itself",
}
"""Keys, or sections with all their keys, and why they stay in the file of the board."""

LONGEST_CHECK_S = 7 * 86400.0
"""Longest ``delivery.check_every`` that a signed configuration may set: a board must hear of the next one."""

_SECRET_NAME = re.compile(
    r"pass|secret|token|credential|private|(?:^|_)(?:pw|pwd|psw|key|auth)(?:$|_)", re.IGNORECASE
)


def forbidden(data: Any) -> Iterator[tuple[Place, str]]:
    """Yield each key of a configuration that must not be carried, with the reason; values are never named.

    Args:
        data: parsed configuration, of any content.
    """
    for place, value in _walk(data, ()):
        path = ".".join(step for step in place if isinstance(step, str))
        named = isinstance(place[-1], str)
        if path in NEVER and named:
            yield place, f"stays in the file of the board: {NEVER[path]}"
        elif named and _SECRET_NAME.search(str(place[-1])):
            yield place, "a secret never travels in a configuration; keep it in a file of the board"
        elif isinstance(value, str) and value.lower().startswith("gstreamer:"):
            yield place, "a pipeline runs programs of the board, and stays in its file"
        elif isinstance(value, str) and redact(value) != value:
            yield place, "holds a credential; a secret never travels in a configuration"
        elif path == "delivery" and not isinstance(value, dict):
            yield place, "expected a section of keys; delivery itself is not switched off from outside"


def _walk(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Yield every key and list item below a value, the section before its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        at = (*place, step)
        yield at, inner
        covered = ".".join(one for one in at if isinstance(one, str)) in NEVER
        if not covered:
            yield from _walk(inner, at)
