"""Stand-in of a compiler: a program that behaves as a test says."""

from __future__ import annotations

import stat
from pathlib import Path


class StandIn:
    """Program of a vendor that is not installed.

    Args:
        program: path of it.
        text: script, which reads how it behaves from the file beside it that ends in ``.how``.
    """

    def __init__(self, program: Path, text: str) -> None:
        self.program = program
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.does("well")

    def does(self, how: str) -> None:
        """Behave so from now on."""
        self.program.with_suffix(".how").write_text(how)
