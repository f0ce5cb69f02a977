"""New start of the agent in its own process: the program is executed again, with the same process id.

systemd and a container see the same main process; everything that the old run held is freed by the kernel, as
at an end.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from edgeagent.errors import EdgeagentError

logger = logging.getLogger(__name__)

STANDARD_STREAMS = 3
"""Descriptors that stay open."""


def start_again() -> NoReturn:
    """Execute this program again, with its arguments and environment.

    Raises:
        EdgeagentError: it cannot be executed; the process should end, and its supervisor start it.
    """
    logger.info("starting again with another configuration")
    for link in Path("/proc/self/fd").iterdir():  # of cameras and libraries, which may leave theirs open
        descriptor = int(link.name)
        if descriptor >= STANDARD_STREAMS:
            try:
                os.set_inheritable(descriptor, False)
            except OSError:  # that of the list itself
                continue
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # what is ignored stays ignored in the new program
    sys.stdout.flush()
    sys.stderr.flush()
    program = sys.executable or str(Path("/proc/self/exe").readlink())
    try:
        os.execv(program, [program, *sys.orig_argv[1:]])  # noqa: S606  (the program itself)
    except OSError as error:
        raise EdgeagentError(f"{program}: cannot be executed again ({error.strerror})") from error
