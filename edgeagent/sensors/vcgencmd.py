"""Asking the firmware of a Raspberry Pi, through its program ``vcgencmd``.

The program needs /dev/vcio (group video) and may hang with the firmware, so each question has a deadline.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PROGRAM = "usr/bin/vcgencmd"
DEADLINE_S = 2.0


def ask_firmware(question: str, root: Path = Path("/"), deadline_s: float = DEADLINE_S) -> str | None:
    """Return what ``vcgencmd QUESTION`` prints.

    None without the program, when it fails, as on a board whose firmware does not know the question, and when
    it does not end in time.
    """
    program = root / PROGRAM
    if not program.is_file():
        return None
    try:
        done = subprocess.run(  # noqa: S603  (a fixed program, a fixed question)
            [program, question], capture_output=True, timeout=deadline_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.decode("ascii", "replace")
    return text if done.returncode == 0 and "error=" not in text else None
