"""Data of a report: the content of the JSON of ``edgeagent qat report``.

Values come from the bundle, or were measured by the report on given pictures. Unknown values are None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from edgeagent.bundle.evidence import (
    COMPILATION,
    PARITY,
    SEEDS,
    SENSITIVITY,
    TRAINING,
    ArtefactParity,
    CompilationRecord,
    SeedResult,
    SensitivityRecord,
    TrainingPoint,
)
from edgeagent.bundle.manifest import Artefact, Manifest, Measurement
from edgeagent.bundle.reading import Bundle
from edgeagent.engines.loading import ENGINES, READERS
from edgeagent.engines.openvino_engine import FLOAT_DELEGATE

Kind = Literal["float", "ptq", "best ptq", "simulated", "deployed"]
SIMULATION = "torch"  # engine name in measurements of the fake-quantized network itself


@dataclass(frozen=True)
class Latency:
    """Latency of an artefact relative to the float reference, interleaved in one process.

    Attributes:
        median_ms: median latency, milliseconds.
        reference_ms: median latency of the float reference in the same rounds, milliseconds.
        ratio: median over the rounds of reference latency over this one; above 1 is faster.
        turns: number of interleaved rounds.
        reference: file and engine of the float reference.
    """

    median_ms: float
    reference_ms: float
    ratio: float
    turns: int
    reference: str


@dataclass(frozen=True)
class ReportRow:
    """Row of the table: a state of the model in one engine.

    Attributes:
        kind: kind of state; ``simulated`` is the quantized network in torch.
        method: method that led to the state.
        engine: engine, version and delegate; only the engine's name if nothing was measured.
        file: file of the bundle; None for a state that is not in it.
        map50_95, map50, images, per_class, data_sha256, seed: see
            :class:`edgeagent.bundle.manifest.Measurement`; None if not measured.
        size: bytes of the file.
        integer_operators: (on integers, all) of the graph that the engine runs; None if they were not
            counted for the engine.
        integer_macs: share of the multiply-accumulates on integers, 0..1.
        latency: latency; None if not measured.
        here: whether it was measured by this report instead of read from the bundle.
    """

    kind: Kind
    method: str
    engine: str
    file: str | None = None
    map50_95: float | None = None
    map50: float | None = None
    images: int | None = None
    per_class: Mapping[str, float] | None = None
    data_sha256: str | None = None
    seed: int | None = None
    size: int | None = None
    integer_operators: tuple[int, int] | None = None
    integer_macs: float | None = None
    latency: Latency | None = None
    here: bool = False


@dataclass(frozen=True)
class Spread:
    """Spread of the accuracy over several seeds in one engine.

    Attributes:
        engine: engine, version and delegate.
        seeds: seeds of the trainings.
        mean, least, most: mAP50-95 over the seeds.
        mean50: mean mAP50 over the seeds.
    """

    engine: str
    seeds: tuple[int, ...]
    mean: float
    least: float
    most: float
    mean50: float


@dataclass(frozen=True)
class BundleReport:
    """Content of a report; each part of the evidence is None if the bundle does not have it."""

    name: str
    version: str
    attribution: str
    licence: str
    labels: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    seeds: tuple[Spread, ...] | None
    training: tuple[TrainingPoint, ...] | None
    sensitivity: tuple[SensitivityRecord, ...] | None
    parity: tuple[ArtefactParity, ...] | None
    recipe: Mapping[str, Any]
    hashes: Mapping[str, str]
    compilations: tuple[CompilationRecord, ...] | None = None


def collect(bundle: Bundle, integer_macs: Mapping[str, float]) -> BundleReport:
    """Return the report of a bundle from its manifest and evidence.

    Args:
        bundle: opened bundle.
        integer_macs: share of the multiply-accumulates on integers, by artefact file.

    Raises:
        BundleError: a file of evidence is invalid.
    """
    manifest = bundle.manifest
    seeds = SEEDS.read(bundle)
    return BundleReport(
        name=manifest.name,
        version=manifest.version,
        attribution=manifest.attribution.strip(),
        licence=manifest.licence,
        labels=manifest.labels,
        rows=_rows(manifest, integer_macs),
        seeds=None if seeds is None else spreads(seeds),
        training=TRAINING.read(bundle),
        sensitivity=SENSITIVITY.read(bundle),
        parity=PARITY.read(bundle),
        compilations=COMPILATION.read(bundle),
        recipe=manifest.evidence.recipe,
        hashes=_hashes(manifest),
    )


def spreads(results: Sequence[SeedResult]) -> tuple[Spread, ...]:
    """Return the spread over the seeds for each engine, in the given order."""
    found = []
    for engine in dict.fromkeys(item.engine for item in results):
        mine = [item for item in results if item.engine == engine]
        maps = [item.accuracy for item in mine]
        found.append(
            Spread(
                engine,
                tuple(item.seed for item in mine),
                float(np.mean(maps)),
                min(maps),
                max(maps),
                float(np.mean([item.second_accuracy for item in mine])),
            )
        )
    return tuple(found)


def with_row(rows: Sequence[ReportRow], new: ReportRow) -> tuple[ReportRow, ...]:
    """Return the rows, with a row measured here in place of the row of the same state."""
    for position, row in enumerate(rows):
        same_engine = row.engine.split()[0] == new.engine.split()[0]
        if row.kind == new.kind and row.file == new.file and (same_engine or new.kind == "float"):
            measured = replace(
                new,
                method=row.method,
                size=row.size if new.size is None else new.size,
                integer_operators=row.integer_operators,
                integer_macs=row.integer_macs if row.integer_macs is not None else _float_macs(new.engine),
                latency=new.latency or row.latency,
            )
            return (*rows[:position], measured, *rows[position + 1 :])
    return (new, *rows) if new.kind == "float" else (*rows, new)


def _rows(manifest: Manifest, integer_macs: Mapping[str, float]) -> tuple[ReportRow, ...]:
    measurements, deployed = manifest.evidence.measurements, _deployed(manifest)
    calibrated = [
        item
        for item in measurements
        if item.state == "ptq" and not _simulated(item) and not any(item is one for one in deployed.values())
    ]
    best = max(calibrated, key=lambda item: item.accuracy, default=None)
    rows = [_measured("float", item) for item in measurements if item.state == "float"]
    rows += [_measured("best ptq" if item is best else "ptq", item) for item in calibrated]
    rows += [_measured("simulated", item) for item in measurements if _simulated(item)]
    for artefact in manifest.artefacts:
        for engine in READERS[artefact.format]:
            found = deployed.get((artefact.file, engine))
            row = ReportRow("deployed", "", engine) if found is None else _measured("deployed", found)
            rows.append(_with_artefact(row, artefact, integer_macs.get(artefact.file)))
    return tuple(rows)


def _with_artefact(row: ReportRow, artefact: Artefact, macs: float | None) -> ReportRow:
    row = replace(row, file=artefact.file, size=artefact.size)
    if row.engine.split()[0] != READERS[artefact.format][0]:
        return replace(row, integer_macs=_float_macs(row.engine))  # counted for the first reader only
    counts = artefact.operators
    if counts is None:
        return replace(row, integer_macs=macs)
    integer = sum(counts.integer.values())
    return replace(row, integer_operators=(integer, integer + sum(counts.float.values())), integer_macs=macs)


def _float_macs(engine: str) -> float | None:
    """Return 0 for a delegate that computes in float32 for any artefact; None for others."""
    return 0.0 if FLOAT_DELEGATE in engine.split() else None


def _deployed(manifest: Manifest) -> dict[tuple[str, str], Measurement]:
    """Return the measurement of each artefact in each engine, by (file, name of the engine).

    Of several measurements, the one with the seed of the recipe or the last one counts, as candidates are
    measured before the final artefact. Measurements of older bundles without a file belong to the only
    artefact that the engine reads.
    """
    measurements = manifest.evidence.measurements
    trained = [item.artefact for item in measurements if item.state == "qat" and not _simulated(item)]
    found: dict[tuple[str, str], Measurement] = {}
    for item in measurements:
        engine = item.engine.split()[0]
        if item.state == "float" or _simulated(item) or engine not in ENGINES:
            continue
        if item.state == "ptq" and (item.artefact in trained or None in trained):
            continue
        readable = [one.file for one in manifest.artefacts if engine in READERS[one.format]]
        named = [item.artefact] if item.artefact is not None else readable
        if len(named) != 1 or named[0] not in readable:
            continue
        key, seed = (named[0], engine), manifest.evidence.recipe.get("seed")
        if key not in found or found[key].seed is None or found[key].seed != seed:
            found[key] = item
    return found


def _simulated(item: Measurement) -> bool:
    return item.engine.startswith(SIMULATION)


def _measured(kind: Kind, item: Measurement) -> ReportRow:
    return ReportRow(
        kind=kind,
        method=item.method,
        engine=item.engine,
        map50_95=item.map50_95,
        map50=item.map50,
        images=item.images,
        per_class=item.per_class,
        data_sha256=item.data_sha256,
        seed=item.seed,
    )


def _hashes(manifest: Manifest) -> dict[str, str]:
    found = {artefact.file: artefact.sha256 for artefact in manifest.artefacts}
    for item in manifest.evidence.measurements:
        found.setdefault("pictures and labels that were measured on", item.data_sha256)
    return {**found, **manifest.evidence.files}
