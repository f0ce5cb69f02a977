"""A Python without SQLite: everything but the spool works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """\
import sys
sys.modules["_sqlite3"] = sys.modules["sqlite3"] = None
from pathlib import Path
import edgeagent.cli
import edgeagent.daemon.agent
from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool
from edgeagent.telemetry.mqtt.spool import Spool
import logging
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
spool = FaultTolerantSpool(lambda: Spool(Path(sys.argv[1]) / "spool.db", 1_000_000, 60.0))
assert spool.open(1.0) is None and not spool.usable
assert spool.open(spool.due + 1.0) is None
"""


def test_messages_wait_in_memory_and_that_is_said_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("ERROR telemetry.spool: this Python has no sqlite3")
    assert "messages wait in memory" in line
