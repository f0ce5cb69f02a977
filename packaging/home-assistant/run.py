"""Start of the add-on: writes the configuration from the options and the broker of Home Assistant.

The Supervisor gives the options in /data/options.json and the broker at http://supervisor/services/mqtt. A
file edgeagent.yaml in the folder of the add-on's configuration is used instead, as it is.
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

OWN = Path("/config/edgeagent.yaml")
MADE = Path("/data/edgeagent.yaml")
PASSWORD = Path("/data/mqtt-password")


def broker() -> dict[str, Any]:
    """Return host, port, username and password of the broker.

    Raises:
        OSError: the Supervisor does not answer or has no broker.
    """
    request = urllib.request.Request(
        "http://supervisor/services/mqtt",
        headers={"Authorization": f"Bearer {os.environ['SUPERVISOR_TOKEN']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (a fixed address)
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def configuration(options: dict[str, Any], mqtt: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration; JSON is YAML, too."""
    return {
        "state": "/data/state",
        "cameras": [{"name": "camera", "source": options["camera"]}],
        "mqtt": {
            "host": mqtt["host"],
            "port": mqtt["port"],
            "username": mqtt["username"],
            "password_file": str(PASSWORD),
            **({"tls": {}} if mqtt.get("ssl") else {}),
        },
        "home_assistant": {},
    }


def main() -> None:
    os.umask(0o077)
    path = OWN
    if not OWN.exists():
        mqtt = broker()
        options = json.loads(Path("/data/options.json").read_text(encoding="utf-8"))
        PASSWORD.write_text(f"{mqtt['password']}\n", encoding="utf-8")
        MADE.write_text(json.dumps(configuration(options, mqtt), indent=2), encoding="utf-8")
        path = MADE
    os.execvp("edgeagent", ["edgeagent", "run", "-c", str(path)])  # noqa: S606, S607


if __name__ == "__main__":
    main()
