"""Lines of ``edgeagent status`` about engines: the first choice, and what is on trial beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeagent.detection.journal import trials_in_progress
from edgeagent.detection.records import VERDICTS, TrialVerdict, load_verdicts


@dataclass(frozen=True)
class EngineStatus:
    """Engines of a state folder.

    Attributes:
        chosen: first choices of the last rankings, one for each model.
        on_trial: names of candidates that are tried now; empty where no agent runs.
    """

    chosen: tuple[TrialVerdict, ...]
    on_trial: tuple[str, ...]

    def plain(self) -> dict[str, object]:
        """Return the status for JSON."""
        chosen = [
            {"candidate": one.candidate, "p50_ms": one.p50_ms, "threads": one.threads} for one in self.chosen
        ]
        return {"chosen": chosen, "on_trial": list(self.on_trial)}


def read_engines(state: Path, runs: bool) -> EngineStatus:
    """Return the engines of a state folder.

    Args:
        state: folder of the agent; nothing in it is changed.
        runs: whether an agent uses it.
    """
    chosen = tuple(one for one in load_verdicts(state / VERDICTS).values() if one.chosen)
    on_trial = trials_in_progress(state) if runs else []
    return EngineStatus(chosen, tuple(key.rpartition(" ")[0] for key in on_trial))


def engine_lines(status: EngineStatus) -> Iterator[tuple[str, str]]:
    """Yield the lines as (subject, text)."""
    for one in status.chosen:
        speed = f", {one.p50_ms:g} ms an inference" if one.p50_ms is not None else ""
        threads = f", threads: {one.threads}" if one.threads is not None else ""
        yield "engine", f"{one.candidate} is the first choice{speed}{threads}"
    for name in status.on_trial:
        yield "engine", f"{name} is on trial"
