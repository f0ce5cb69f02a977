"""End of the process: exit code, output and what is registered for it, with and without a blocked thread."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, socket, sys, threading
from edgeagent.cli.process import run_process

class Left:
    def __del__(self):
        print("unwound")

left = Left()
server = socket.create_server(("127.0.0.1", 0))
def program():
    if {blocked}:
        threading.Thread(target=server.accept, daemon=True).start()
    atexit.register(lambda: print("registered"))
    sys.stdout.write("output ")
    sys.stderr.write("error")
    return 7
run_process(program)
"""


@pytest.mark.parametrize("blocked", [True, False])
def test_the_exit_code_and_the_output_are_kept(blocked: bool) -> None:
    program = [sys.executable, "-c", PROGRAM.format(blocked=blocked)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 7
    assert done.stderr == "error"
    unwound = "" if blocked else "unwound\n"  # a process with a blocked thread ends before that
    assert done.stdout == f"output registered\n{unwound}"
