"""One run of the bench.

::

    each candidate in a fresh process (load, first inference, memory) -> load all here -> golden pictures
        -> mAP -> warm up -> idle baseline -> rounds of blocks in turns -> rows, ratios

A candidate that fails, at any step, keeps its reason and takes no further part.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate
from edgeagent.bench.camera_play import play_clip
from edgeagent.bench.cold_start import cold_start
from edgeagent.bench.interleaving import speed_ratio, turn
from edgeagent.bench.load_generator import (
    SAMPLES_PER_QUERY,
    SCORE_THRESHOLD,
    Block,
    cycle_pictures,
    difference,
    run_block,
)
from edgeagent.bench.measured_candidates import MeasuredCandidate, load_candidate
from edgeagent.bench.results import (
    BenchReport,
    BundleId,
    Machine,
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
from edgeagent.bench.thermal import read_thermal_state
from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.engine import Buffers
from edgeagent.engines.loading import default_threads, find_artefact
from edgeagent.errors import BundleError, EngineError
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.sensors.board import read_board
from edgeagent.sensors.energy import EnergyMeter
from edgeagent.timing.utc import utc_time
from edgeagent.version import __version__

ROUNDS: dict[str, int] = {"single-stream": 20, "multi-stream": 20, "offline": 20, "camera": 5}
IDLE_S = 2.0
NOISE_PICTURES = 8

Tell = Callable[[str, float], None]
"""Called with what is done next and the share of the work that is done, 0..1."""


@dataclass(frozen=True)
class BenchRequest:
    """What to measure, and how.

    Attributes:
        bundle: opened.
        candidates: the rows; a reference among them is what ratios refer to, else the first that works.
        scenario: see the command's help.
        duration_s: least time of queries for each row.
        min_queries: fewest queries for each row.
        seed: of the order of the pictures.
        threads: of the engines; 0 leaves one processor free.
        clip: of the camera scenario.
        data: labelled pictures for mAP.
        meter: of energy.
        no_meter: why there is none.
        idle_s: seconds of the idle baseline.
        root: of /sys and /proc.
    """

    bundle: Bundle
    candidates: Sequence[MeasuredCandidate]
    scenario: Scenario
    duration_s: float
    min_queries: int
    seed: int
    threads: int
    clip: Path
    data: LabelledPictures | None = None
    meter: EnergyMeter | None = None
    no_meter: str = "no sensor"
    idle_s: float = IDLE_S
    root: Path = Path("/")


@dataclass
class _Subject:
    """A candidate that is loaded, with what it needs to run."""

    measured: CandidateMeasurements
    detector: Detector
    buffers: Buffers
    pictures: Iterator[Image]


def run_bench(request: BenchRequest, tell: Tell = lambda text, share: None) -> BenchReport:
    """Measure all candidates.

    Raises:
        CameraError: the clip cannot be played.
        DataError: a picture or label cannot be used.
        EdgeagentError: labelled pictures were given and pycocotools is not installed.
    """
    threads = request.threads or default_threads()
    pictures, named = _pictures(request.bundle)
    items = [CandidateMeasurements(candidate, threads) for candidate in request.candidates]
    checks, progress = 2 * len(items), _Progress(tell, request, len(items))
    for number, item in enumerate(items):
        progress.check(number, f"{item.candidate.name}: loads in a fresh process")
        _try(item, partial(_start, item))
    subjects: list[_Subject] = []
    try:
        for number, item in enumerate(items, len(items)):
            progress.check(number, f"{item.candidate.name}: accuracy")
            if item.failure is None:
                _try(item, partial(_prepare, item, request, pictures, subjects))
        thermal_start = read_thermal_state(request.root)
        progress.check(checks, "idle baseline")
        idle_w = _idle_power(request.meter, request.idle_s)
        rounds, working = ROUNDS[request.scenario], subjects
        for number in range(rounds):
            for place, subject in enumerate(turn(working, number)):
                name = subject.measured.candidate.name
                progress.block(number * len(working) + place, rounds * len(working), name)
                _try(subject.measured, partial(_measure, subject, request, rounds))
            working = [subject for subject in working if subject.measured.failure is None]
        thermal_end = read_thermal_state(request.root)
    finally:
        for subject in subjects:
            subject.detector.engine.close()
    tell("done", 1.0)
    edges = histogram_edges(items)
    around = RunEnvironment(request.scenario, request.meter, request.no_meter, idle_w, edges)
    reference = _reference(items)
    samples = None if request.scenario in ("offline", "camera") else SAMPLES_PER_QUERY[request.scenario]
    return BenchReport(
        edgeagent=__version__,
        time=utc_time(time.time()),
        machine=_machine(request.root),
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
        rows=tuple(make_row(item, around, *_ratio(item, reference, request)) for item in items),
        ratios=_all_ratios(items, request.scenario),
        idle_w=None if idle_w is None else round(idle_w, 4),
        thermal_start=thermal_start,
        thermal_end=thermal_end,
    )


def identify(bundle: Bundle) -> BundleId:
    """Return which model a bundle holds."""
    content = (bundle.directory / MANIFEST).read_bytes()
    manifest = bundle.manifest
    return BundleId(name=manifest.name, version=manifest.version, sha256=hashlib.sha256(content).hexdigest())


class _Progress:
    """Shares of a run: a check counts like a second, a block as long as it lasts."""

    def __init__(self, tell: Tell, request: BenchRequest, candidates: int) -> None:
        self._tell = tell
        self._checks = 2.0 * candidates
        self._blocks = max(request.duration_s, 1e-3) * candidates

    def check(self, done: int, text: str) -> None:
        self._tell(text, done / (self._checks + self._blocks))

    def block(self, done: int, of: int, text: str) -> None:
        self._tell(text, (self._checks + self._blocks * done / of) / (self._checks + self._blocks))


def _try(item: CandidateMeasurements, step: Callable[[], object]) -> None:
    """Do a step; what an engine or artefact does wrong is the row's reason."""
    try:
        step()
    except (EngineError, BundleError) as error:
        item.failure = str(error)


def _start(item: CandidateMeasurements) -> None:
    item.cold = cold_start(item.candidate, item.threads)


def _prepare(
    item: CandidateMeasurements, request: BenchRequest, pictures: Sequence[Image], subjects: list[_Subject]
) -> None:
    candidate, bundle = item.candidate, request.bundle
    detector = load_candidate(candidate, request.threads)
    try:
        item.facts = detector.engine.facts
        if bundle.manifest.golden is not None and not candidate.reference:
            check = GoldenCheck(bundle, find_artefact(bundle.manifest, candidate.file))
            item.golden, item.golden_pictures = check.run(detector.engine), len(check)
        if request.data is not None:
            item.map50_95 = evaluate(detector, request.data).map50_95
        detector.warm_up()
    except BaseException:
        detector.engine.close()
        raise
    subjects.append(_Subject(item, detector, detector.allocate(), cycle_pictures(pictures, request.seed)))


def _measure(subject: _Subject, request: BenchRequest, rounds: int) -> None:
    """Add a block: an equal share of the time and of the queries."""
    seconds, queries = request.duration_s / rounds, math.ceil(request.min_queries / rounds)
    read = request.meter.read_j if request.meter else lambda: None
    if request.scenario == "camera":
        block: Block = play_clip(subject.detector, request.clip, seconds, queries, read)
    else:
        samples = SAMPLES_PER_QUERY[request.scenario]
        block = run_block(
            subject.detector, subject.buffers, subject.pictures, samples, seconds, queries, read
        )
    subject.measured.blocks.append(block)


def _pictures(bundle: Bundle) -> tuple[list[Image], str]:
    """Return the golden pictures, or noise of the input's size for a bundle without them, and their name."""
    golden = [read_picture(path) for path in bundle.golden_pictures()]
    if golden:
        return golden, f"{len(golden)} golden pictures"
    size, generator = bundle.manifest.input, np.random.default_rng(0)
    shape = (NOISE_PICTURES, size.height, size.width, 3)
    return list(generator.integers(0, 256, shape, np.uint8)), f"{NOISE_PICTURES} pictures of noise"


def _idle_power(meter: EnergyMeter | None, seconds: float) -> float | None:
    """Return watts while nothing runs; None without a reading."""
    if meter is None:
        return None
    before, started = meter.read_j(), time.monotonic()
    time.sleep(seconds)
    used, lasted = difference(before, meter.read_j()), time.monotonic() - started
    return None if used is None else used / lasted


def _reference(items: Sequence[CandidateMeasurements]) -> CandidateMeasurements | None:
    """Return the float reference, or without one the first that works."""
    for item in items:
        if item.candidate.reference:
            return None if item.failure else item
    return next((item for item in items if item.failure is None), None)


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


def _machine(root: Path) -> Machine:
    board = read_board(root)
    return Machine(
        model=board.model,
        architecture=board.architecture,
        system=board.system,
        kernel=board.kernel,
        processors=len(os.sched_getaffinity(0)),
    )
