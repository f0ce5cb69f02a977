"""What an operator reads in the journal: priorities, and one line for one fault."""

from __future__ import annotations

import json

from tests.system.machine import Machine
from tests.system.service import SUBSCRIBE, TOPIC, configure, follow, message_of, wait_detecting, workers

UNIT = "--unit=edgeagent.service"


def test_priorities_agree_with_the_lines(machine: Machine) -> None:
    configure(machine)
    machine.boot()
    wait_detecting(machine, "after the boot")
    faults = follow(machine, UNIT, "--priority=warning")
    with machine.expecting("a warning about the worker", faults, lambda line: "worker" in line):
        machine.run("kill", "-KILL", str(workers(machine)[0]))
    entries = [json.loads(line) for line in machine.journal(UNIT, "--output=json").splitlines()]
    told = [entry for entry in entries if entry.get("_COMM") == "edgeagent"]
    assert told, "the service has written nothing"
    for entry in told:
        text, priority = entry["MESSAGE"], int(entry["PRIORITY"])
        for word, wanted in (("DEBUG", 7), ("INFO", 6), ("WARNING", 4), ("ERROR", 3)):
            if text.startswith(word):
                assert priority == wanted, text
    assert {int(entry["PRIORITY"]) for entry in told} >= {6, 4}


def test_a_camera_that_stays_away_is_one_warning(machine: Machine) -> None:
    configure(machine, camera="/dev/video0")
    machine.boot()

    def tried_often(line: str) -> bool:
        cameras = message_of(line, "telemetry").get("cameras", {})
        return bool(cameras.get("gate", {}).get("failures", 0) >= 6)

    machine.wait_for("six failed attempts at the camera", (*SUBSCRIBE, TOPIC + "telemetry"), tried_often)
    warnings = machine.journal(UNIT, "--priority=warning", "--output=cat").splitlines()
    about = [line for line in warnings if "camera gate" in line]
    assert 1 <= len(about) <= 2, about
