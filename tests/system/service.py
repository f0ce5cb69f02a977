"""The installed service on a machine: its configuration, its processes and what it tells the broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.system.machine import EVENT_S, Machine

CLIP = Path(__file__).parents[2] / "edgeagent" / "data" / "campus.mp4"
CAMERA = "/srv/camera.mp4"
CONFIGURATION = "/etc/edgeagent/edgeagent.yaml"
UNIT = "edgeagent.service"
SUBSCRIBE = ("mosquitto_sub", "-h", "127.0.0.1", "-v", "-t")
TOPIC = "edgeagent/v1/board/"


def configure(
    machine: Machine,
    *,
    camera: str = CAMERA,
    broker: str = "127.0.0.1",
    engine: str = "tflite-xnnpack",
    more: str = "",
) -> None:
    """Write the configuration of a machine with one camera, and put the sample clip in its place.

    One engine is allowed, so that a start does not measure the others, too.
    """
    machine.copy(CLIP, CAMERA)
    text = f"""\
device: board
state: /var/lib/edgeagent
cameras:
  - {{name: gate, source: {camera}, loop: true, retry_first: 1s, retry_longest: 2s}}
model: {{engine: {engine}, threads: 1}}
mqtt: {{host: {broker}, retry_first: 1s, retry_longest: 2s}}
telemetry: {{interval: 1s}}
{more}"""
    machine.write(CONFIGURATION, text)


def detecting(line: str) -> bool:
    """Return whether a line of mosquitto_sub is telemetry of a machine that detects now."""
    message = message_of(line, "telemetry")
    return any(camera.get("fps_processed", 0) > 0 for camera in message.get("cameras", {}).values())


def message_of(line: str, topic: str) -> dict[str, Any]:
    """Return the message of a line of ``mosquitto_sub -v`` at a topic of the device; empty for others."""
    where, _, text = line.partition(" ")
    if where != TOPIC + topic or not text.startswith("{"):
        return {}
    message: dict[str, Any] = json.loads(text)
    return {} if message.get("historical") else message


def wait_detecting(machine: Machine, what: str, limit: float = EVENT_S) -> dict[str, Any]:
    """Wait for telemetry of a machine that detects, and return it."""
    line = machine.wait_for(
        f"telemetry with processed frames, {what}", (*SUBSCRIBE, TOPIC + "telemetry"), detecting, limit
    )
    return message_of(line, "telemetry")


def later_run(than: dict[str, Any]) -> Callable[[str], bool]:
    """Return a test for telemetry of a later start of the agent that detects."""

    def wanted(line: str) -> bool:
        return detecting(line) and message_of(line, "telemetry").get("run", 0) > than["run"]

    return wanted


def show(machine: Machine, name: str) -> str:
    """Return a property of the service, as ``systemctl show`` prints it."""
    return machine.run("systemctl", "show", "--value", f"--property={name}", UNIT).strip()


def main_process(machine: Machine) -> int:
    """Return the number of the main process of the service in the machine."""
    return int(show(machine, "MainPID"))


def workers(machine: Machine) -> list[int]:
    """Return the numbers of the engine processes in the machine."""
    found = machine.run("pgrep", "-f", "edgeagent.worker.process", check=False).split()
    return [int(number) for number in found]


def follow(machine: Machine, *options: str) -> tuple[str, ...]:
    """Return a command that prints the journal from now on."""
    after = f"--after-cursor={machine.cursor()}"
    return ("journalctl", "--quiet", "--follow", "--no-tail", "--output=cat", after, *options)
