"""No command opens a connection beyond this machine, or leaves a file in the home directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def can_trace() -> bool:
    """Return whether strace is installed and may trace here; some containers forbid it."""
    strace = shutil.which("strace")
    return (
        strace is not None
        and subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False).returncode == 0
    )


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace here"),
]

COMMANDS = {
    "doctor": ("doctor",),
    "bundle check": ("bundle", "check", "models/coco-nano"),
    "bench": ("bench", "--engine", "all", "--duration", "0.1", "--min-queries", "2"),
    "demo": ("demo", "--seconds", "1", "--out", "OUT"),
}
STRACE = ("strace", "--seccomp-bpf", "-f", "-qq", "-e")
PROGRAM = (sys.executable, "-m", "edgeagent")
LOOPBACK = re.compile(r'inet_addr\("127\.|"::1"|"::ffff:127\.')


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_calls_nobody(command: str, tmp_path: Path) -> None:
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    arguments = [str(tmp_path / "out") if part == "OUT" else part for part in COMMANDS[command]]
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [*STRACE, "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace), *PROGRAM, *arguments],
        cwd=Path(__file__).parents[2],
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    called = [line for line in trace.read_text("utf-8").splitlines() if "AF_INET" in line]
    assert [line for line in called if not LOOPBACK.search(line)] == []
    assert [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()] == []


def test_a_call_would_be_seen(tmp_path: Path) -> None:
    """The check above notices a datagram to an address that is nobody's (RFC 5737)."""
    trace = tmp_path / "trace"
    program = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
    subprocess.run(
        [*STRACE, "trace=connect", "-o", str(trace), sys.executable, "-c", program],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    (line,) = (line for line in trace.read_text("utf-8").splitlines() if "AF_INET" in line)
    assert "192.0.2.1" in line
    assert not LOOPBACK.search(line)
