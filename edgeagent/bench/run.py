"""One benchmark run.

::

    cold start of each candidate (load, first inference, memory) -> load all candidates -> golden check
        -> accuracy -> warm-up -> idle baseline -> interleaved rounds of blocks -> rows, ratios

A candidate that fails at any step keeps its reason and is excluded from the following steps.
"""

from __future__ import annotations

import hashlib
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgeagent.accuracy.decoding_check import PICTURES, check_output_decoding
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_model, measured_value
from edgeagent.bench.camera_scenario import play_clip
from edgeagent.bench.cold_start import cold_start
from edgeagent.bench.interleaving import block_speed, round_order, speed_ratio
from edgeagent.bench.load_generator import (
    SAMPLES_PER_QUERY,
    SCORE_THRESHOLD,
    Block,
    cycle_pictures,
    difference,
    run_block,
)
from edgeagent.bench.machine import describe_machine, read_thermal_state
from edgeagent.bench.measured_candidates import MeasuredCandidate, load_candidate
from edgeagent.bench.results import (
    BenchReport,
    BundleId,
    RunConditions,
    Scenario,
    SpeedRatio,
)
from edgeagent.bench.rows import (
    CandidateMeasurements,
    RunEnvironment,
    histogram_edges,
    make_row,
)
from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.bundle.task import MEASURES
from edgeagent.datasets.given import check_data
from edgeagent.datasets.labels import LabelledData
from edgeagent.detection.detector import Detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.engine import Buffers
from edgeagent.engines.loading import default_threads, find_artefact
from edgeagent.errors import BundleError, EngineError
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.sensors.energy import EnergyMeter
from edgeagent.timing.utc import utc_time
from edgeagent.version import __version__

ROUNDS: dict[str, int] = {"single-stream": 20, "multi-stream": 20, "offline": 20, "camera": 5}
IDLE_S = 2.0
NOISE_PICTURES = 8

ReportProgress = Callable[[str, float], None]
"""Called with the description of the next step and the completed fraction of the work, 0..1."""


@dataclass(frozen=True)
class BenchRequest:
    """Request of a benchmark run.

    Attributes:
        bundle: opened bundle.
        candidates: candidates in the order of the rows; ratios refer to the fastest float reference among
            them, or else to the first candidate without a failure.
        scenario: see ``edgeagent bench --help``.
        duration_s: minimum duration of the queries per row, in seconds.
        min_queries: minimum number of queries per row.
        seed: random seed of the picture order.
        threads: threads of the engines; 0 uses all processors but one.
        clip: clip of the camera scenario.
        data: labelled pictures for accuracy.
        meter: energy meter; None without a sensor.
        no_meter: reason for the missing meter.
        idle_s: duration of the idle baseline in seconds.
        root: directory that holds /sys and /proc.
    """

    bundle: Bundle
    candidates: Sequence[MeasuredCandidate]
    scenario: Scenario
    duration_s: float
    min_queries: int
    seed: int
    threads: int
    clip: Path
    data: LabelledData | None = None
    meter: EnergyMeter | None = None
    no_meter: str = "no sensor"
    idle_s: float = IDLE_S
    root: Path = Path("/")


@dataclass
class _LoadedCandidate:
    """Loaded candidate with its buffers and pictures."""

    measured: CandidateMeasurements
    detector: Detector
    buffers: Buffers
    pictures: Iterator[Image]


def run_bench(
    request: BenchRequest, report_progress: ReportProgress = lambda text, fraction: None
) -> BenchReport:
    """Measure all candidates and return the report.

    Args:
        request: candidates and conditions.
        report_progress: called before each step.

    Raises:
        CameraError: the clip cannot be played.
        DataError: a picture or label cannot be used.
        EdgeagentError: labelled pictures were given and pycocotools is not installed.
    """
    threads = request.threads or default_threads()
    if request.data is not None:
        check_data(request.data, request.bundle.manifest.labels)
    pictures, named = _pictures(request.bundle)
    items = [CandidateMeasurements(candidate, threads) for candidate in request.candidates]
    checks, progress = 2 * len(items), _Progress(report_progress, request, len(items))
    for number, item in enumerate(items):
        progress.check(number, f"{item.candidate.name}: cold start")
        _run_step(item, partial(_measure_cold_start, item))
    started: list[_LoadedCandidate] = []
    try:
        for number, item in enumerate(items, len(items)):
            progress.check(number, f"{item.candidate.name}: accuracy")
            if item.failure is None:
                _run_step(item, partial(_load_and_check, item, request, pictures, started))
        thermal_start = read_thermal_state(request.root)
        progress.check(checks, "idle baseline")
        idle_w = _idle_power(request.meter, request.idle_s)
        rounds, working = ROUNDS[request.scenario], started
        for number in range(rounds):
            for place, one in enumerate(round_order(working, number)):
                name = one.measured.candidate.name
                progress.block(number * len(working) + place, rounds * len(working), name)
                _run_step(one.measured, partial(_measure_block, one, request, rounds))
            working = [one for one in working if one.measured.failure is None]
        thermal_end = read_thermal_state(request.root)
    finally:
        for one in started:
            one.detector.engine.close()
    report_progress("done", 1.0)
    edges = histogram_edges(items)
    environment = RunEnvironment(request.scenario, request.meter, request.no_meter, idle_w, edges)
    reference = _reference(items, request.scenario)
    samples = None if request.scenario in ("offline", "camera") else SAMPLES_PER_QUERY[request.scenario]
    return BenchReport(
        edgeagent=__version__,
        time=utc_time(time.time()),
        machine=describe_machine(request.root),
        bundle=identify(request.bundle),
        conditions=RunConditions(
            scenario=request.scenario,
            duration_s=request.duration_s,
            min_queries=request.min_queries,
            seed=request.seed,
            rounds=rounds,
            samples_per_query=samples,
            pictures=f"clip {request.clip.name}" if request.scenario == "camera" else named,
            score_threshold=SCORE_THRESHOLD,
            iou_threshold=IOU_THRESHOLD,
        ),
        rows=tuple(make_row(item, environment, *_ratio(item, reference, request)) for item in items),
        ratios=_all_ratios(items, request.scenario),
        idle_w=None if idle_w is None else round(idle_w, 4),
        thermal_start=thermal_start,
        thermal_end=thermal_end,
    )


def identify(bundle: Bundle) -> BundleId:
    """Return the identity of a bundle."""
    content = (bundle.directory / MANIFEST).read_bytes()
    manifest = bundle.manifest
    return BundleId(name=manifest.name, version=manifest.version, sha256=hashlib.sha256(content).hexdigest())


class _Progress:
    """Completed fraction of a run: a check counts as one second, a block as its duration."""

    def __init__(self, report_progress: ReportProgress, request: BenchRequest, candidates: int) -> None:
        self._report_progress = report_progress
        self._checks = 2.0 * candidates
        self._blocks = max(request.duration_s, 1e-3) * candidates

    def check(self, done: int, text: str) -> None:
        self._report_progress(text, done / (self._checks + self._blocks))

    def block(self, done: int, of: int, text: str) -> None:
        self._report_progress(text, (self._checks + self._blocks * done / of) / (self._checks + self._blocks))


def _run_step(item: CandidateMeasurements, step: Callable[[], object]) -> None:
    """Run a step and record an engine or bundle error as the failure of the candidate."""
    try:
        step()
    except (EngineError, BundleError) as error:
        item.failure = str(error)


def _measure_cold_start(item: CandidateMeasurements) -> None:
    item.cold = cold_start(item.candidate, item.threads)


def _load_and_check(
    item: CandidateMeasurements,
    request: BenchRequest,
    pictures: Sequence[Image],
    loaded: list[_LoadedCandidate],
) -> None:
    candidate, bundle = item.candidate, request.bundle
    detector = load_candidate(candidate, request.threads)
    try:
        item.facts, item.measure = detector.engine.facts, MEASURES[detector.description.task]
        if bundle.manifest.golden is not None and not candidate.reference:
            check = GoldenCheck(bundle, find_artefact(bundle.manifest, candidate.file))
            item.golden, item.golden_pictures = check.run(detector.engine), len(check)
        if request.data is not None:
            item.accuracy = measured_value(evaluate_model(detector, request.data))
        if candidate.reference and bundle.manifest.golden is not None:
            model = candidate.model or Path(candidate.file)
            check_output_decoding(model, detector, pictures[:PICTURES])
        detector.warm_up()
    except BaseException:
        detector.engine.close()
        raise
    order = cycle_pictures(pictures, request.seed)
    loaded.append(_LoadedCandidate(item, detector, detector.allocate(), order))


def _measure_block(loaded: _LoadedCandidate, request: BenchRequest, rounds: int) -> None:
    """Measure one block: the part of one round in the total duration and number of queries."""
    seconds, queries = request.duration_s / rounds, math.ceil(request.min_queries / rounds)
    read = request.meter.read_j if request.meter else lambda: None
    if request.scenario == "camera":
        block: Block = play_clip(loaded.detector, request.clip, seconds, queries, read)
    else:
        samples = SAMPLES_PER_QUERY[request.scenario]
        block = run_block(loaded.detector, loaded.buffers, loaded.pictures, samples, seconds, queries, read)
    loaded.measured.blocks.append(block)


def _pictures(bundle: Bundle) -> tuple[list[Image], str]:
    """Return the golden pictures, or noise of the input size for a bundle without them, and a description."""
    golden = [read_picture(path) for path in bundle.golden_pictures()]
    if golden:
        return golden, f"{len(golden)} golden pictures"
    size, generator = bundle.manifest.input, np.random.default_rng(0)
    shape = (NOISE_PICTURES, size.height, size.width, 3)
    return list(generator.integers(0, 256, shape, np.uint8)), f"{NOISE_PICTURES} pictures of noise"


def _idle_power(meter: EnergyMeter | None, seconds: float) -> float | None:
    """Return the power without inference in watts; None without a reading."""
    if meter is None:
        return None
    before, started = meter.read_j(), time.monotonic()
    time.sleep(seconds)
    used, elapsed = difference(before, meter.read_j()), time.monotonic() - started
    return None if used is None else used / elapsed


def _reference(items: Sequence[CandidateMeasurements], scenario: str) -> CandidateMeasurements | None:
    """Return the fastest float reference, or without one the first candidate without a failure."""
    references = [item for item in items if item.candidate.reference]
    working = [item for item in references or items if item.failure is None]
    if not references:
        return next(iter(working), None)
    return max(
        working,
        key=lambda item: statistics.median(block_speed(b, scenario) for b in item.blocks),
        default=None,
    )


def _ratio(
    item: CandidateMeasurements, reference: CandidateMeasurements | None, request: BenchRequest
) -> tuple[SpeedRatio | None, str]:
    if reference is None:
        return None, "the reference failed"
    if item.failure:
        return None, "it failed"
    if item is reference:
        return None, "is the reference"
    name = reference.candidate.name
    return speed_ratio(name, reference.blocks, item.blocks, request.scenario), ""


def _all_ratios(items: Sequence[CandidateMeasurements], scenario: str) -> dict[str, tuple[SpeedRatio, ...]]:
    working = [item for item in items if item.failure is None]
    return {
        item.candidate.name: tuple(
            speed_ratio(other.candidate.name, other.blocks, item.blocks, scenario)
            for other in working
            if other is not item
        )
        for item in working
    }
