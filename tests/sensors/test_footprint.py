"""Processor time and memory of the agent."""

from __future__ import annotations

import subprocess
import sys

import psutil

from edgeagent.sensors.footprint import Footprint

BUSY = "print(flush=True); total = 0\nwhile True: total += 1"


def test_a_child_counts_while_it_lives_and_its_time_afterwards() -> None:
    footprint = Footprint()
    _, alone = footprint.read()
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process = psutil.Process(child.pid)
        while process.cpu_times().user < 0.2:
            pass
        busy, both = footprint.read()
        child.kill()
    assert busy > 0
    assert both > alone
    again, after = footprint.read()
    assert again >= 0
    assert after < both
