"""Deployment of models, configuration and agent, and the connection."""

from __future__ import annotations

from edgeagent.web.device_record import Sight
from edgeagent.web.views.markup import absent, badge, card, facts, value_or, when

KINDS = {"good": "good", "rolled_back": "warn", "rejected": "warn", "idle": "plain"}


def deployment_card(sight: Sight, broker: bool) -> str:
    """Return the state of what is delivered."""
    message = sight.retained.get("deployment")
    armed = sight.retained.get("armed")
    pairs = []
    if message is None:
        pairs.append(("Model", absent("models are not delivered: there is no delivery section")))
    else:
        state = badge(KINDS.get(message["state"], "plain"), message["state"].replace("_", " "))
        pairs += [
            ("State", state),
            ("Version", value_or(_name(message), "nothing was deployed")),
            ("Reason", value_or(message.get("reason"), "none given")),
            ("Since", when(message.get("since"))),
            ("Good model", value_or(_name(message.get("current") or {}), "none yet")),
            ("Model before", value_or(_name(message.get("previous") or {}), "none")),
        ]
    version = (sight.retained.get("info") or {}).get("configuration")
    pairs.append(("Signed configuration", value_or(version, "the file of the board serves alone")))
    if armed is None:
        pairs.append(("Events of zones", absent("not known yet, or no objects are tracked")))
    else:
        shown = badge("good", "armed") if armed["armed"] else badge("warn", "disarmed")
        pairs.append(("Events of zones", f"{shown} since {when(armed['since'])}"))
    pairs.append(("Broker", "configured" if broker else absent("mqtt.host is not given")))
    return card("deployment", "Deployment", facts(pairs))


def _name(model: dict[str, object]) -> str | None:
    return f"{model['name']} {model['version']}" if model.get("name") else None
