"""Checks of the gate: measured values against limits, each with a finding in one sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from edgeagent.accuracy.golden_accuracy import GoldenAccuracyResult
from edgeagent.bundle.manifest import Manifest
from edgeagent.delivery.trial.gate_report import GateFinding, Outcome
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.golden_check import GoldenResult
from edgeagent.detection.records import TrialVerdict

MEGABYTE = 1e6


def check_fit(manifest: Manifest, files: Collection[str]) -> GateFinding:
    """Check that the bundle has an artefact for this board.

    Args:
        manifest: of the bundle; its minimum agent version was checked when it was read.
        files: artefacts that a delegate of this board can use.
    """
    if not files:
        made = ", ".join(artefact.file for artefact in manifest.artefacts)
        sentence = f"no delegate of this board runs any of {made}"
        return GateFinding(check="fit", outcome="failed", sentence=sentence)
    sentence = f"{', '.join(sorted(files))} can run here, with {len(manifest.labels)} classes"
    return GateFinding(check="fit", outcome="passed", sentence=sentence)


def check_golden_set(manifest: Manifest, required: bool) -> GateFinding:
    """Check that there is a golden set; without one a wrong engine cannot be recognized."""
    if manifest.golden is not None:
        sentence = f"{len(manifest.golden.pictures)} golden pictures with reference outputs"
        return GateFinding(check="golden_set", outcome="passed", sentence=sentence)
    sentence = "the bundle has no golden pictures"
    if required:
        sentence += ", which gate.golden_required asks for"
    return GateFinding(check="golden_set", outcome="failed" if required else "absent", sentence=sentence)


def check_temperature(when: str, readings: Mapping[str, float], limit: float | None) -> GateFinding:
    """Check the hottest thermal zone (degrees Celsius, by name of the zone) against the limit."""
    name = f"temperature_{when}"
    if not readings:
        sentence = "no thermal zone of this board can be read"
        return GateFinding(check=name, outcome="absent", sentence=sentence, limit=limit)
    zone = max(readings, key=lambda zone: readings[zone])
    measured = readings[zone]
    sentence = f"{zone} has {measured:.1f} degrees C {when} the gate"
    return _compared(name, sentence, measured, limit, f"at most {limit} are allowed")


def check_loads(chosen: Candidate | None, verdicts: Sequence[TrialVerdict]) -> GateFinding:
    """Check that a delegate loads an artefact and computes what was trained."""
    if chosen is None:
        reasons = "; ".join(f"{verdict.candidate}: {verdict.reason}" for verdict in verdicts)
        return GateFinding(check="loads", outcome="failed", sentence=f"no delegate serves it: {reasons}")
    return GateFinding(check="loads", outcome="passed", sentence=f"{chosen.name} loads and runs it")


def check_golden_outputs(result: GoldenResult) -> GateFinding:
    """Check the golden outputs, in steps of the outputs' grids."""
    return GateFinding(
        check="golden_outputs",
        outcome="passed" if result.right else "failed",
        sentence=f"the golden outputs are {result.describe()}",
        measured=min(result.worst, 1e9),  # JSON has no infinity
        limit=result.tolerance,
    )


def check_accuracy(result: GoldenAccuracyResult | None, absent: str, required: bool) -> GateFinding:
    """Check the accuracy on the labelled golden pictures; ``absent`` says why none was measured."""
    if result is None:
        sentence = f"accuracy was not measured: {absent}"
        if required:
            sentence += "; gate.accuracy_required asks for it"
        return GateFinding(check="accuracy", outcome="failed" if required else "absent", sentence=sentence)
    return GateFinding(
        check="accuracy",
        outcome="passed" if result.right else "failed",
        sentence=result.describe(),
        measured=round(result.measured, 4),
        limit=round(result.least, 4),
        measure=result.measure.field,
    )


def check_latency(p90_ms: float | None, samples: int, limit: float | None) -> GateFinding:
    """Check the 90th percentile of an inference against its budget, in milliseconds."""
    if p90_ms is None:
        sentence = f"{samples} inferences are too few for a 90th percentile"
        return GateFinding(check="latency", outcome="absent", sentence=sentence, limit=limit)
    sentence = f"90 % of {samples} inferences took {p90_ms:.1f} ms or less"
    return _compared("latency", sentence, p90_ms, limit, f"gate.p90_ms is {limit} ms")


def check_memory_use(resident: int, limit: int | None) -> GateFinding:
    """Check the resident memory of the worker against the limit, in bytes."""
    sentence = f"the engine's process takes {resident / MEGABYTE:.0f} MB"
    allowed = f"gate.memory is {limit / MEGABYTE:g} MB" if limit is not None else ""
    return _compared("memory", sentence, resident, limit, allowed)


def _compared(check: str, sentence: str, measured: float, limit: float | None, allowed: str) -> GateFinding:
    outcome: Outcome = "failed" if limit is not None and measured > limit else "passed"
    return GateFinding(
        check=check,
        outcome=outcome,
        sentence=sentence if limit is None else f"{sentence}; {allowed}",
        measured=measured,
        limit=limit,
    )
