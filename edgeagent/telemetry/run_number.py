"""Run number: number of this start of the agent; with ``sequence`` it orders the messages of all starts."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)

RUN = "run"
"""File name in the agent's state folder; the file contains one decimal number."""

_RunNumber = Annotated[int, Field(ge=0, lt=2**53)]


def next_run(state: Path) -> int | None:
    """Return the run number, 1 more than at the last start; None where the disk does not store it.

    A file that cannot be read is logged and replaced, and the count starts again.
    """
    path = state / RUN
    try:
        last = read_json(path, _RunNumber)
    except FileNotFoundError:
        last = 0
    except (OSError, DamagedJsonError) as error:
        logger.error("%s: not a number (%s); runs are counted from 1 again", path, error)
        last = 0
    try:
        write_state(path, b"%d\n" % (last + 1))
    except EdgeagentError as error:
        logger.error("%s; messages carry no run number", error)
        return None
    return last + 1
