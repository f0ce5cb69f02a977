"""A small fleet of ``benchmarks/fleet_update.py``, which has a thousand devices when it is run alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEVICES, SIZE = 40, 200_000


def test_a_fleet_updates_and_spreads_its_checks(tmp_path: Path) -> None:
    numbers_file = tmp_path / "numbers.json"
    command = [sys.executable, "benchmarks/fleet_update.py", "--devices", str(DEVICES), "--size", str(SIZE)]
    done = subprocess.run(
        [*command, "--processes", "2", "--json", str(numbers_file)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = json.loads(numbers_file.read_bytes())
    assert numbers["update"] == {"2.0.0": DEVICES}
    assert 1.0 < numbers["ratio"] < 1.1  # the rest is metadata
    for check in numbers["checks"]:
        assert sum(check) == DEVICES
        assert max(check) < DEVICES / 2
