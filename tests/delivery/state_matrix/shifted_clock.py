"""A clock of the daemon and its engine processes that a test sets while they run."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.engines.standin import compile_library

SOURCE = Path(__file__).with_name("shifted_clock.c")


class ShiftedClock:
    """A file with the offset, and the library that adds it.

    Args:
        library: made by :func:`build`.
        file: for the offset.
    """

    def __init__(self, library: str, file: Path) -> None:
        self._library, self._file = library, file
        file.write_bytes(struct.pack("l", 0))

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process sees this clock."""
        return {"LD_PRELOAD": self._library, "SHIFTED_CLOCK": str(self._file)}

    def shift(self, days: float) -> None:
        """Set the clock this far from the right time, for running processes, too."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("l", int(days * 86400)))


def build(folder: Path) -> str:
    """Compile the library below a folder, and return its path; skip where there is no gcc."""
    return compile_library(folder / "libshiftedclock.so", SOURCE.read_text(encoding="ascii"))
