"""New start in the same process: process id, arguments and environment stay, descriptors do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from edgeagent.cli.run import StopRequest

PROGRAM = """
import os, signal, sys
from edgeagent.daemon.restart import start_again
left = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
print(os.getpid(), sys.argv[1:], len(left), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
if os.environ.pop("FIRST", None):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leaked = os.open("/", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    start_again()
"""


def test_the_program_is_executed_again_with_the_same_process_id(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), "-c", "a file.yaml"],
        env={**os.environ, "FIRST": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert first == second
    assert "['-c', 'a file.yaml']" in first
    assert first.endswith("True")


def test_a_stop_request_is_remembered() -> None:
    asked: list[str] = []
    stop = StopRequest(lambda: asked.append("stop"))
    assert not stop.requested
    stop(signal.SIGTERM, None)
    assert stop.requested
    assert asked == ["stop"]
