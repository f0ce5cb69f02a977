"""Stand-in of a compiler: a program that behaves as a test says."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edgeagent.bundle.reading import Bundle
from edgeagent.errors import DataError
from edgeagent.qat.compilation import tool
from edgeagent.qat.compilation.compiled_bundle import compile_bundle


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

    def fails(self, how: str, bundle: Bundle, target: str, made: Path) -> str:
        """Compile a bundle while the program fails; return what the user is told. Nothing is made."""
        self.does(how)
        with pytest.MonkeyPatch.context() as patched:
            if how.startswith("hangs"):
                patched.setattr(tool, "DEADLINE_S", 2.0)
            with pytest.raises(DataError) as caught:
                compile_bundle(bundle, target, made, self.program, licence_accepted=True)
        assert not made.exists()
        return str(caught.value)
