"""Results of ``benchmarks/training_levers.py``: a file with one line for each run, and its table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeagent.accuracy.map_interval import map_difference

BASE = "base"
"""Lever that changes nothing: what the others are compared with."""


@dataclass
class Run:
    """Finished run, one line of the results.

    Attributes:
        lever: name of the lever, or ``float`` and ``start`` for the models without training.
        seed: seed; None without training.
        key: all that runs of one table have in common: model, pictures, steps, batch, engine, start.
        map50_95: COCO mAP of the exported artefact.
        held_out: loss on the held-out training pictures at the end; None without training.
        processor_seconds: processor time of the training.
        draws: mAP of each draw of the bootstrap.
    """

    lever: str
    seed: int | None
    key: str
    map50_95: float
    held_out: float | None
    processor_seconds: float | None
    draws: list[float]


class Results:
    """File with one line for each finished run.

    Args:
        path: file; created with the first run.
        key: common part of the runs of this table; others in the file are ignored.

    Raises:
        ValueError: a line is not a run.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self.key = path, key
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        found = [Run(**json.loads(line)) for line in lines]
        self.runs = {(run.lever, run.seed): run for run in found if run.key == key}

    def add(self, run: Run) -> None:
        """Append a run."""
        self.runs[run.lever, run.seed] = run
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(run)) + "\n")

    def table(self) -> str:
        """Return the table in Markdown: levers in the order of their runs."""
        lines = ["| lever | seeds | mAP50-95 | against base | of each seed | held-out loss | processor s |"]
        lines.append("|---|---|---|---|---|---|---|")
        for lever in dict.fromkeys(name for name, _ in self.runs):
            lines.append(self._row(lever, [run for run in self.runs.values() if run.lever == lever]))
        return "\n".join(lines)

    def _row(self, lever: str, runs: Sequence[Run]) -> str:
        accuracy = f"{np.mean([run.map50_95 for run in runs]):.3f}"
        bases = {run.seed: run for run in self.runs.values() if run.lever == BASE}
        pairs = [(run, bases[run.seed]) for run in runs if run.seed in bases]
        if any(run.seed is None for run in runs):
            pairs = [(run, base) for run in runs for base in bases.values()]
        difference = each = ""
        if pairs and lever != BASE:
            values = [run.map50_95 - base.map50_95 for run, base in pairs]
            own, other = (np.mean([one.draws for one in some], 0) for some in zip(*pairs, strict=True))
            low, high = map_difference(own, other)
            difference = f"{np.mean(values):+.3f} [{low:+.3f}, {high:+.3f}]"
            each = ", ".join(f"{value:+.3f}" for value in values)
        held_out = _mean(run.held_out for run in runs)
        seconds = _mean(run.processor_seconds for run in runs)
        loss = "" if held_out is None else f"{held_out:.2f}"
        spent = "" if seconds is None else f"{seconds:.0f}"
        count = sum(run.seed is not None for run in runs)
        return f"| {lever} | {count or ''} | {accuracy} | {difference} | {each} | {loss} | {spent} |"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
