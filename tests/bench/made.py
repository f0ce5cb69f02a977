"""Measurements with known numbers, and a meter with scripted readings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeagent.bench.cold_start import ColdStart
from edgeagent.bench.load_generator import PICTURE_STAGES, Block
from edgeagent.bench.measured_candidates import MeasuredCandidate
from edgeagent.bench.rows import CandidateMeasurements
from edgeagent.detection.golden_check import GoldenResult
from edgeagent.engines.engine import EngineFacts
from edgeagent.sensors.energy import Quality

MS = 1_000_000
FACTS = EngineFacts("onnxruntime", "1.2.3", "CPUExecutionProvider", 1, 0.5)


class ScriptedMeter:
    """Energy meter that returns the given readings in order and then repeats the last one."""

    source = "a bench supply"
    quality: Quality = "whole board"

    def __init__(self, *readings: float | None) -> None:
        self._readings = list(readings)

    def read_j(self) -> float | None:
        """Return the next reading."""
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


def block(milliseconds: Sequence[float], energy_j: float | None = None) -> Block:
    """Return a block of single-stream queries with these latencies, 80 % of which is inference."""
    queries = [int(value * MS) for value in milliseconds]
    seconds = sum(milliseconds) / 1000
    parts = (0.1, 0.8, 0.1, 1.0)
    stages = {
        name: [int(part * time) for time in queries] for name, part in zip(PICTURE_STAGES, parts, strict=True)
    }
    return Block(queries, stages, len(queries), seconds, energy_j, seconds)


def candidate(name: str = "model.onnx", reference: bool = False) -> MeasuredCandidate:
    """Return a candidate that is never loaded."""
    grid = "float" if reference else "a"
    return MeasuredCandidate("onnxruntime", "onnxruntime-cpu", Path("bundle"), name, grid, reference)


def measured(
    blocks: Sequence[Block], name: str = "model.onnx", *, steps: float = 1.0, reference: bool = False
) -> CandidateMeasurements:
    """Return the measurements of a candidate with these blocks."""
    golden = None if reference else GoldenResult(steps, 2.0, steps / 2)
    cold = ColdStart(100.0, 20.0, 120.0, 50.0)
    return CandidateMeasurements(candidate(name, reference), 1, FACTS, cold, golden, 2, blocks=list(blocks))
