"""Standard streams that the caller has closed, as ``edgeagent ... >&-`` and some supervisors do.

A closed descriptor is free: the next file that the program opens would become its standard output, and what a
library prints would be written into it. So it is opened before anything else. Text for a closed standard
output is an error, as it is lost; a closed standard error takes the log and loses it.
"""

from __future__ import annotations

import os
import sys

_STREAMS = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"))
"""Names in :mod:`sys` by descriptor. Standard output is opened for reading only, so that writing fails."""


def open_closed_streams() -> None:
    """Open the standard streams that are closed, for this process and those that it starts."""
    for descriptor, (name, flags, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(descriptor)
        except OSError:
            _open(descriptor, flags)
            shown = descriptor
        else:  # a library has opened a file since
            shown = os.open(os.devnull, flags)
        setattr(sys, name, open(shown, mode, closefd=False))  # noqa: SIM115  (open to the end)


def _open(descriptor: int, flags: int) -> None:
    opened = os.open(os.devnull, flags)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    os.set_inheritable(descriptor, True)
