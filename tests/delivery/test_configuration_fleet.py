"""A small fleet of ``benchmarks/config_fleet.py``, which has a thousand devices when it is run alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

DEVICES = 12
ROOT = Path(__file__).parents[2]


def test_a_fleet_converges_on_a_configuration() -> None:
    command = [sys.executable, "benchmarks/config_fleet.py", "--devices", str(DEVICES), "--percent", "50"]
    done = subprocess.run(
        [*command, "--processes", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["devices"]["none"] + first["devices"]["1.0.0"] == DEVICES
    assert 0 < first["devices"]["1.0.0"] < DEVICES
    assert second["devices"] == {"1.0.0": DEVICES}
    assert second["requests"] < first["requests"] + 2 * DEVICES
