"""Validates a discovery message on standard input by Home Assistant's own schemas; says how many components.

Run by another Python, which has the packages homeassistant and paho-mqtt. The last version for Python 3.11
takes one message a component, so that is what the device's message is taken apart into.
"""

# mypy: ignore-errors
from __future__ import annotations

import importlib
import json
import sys

from homeassistant.components.mqtt.abbreviations import ABBREVIATIONS, DEVICE_ABBREVIATIONS


def spelled_out(part: dict, names: dict) -> dict:
    """Replace abbreviations, as Home Assistant does before it validates."""
    return {names.get(key, key): value for key, value in part.items()}


def main() -> None:
    message = json.load(sys.stdin)
    device = spelled_out(message["dev"], DEVICE_ABBREVIATIONS)
    availability = [spelled_out(each, ABBREVIATIONS) for each in message["avty"]]
    for component in message["cmps"].values():
        platform = importlib.import_module(f"homeassistant.components.mqtt.{component.pop('p')}")
        shared = {"device": device, "availability": availability}
        platform.DISCOVERY_SCHEMA({**spelled_out(component, ABBREVIATIONS), **shared})
    sys.stdout.write(str(len(message["cmps"])))


if __name__ == "__main__":
    main()
