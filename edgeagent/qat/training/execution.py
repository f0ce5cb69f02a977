"""Execution of trainings: where they run and keep their files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeagent.qat.training.processes import Processes


@dataclass(frozen=True)
class Execution:
    """How trainings are executed; the results do not depend on it, except for rounding.

    Attributes:
        work: folder of checkpoints and intermediate artefacts.
        processes: position of this process among those of the run.
        compiled: whether fake-quantizers are compiled, where a C++ compiler is installed.
        resume: whether trainings continue from their checkpoints.
        checkpoint_every: steps between two checkpoints.
    """

    work: Path
    processes: Processes = field(default_factory=Processes)
    compiled: bool = True
    resume: bool = False
    checkpoint_every: int = 50

    @property
    def checkpoint(self) -> Path:
        """File of the checkpoint."""
        return self.work / "checkpoint.pt"

    def within(self, folder: str) -> Execution:
        """Return the same execution in a subfolder of the work folder; an empty name is the folder itself."""
        return replace(self, work=self.work / folder)
