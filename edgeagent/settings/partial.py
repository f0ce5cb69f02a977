"""Check of a partial configuration, as it is signed for a fleet: known keys, valid values, nothing forbidden.

The publisher checks a file before it signs it, and every board checks what it has fetched, with its own
schema. Whether the result is a complete configuration is known on the board only, after the merge.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from edgeagent.errors import ConfigurationError
from edgeagent.files.strict_yaml import Document, Place
from edgeagent.settings.carried import LONGEST_CHECK_S, forbidden
from edgeagent.settings.examination import dotted, examine_document

MOST_BYTES = 1 << 20
"""Largest configuration, as of a file."""
_MAX_LISTED = 20
_CAMERA = {"name": "placeholder", "source": "0"}
_DELIVERY = {"repository": "https://placeholder.invalid", "root": "root.json"}


def check_partial(document: Document, shown: str) -> dict[str, Any]:
    """Check a partial configuration, and return its data.

    Args:
        document: with the lines of its keys; None where it has none.
        shown: its name for messages; a line follows where it is known.

    Raises:
        ConfigurationError: it carries a secret or a key that stays on the board, an unknown key or an invalid
            value. Each line of the message is ``NAME:LINE: key.path: what is wrong``.
    """
    data = document.data
    if not isinstance(data, dict) or not data:
        raise ConfigurationError(f"{shown}: expected keys of the configuration, such as `telemetry:`")
    refused = dict(forbidden(data))
    mistakes = [
        (document.lines.get(place, 0), f"{dotted(place)}: {reason}") for place, reason in refused.items()
    ]
    # What must not be carried is taken out first, so that no other message has its value.
    rest = Document(_completed(_without(data, refused)), document.lines, document.duplicates)
    settings, others, _ = examine_document(rest)
    told = tuple(f"{dotted(place)}: " for place in refused)
    mistakes += [one for one in others if not one[1].startswith(told)]
    delivery = settings.delivery if settings is not None else None
    if delivery is not None and delivery.check_every > LONGEST_CHECK_S:
        line = document.lines.get(("delivery", "check_every"), 0)
        mistakes.append((line, "delivery.check_every: expected 7d at most; boards could not be reached"))
    if mistakes:
        numbered = bool(document.lines)
        named = [
            f"{shown}:{line}: {text}" if line and numbered else f"{shown}: {text}"
            for line, text in sorted(mistakes)
        ]
        raise ConfigurationError("\n".join(named[:_MAX_LISTED]))
    return data


def _without(data: dict[str, Any], refused: Iterable[Place]) -> dict[str, Any]:
    """Return a copy without the keys at these places, and without lists of which an item is at one."""
    rest = copy.deepcopy(data)
    for place in refused:
        while isinstance(place[-1], int):
            place = place[:-1]
        inner: Any = rest
        for step in place[:-1]:
            if isinstance(step, str):
                inner = inner.get(step) if isinstance(inner, dict) else None
            else:
                inner = inner[step] if isinstance(inner, list) else None
        if isinstance(inner, dict):
            inner.pop(place[-1], None)
    return rest


def _completed(data: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with placeholders for what is required, and only a board has."""
    whole: dict[str, Any] = copy.deepcopy(data)
    cameras = whole.setdefault("cameras", [])
    if isinstance(cameras, list):
        for camera in cameras:
            if isinstance(camera, dict):
                camera.setdefault("source", "0")
        if not cameras:
            cameras.append(dict(_CAMERA))
    if isinstance(whole.get("delivery"), dict):
        whole["delivery"] = {**_DELIVERY, **whole["delivery"]}
    if any(whole.get(name) is not None for name in ("home_assistant", "sparkplug", "frigate")):
        mqtt = whole.setdefault("mqtt", {})
        if isinstance(mqtt, dict) and mqtt.get("host") is None:
            mqtt["host"] = "placeholder.invalid"
    return whole
