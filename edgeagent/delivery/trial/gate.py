"""Gate of the board: checks and limits that a model must pass, on the delegate that will serve it.

::

    fit -> golden set -> temperature -> delegates tried and ranked -> golden outputs -> accuracy
        -> 90th percentile of an inference -> memory of the worker -> temperature -> passed

Another model serves meanwhile. Delegates are tried in workers of lower priority. The latency is measured at
the priority at which the model will serve, with pauses as long as the inferences.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgeagent.accuracy.coco_map import NoAccuracyError
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.accuracy.golden_accuracy import GoldenAccuracyResult, measure_golden
from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.repository.channel import MANIFEST
from edgeagent.delivery.trial import gate_checks as checks
from edgeagent.delivery.trial.gate_report import GateFinding, GateReport, keep_report
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.detector import Detector, build_detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import (
    RankedCandidates,
    configured_candidates,
    engine_names,
    rank_candidates,
)
from edgeagent.engines.availability import availability
from edgeagent.errors import BundleError, DataError, DeliveryError, EdgeagentError, EngineError
from edgeagent.sensors.thermal import read_temperatures
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.timing.histogram import MINIMUM_COUNT, Histogram
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

NICER = 5  # niceness: a third of the processor time of the model that serves, where both are busy
BLOCKS = 3  # the fastest block counts, as the model that serves can only make others slower


class GateError(DeliveryError):
    """The model does not pass the gate of this board.

    Attributes:
        report: findings of all checks up to the failed one.
    """

    def __init__(self, message: str, report: GateReport) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class Passed:
    """A model that may serve.

    Attributes:
        candidates: its bundle and the ranked candidates that may serve it.
        report: findings of all checks.
        p90_ms: 90th percentile of one inference in milliseconds; None where it was not measured.
        accuracy: on the labelled golden pictures; None where it was not measured.
    """

    candidates: RankedCandidates
    report: GateReport
    p90_ms: float | None
    accuracy: float | None

    @property
    def bundle(self) -> Bundle:
        """Its bundle."""
        return self.candidates.bundle


class Gate:
    """Gate of one board.

    Args:
        settings: of the agent, with ``delivery``.
        journal: of trials of delegates.
        root: below which the thermal zones are.
    """

    def __init__(self, settings: Settings, journal: Journal | None, root: Path = Path("/")) -> None:
        if settings.delivery is None:
            raise ValueError("a gate needs the delivery section")
        self._settings, self._limits = settings, settings.delivery.gate
        self._journal, self._root = journal, root

    def check(self, bundle: Bundle) -> Passed:
        """Check a model in the calling thread, which takes seconds to minutes.

        Raises:
            GateError: it may not serve here; the message says why.
        """
        found: list[GateFinding] = []
        manifest, began = bundle.manifest, utc_time(time.time())

        def note(finding: GateFinding) -> None:
            found.append(finding)
            logger.info("gate: %s: %s: %s", finding.check, finding.outcome, finding.sentence)
            if finding.outcome == "failed":
                raise GateError(
                    f"{manifest.name} {manifest.version} does not pass the gate: {finding.sentence}", report()
                )

        def report() -> GateReport:
            return GateReport(name=manifest.name, version=manifest.version, time=began, findings=tuple(found))

        try:
            candidates = self._check_all(bundle, note)
        except (BundleError, DataError, EngineError) as error:
            note(GateFinding(check="run", outcome="failed", sentence=str(error)))
            raise
        finally:
            keep_report(state_folder(self._settings) / "delivery", report())
        measured = {finding.check: finding.measured for finding in found}
        return Passed(candidates, report(), measured["latency"], measured["accuracy"])

    def _check_all(self, bundle: Bundle, note: Callable[[GateFinding], None]) -> RankedCandidates:
        manifest = bundle.manifest
        note(checks.check_fit(manifest, usable_artefacts(manifest, self._settings)))
        note(checks.check_golden_set(manifest, self._limits.golden_required))
        self._temperature("before", note)
        tried = rank_candidates(bundle, self._settings, self._journal, NICER)
        note(checks.check_loads(tried.first, tried.verdicts))
        ranked = rank_candidates(bundle, self._settings, self._journal)
        candidate = ranked.first
        if candidate is None:  # a stick that was pulled out just now
            note(checks.check_loads(None, ranked.verdicts))
            return ranked
        detector = ranked.trials.start(candidate)
        try:
            if manifest.golden is not None:
                check = GoldenCheck(bundle, candidate.artefact)
                note(checks.check_golden_outputs(check.run(detector.engine)))
            note(self._accuracy(bundle, candidate, detector))
            note(self._latency(detector))
            resident = psutil.Process(detector.engine.pid).memory_info().rss
            note(checks.check_memory_use(resident, self._limits.memory))
        finally:
            detector.engine.close()
        self._temperature("after", note)
        return ranked

    def _temperature(self, when: str, note: Callable[[GateFinding], None]) -> None:
        note(checks.check_temperature(when, read_temperatures(self._root), self._limits.temperature_c))

    def _accuracy(self, bundle: Bundle, candidate: Candidate, detector: Detector) -> GateFinding:
        result: GoldenAccuracyResult | None = None
        artefact = candidate.artefact
        absent = f"the bundle claims none for {artefact.file}"
        measured = build_detector(
            bundle.manifest, detector.engine, artefact.outputs, candidate.name, IOU_THRESHOLD
        )
        try:
            result = measure_golden(bundle, artefact, measured)
        except NoAccuracyError as error:
            absent = str(error)
        return checks.check_accuracy(result, absent, self._limits.accuracy_required)

    def _latency(self, detector: Detector) -> GateFinding:
        """Time blocks of inferences until one is within the budget."""
        limit = self._limits.p90_ms
        detector.warm_up()
        buffers, best = detector.allocate(), Histogram()
        for _ in range(1 if limit is None else BLOCKS):
            times = Histogram()
            for _ in range(MINIMUM_COUNT["p90"]):
                took = detector.engine.begin(buffers.inputs, buffers.outputs).wait()
                times.record(took)
                time.sleep(took / 1e9)  # leaves the processor to the model that serves
            p90, least = times.percentiles().p90, best.percentiles().p90
            if least is None or (p90 is not None and p90 < least):
                best = times
            if limit is not None and p90 is not None and p90 <= limit:
                break
        return checks.check_latency(best.percentiles().p90, best.count, limit)


def usable_artefacts(manifest: Manifest, settings: Settings) -> dict[str, str]:
    """Return the artefacts that delegates of this board can use, with the grid of each.

    A delegate that the settings name counts even while it is not there, such as a stick that is unplugged.
    """
    try:
        candidates = configured_candidates(manifest, settings.model)
    except EdgeagentError:
        return {}
    named = engine_names(settings.model)
    return {
        one.artefact.file: one.artefact.grid
        for one in candidates
        if one.delegate.name in named or availability(one.delegate).ok
    }


def usable_files(manifest: Manifest, settings: Settings) -> list[str]:
    """Return the files of a bundle that this board needs, the manifest first.

    Raises:
        BundleError: none of the artefacts is for this board.
    """
    artefacts = usable_artefacts(manifest, settings)
    if not artefacts:
        raise BundleError(f"{manifest.name} {manifest.version}: {checks.check_fit(manifest, ()).sentence}")
    files = [MANIFEST, *artefacts]
    golden = manifest.golden
    if golden is not None:
        files += golden.pictures
        files += {golden.other_outputs.get(grid, golden.outputs) for grid in artefacts.values()}  # type: ignore[call-overload]
        files += golden.accuracy.labels.values() if golden.accuracy else ()
    return list(dict.fromkeys(files))
