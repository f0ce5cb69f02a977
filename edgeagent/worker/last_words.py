"""Cause of a worker's death, from the end of its stderr.

The output of faulthandler (https://docs.python.org/3/library/faulthandler.html) after a fatal signal::

    what the delegate said                                  <- said
    Fatal Python error: Segmentation fault

    Thread 0x00007f... (most recent call first):
      File "threading.py", line 327 in wait
    Current thread 0x00007f... (most recent call first):
      File "engine.py", line 88 in infer                    <- place
      ...
    Extension modules: numpy.core, ... (total: 2)
"""

from __future__ import annotations

import re

FATAL = "Fatal Python error: "
_THREAD = re.compile(r"(Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\)")
_FRAME = re.compile(r'\s*File "(?:.*/)?([^"/]+)", line (\d+) in (\S+)')


def last_words(stderr: str) -> str:
    """Return what a process said last, and where it was when a fatal signal came; empty if it said nothing.

    Args:
        stderr: end of its stderr.
    """
    said, fatal, dump = (
        stderr.rpartition("\n" + FATAL) if not stderr.startswith(FATAL) else ("", FATAL, stderr)
    )
    if not fatal:
        said, dump = stderr, ""
    messages = [line.strip() for line in said.splitlines() if line.strip() and _is_message(line)]
    return "; ".join(text for text in (messages[-1] if messages else "", _place(dump)) if text)


def _is_message(line: str) -> bool:
    return not line.startswith((" ", "INFO:"))


def _place(dump: str) -> str:
    """Return the innermost frame of the thread that received the signal; empty where it has none."""
    current = False
    for line in dump.splitlines():
        thread = _THREAD.match(line)
        if thread is not None:
            current = thread[1] == "Current thread"
        elif current and (frame := _FRAME.match(line)) is not None:
            return f"in {frame[3]}, {frame[1]}:{frame[2]}"
    return ""
