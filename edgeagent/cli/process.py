"""Program ``edgeagent`` as a process: its end does not wait for threads that are blocked in native code.

A camera that does not answer holds its thread in a native library. The interpreter ends such a thread, once
it comes back while the process ends, by unwinding its stack; C++ code on that stack aborts the process then
(https://github.com/python/cpython/issues/87135). So the process is left before that.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from edgeagent.cli import main


def run_process(program: Callable[[], int] = main) -> NoReturn:
    """Run a program, and end this process with its exit code.

    Args:
        program: returns the exit code, 0..255.
    """
    code = program()
    if not any(one.daemon for one in threading.enumerate()):
        sys.exit(code)
    atexit._run_exitfuncs()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)
