"""Queries to the firmware of a Raspberry Pi through its program ``vcgencmd``.

The program needs /dev/vcio (group video) and can hang with the firmware, so each query has a deadline.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PROGRAM = "usr/bin/vcgencmd"
DEADLINE_S = 2.0


def query_firmware(command: str, root: Path = Path("/"), deadline_s: float = DEADLINE_S) -> str | None:
    """Return the output of ``vcgencmd COMMAND``.

    None without the program, when it fails (as on a board whose firmware does not know the command) and when
    it does not end within ``deadline_s`` seconds.
    """
    program = root / PROGRAM
    if not program.is_file():
        return None
    try:
        done = subprocess.run(  # noqa: S603  (a fixed program, a fixed command)
            [program, command], capture_output=True, timeout=deadline_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.decode("ascii", "replace")
    return text if done.returncode == 0 and "error=" not in text else None
