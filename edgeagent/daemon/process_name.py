"""Name of the process in ``ps``, ``top``, ``pgrep`` and the field ``_COMM`` of the journal: comm(5).

The launcher of the service and a restart for a configuration execute the interpreter, which the kernel would
show as ``python3``.
"""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger(__name__)

NAME = "edgeagent"
COMM = Path("/proc/self/comm")


def name_process() -> None:
    """Give this process the name of the program; where that is not possible, it keeps that of its file."""
    try:
        COMM.write_text(NAME, encoding="ascii")
    except OSError as error:
        logger.debug("the process keeps its name: %s", error)
