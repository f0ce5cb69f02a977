"""Hangs and kills of the processes of the service: detection goes on."""

from __future__ import annotations

from tests.system.machine import Machine
from tests.system.service import (
    SUBSCRIBE,
    TOPIC,
    UNIT,
    configure,
    detecting,
    follow,
    later_run,
    main_process,
    message_of,
    show,
    wait_detecting,
    workers,
)

TELEMETRY = (*SUBSCRIBE, TOPIC + "telemetry")


def test_the_watchdog_ends_a_main_process_that_hangs(machine: Machine) -> None:
    configure(machine)
    machine.boot()
    before = wait_detecting(machine, "after the boot")
    assert show(machine, "WatchdogUSec") != "0", "the unit has no watchdog"
    told = follow(machine, f"--unit={UNIT}")
    with (
        machine.expecting("telemetry of the restarted service", TELEMETRY, later_run(before)),
        machine.expecting("a message about the watchdog", told, lambda line: "Watchdog timeout" in line),
    ):
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
    assert show(machine, "NRestarts") == "1"


def test_a_killed_main_process(machine: Machine) -> None:
    configure(machine)
    machine.boot()
    before = wait_detecting(machine, "after the boot")
    old = workers(machine)
    with machine.expecting("telemetry of the restarted service", TELEMETRY, later_run(before)):
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)
    assert not set(old) & set(workers(machine)), "an engine process outlived its agent"


def test_a_killed_worker(machine: Machine) -> None:
    worker_fault(machine, "KILL")


def test_a_worker_that_hangs(machine: Machine) -> None:
    worker_fault(machine, "STOP")


def worker_fault(machine: Machine, name: str) -> None:
    """Send a signal to the worker; the same main process goes on with another worker."""
    configure(machine)
    machine.boot()
    wait_detecting(machine, "after the boot")
    main, (worker,) = main_process(machine), workers(machine)
    faults = follow(machine, f"--unit={UNIT}", "--priority=warning")
    with machine.expecting("a warning that names the worker", faults, lambda line: "worker" in line) as lines:
        machine.run("kill", f"-{name}", str(worker))
    processed = []

    def more(line: str) -> bool:
        if detecting(line):
            processed.append(message_of(line, "telemetry")["cameras"]["gate"]["frames_processed"])
        return len(processed) >= 3 and processed[-1] > processed[0]

    machine.wait_for("telemetry with further frames", TELEMETRY, more)
    assert main_process(machine) == main
    assert worker not in workers(machine)
    assert len(lines) == 1, lines
