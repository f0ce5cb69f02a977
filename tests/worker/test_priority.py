"""Niceness of a process with threads, and whether it may come back from a higher one."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.worker.priority import set_niceness

SLEEPER = """\
import sys, threading
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
sys.stdin.read()
"""
ASK = "from edgeagent.worker.priority import may_return_to; print(may_return_to(0), may_return_to(5))"


def niceness(pid: int) -> set[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in threads}


def test_all_threads_of_a_process_get_the_niceness() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 2
        set_niceness(process.pid, min(19, own + 3))
        assert niceness(process.pid) == {min(19, own + 3)}
        process.stdin.close()


def answers(limit: int) -> str:
    """Ask in a process without capabilities."""
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = ["prlimit", f"--nice={limit}:{limit}", *bare, sys.executable, "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and limit > resource.getrlimit(resource.RLIMIT_NICE)[1]:
        pytest.skip("this user may not raise the limit")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("limit", "answer"), [(0, "False False"), (15, "False True"), (20, "True True")])
def test_the_limit_decides_without_the_capability(limit: int, answer: str) -> None:
    assert answers(limit) == answer
