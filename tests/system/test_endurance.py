"""Many restarts: nothing is left over, and nothing grows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from tests.system.machine import Machine
from tests.system.service import (
    SUBSCRIBE,
    TOPIC,
    UNIT,
    configure,
    later_run,
    main_process,
    wait_detecting,
    workers,
)

RESTARTS = 50
MEMORY = {"Pss:": "pss_mb", "Pss_Anon:": "anonymous_mb"}
"""PSS also changes with other programs that share the same files, such as a second machine of these tests."""
MEASURE = """
for pid in "$@"; do
    grep -h '^Pss' /proc/$pid/smaps_rollup
    echo "files $(ls /proc/$pid/fd | wc -l)"
done
echo "shared $(ls -A /dev/shm | wc -l)"
echo "temporary $(find /tmp /var/tmp -type f | wc -l)"
echo "state $(find /var/lib/edgeagent -type f | wc -l)"
"""


def measure(machine: Machine) -> dict[str, float]:
    """Return what the service uses now: memory in MB, and numbers of files."""
    pids = [str(pid) for pid in (main_process(machine), *workers(machine))]
    found = {"pss_mb": 0.0, "anonymous_mb": 0.0, "files": 0.0, "shared": 0.0, "temporary": 0.0, "state": 0.0}
    for line in machine.run("sh", "-c", MEASURE, "sh", *pids).splitlines():
        name, value = line.split()[:2]
        if name in MEMORY:
            found[MEMORY[name]] += int(value) * 1024 / 1e6
        elif not name.startswith("Pss"):
            found[name] += int(value)
    return found


def report(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the slope of each value for one restart; write it to the file of ``EDGEAGENT_SYSTEM_REPORT``."""
    numbers = range(len(rows))
    slopes = {name: float(np.polyfit(numbers, [row[name] for row in rows], 1)[0]) for name in rows[0]}
    path = os.environ.get("EDGEAGENT_SYSTEM_REPORT")
    if path:
        found = {"restarts": len(rows) - 1, "slopes": slopes, "first": rows[0], "last": rows[-1]}
        Path(path).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return slopes


def test_restarts_leave_nothing_over(machine: Machine, full: None) -> None:
    configure(machine)
    machine.boot()
    telemetry = wait_detecting(machine, "after the boot")
    rows, slopes = [measure(machine)], {}
    for number in range(RESTARTS):
        events = (*SUBSCRIBE, TOPIC + "telemetry")
        with machine.expecting(f"telemetry after restart {number + 1}", events, later_run(telemetry)):
            machine.run("systemctl", "reset-failed", UNIT)  # the start limit counts these starts, too
            machine.run("systemctl", "restart", UNIT)
        telemetry = wait_detecting(machine, f"after restart {number + 1}")
        rows.append(measure(machine))
        slopes = report(rows)
    assert rows[-1]["shared"] <= rows[0]["shared"], "restarts leave shared memory over"
    assert rows[-1]["temporary"] <= rows[0]["temporary"], "restarts leave temporary files over"
    assert slopes["anonymous_mb"] < 0.2, slopes
    assert slopes["files"] < 0.1, slopes
    assert slopes["state"] < 0.1, slopes
