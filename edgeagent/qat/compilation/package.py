"""A compiler that is a package of Python: a program of this project, run by the Python of its environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.compilation.tool import find_tool, run_tool


@dataclass(frozen=True)
class CompilerPackage:
    """A compiler that is a package of Python.

    Attributes:
        name: for people.
        script: program beside this file; it imports nothing of this project.
        modules: that the program needs of the environment.
        install: how it is installed, as the end of a sentence.
        python: that Python, as an example.
    """

    name: str
    script: str
    modules: tuple[str, ...]
    install: str
    python: str

    def run(self, program: Path | None, folder: Path, result: Path, *arguments: str) -> str:
        """Run the program.

        Args:
            program: Python of the environment.
            folder: in which it runs.
            result: file that it must write.
            arguments: of the program.

        Returns:
            What it printed.

        Raises:
            ConfigurationError: there is no such Python, or it has no such package.
            DataError: it failed, hung or wrote nothing.
        """
        if program is None:
            raise ConfigurationError(
                f"{self.name} is a package of Python; {self.install}, and give {self.python} with --tool"
            )
        # absolute, and not resolved: the environment is that of the link
        python = str(find_tool("python", program, self.install).absolute())
        script = str(Path(__file__).resolve().with_name(self.script))
        try:
            return run_tool([python, "-I", script, *arguments], folder, result)
        except DataError as error:
            absent = rf"ModuleNotFoundError: No module named '({'|'.join(self.modules)})\b"
            if (lacks := re.search(absent, str(error))) is None:
                raise
            raise ConfigurationError(
                f"{program}: has no package {lacks[1]}, so {self.name} is not installed there; "
                f"{self.install}, and give {self.python} with --tool"
            ) from None
