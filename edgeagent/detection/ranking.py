"""Ranking of the delegates that may serve a bundle on this board: found, tried, checked, put in order.

::

    bundle + engine names -> candidates -> verdicts (kept, or tried now) -> RankedCandidates
                                                    (kept only)          -> RankedCandidates with untried ones

With ``auto`` the fastest right candidate comes first and the others are left out; with names the operator's
order stays, and one that failed is tried again while another serves. All who run models come in here:
:func:`rank_candidates` takes the agent's settings, :func:`rank_delegates` plain arguments, and
:func:`rank_kept` tries none: what serves is the first that is right, and the others are tried beside it
(:mod:`edgeagent.detection.background_trials`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.candidates import AUTO, Candidate, find_candidates
from edgeagent.detection.journal import Journal
from edgeagent.detection.records import VERDICTS, TrialRecords, TrialVerdict, open_records
from edgeagent.detection.starting import WorkerDetector, WorkerOptions, worker_options
from edgeagent.detection.trials import CandidateTrials
from edgeagent.engines.delegates import CATALOGUE, external_delegate, with_spinning
from edgeagent.errors import ConfigurationError, EdgeagentError, EngineError
from edgeagent.files.validation import first_mistake
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.model import LibrarySettings, ModelSettings
from edgeagent.settings.state import state_folder

logger = logging.getLogger(__name__)

ENGINE_CACHE = "engines"
"""Name of the folder of compiled engines in the state folder."""
DEFAULT_IOU_THRESHOLD = ModelSettings().iou_threshold


@dataclass(frozen=True)
class RankedCandidates:
    """A bundle and the candidates that may serve it.

    Attributes:
        trials: starts and checks the candidates.
        verdicts: on all candidates.
        ranked: candidates that may serve, the first choice first. With names of engines they include those
            that were not right, which are tried again later.
        untried: candidates without a verdict, those that load quickly and need the processor alone first.
        by_speed: whether the fastest right candidate comes first; else the order is the operator's.
    """

    trials: CandidateTrials
    verdicts: tuple[TrialVerdict, ...]
    ranked: tuple[tuple[Candidate, TrialVerdict], ...]
    untried: tuple[Candidate, ...] = ()
    by_speed: bool = False

    @property
    def bundle(self) -> Bundle:
        """The bundle."""
        return self.trials.bundle

    @property
    def first(self) -> Candidate | None:
        """The first candidate that is right; None where none is."""
        return next((candidate for candidate, verdict in self.ranked if verdict.right), None)

    def again(
        self, found: Iterable[TrialVerdict], serving: Candidate | None, steadier: float
    ) -> RankedCandidates:
        """Return the ranking with further verdicts, and keep it for the next start.

        Args:
            found: verdicts on untried candidates.
            serving: candidate that serves now.
            steadier: another candidate comes before ``serving`` only if it takes less than this share of its
                time, 0..1.
        """
        known = {verdict.candidate: replace(verdict, chosen=False) for verdict in (*self.verdicts, *found)}
        judged = [(one, known[one.name]) for one in self.trials.candidates if one.name in known]
        ranked = fastest_first(judged, serving, steadier) if self.by_speed else judged
        first = next((one.name for one, verdict in ranked if verdict.right), None)
        if first is not None:
            known[first] = replace(known[first], chosen=True)
        self.trials.keep(known.values())
        for verdict in known.values():
            self.trials.learn(verdict)
        return replace(
            self,
            verdicts=tuple(known[one.name] for one, _ in judged),
            ranked=tuple((one, known[one.name]) for one, _ in ranked),
            untried=tuple(one for one in self.untried if one.name not in known),
        )

    def start(self) -> WorkerDetector:
        """Start the first right candidate that starts, and return it as a detector in a worker.

        Nothing replaces it when it fails later; :class:`edgeagent.detection.serving.ServingDetector` does.
        The thread that calls this must live as long as the detector.

        Raises:
            EngineError: no candidate is right and starts.
        """
        problems = [verdict.reason for verdict in self.verdicts if not verdict.right]
        for candidate, verdict in self.ranked:
            if not verdict.right:
                continue
            try:
                return self.trials.start(candidate)
            except EdgeagentError as error:
                problems.append(str(error))
        manifest = self.bundle.manifest
        reasons = "; ".join(problems)
        raise EngineError(f"no delegate serves {manifest.name} {manifest.version}: {reasons}")


def configured_candidates(manifest: Manifest, model: ModelSettings) -> list[Candidate]:
    """Return the candidates that the settings allow, whether or not this board has them.

    Raises:
        EngineError: no artefact of the bundle fits any of the delegates.
    """
    library = model.library
    extra = () if library is None else (external_delegate(library.path, library.options),)
    catalogue = with_spinning(CATALOGUE) if model.spinning else CATALOGUE
    return find_candidates(manifest, engine_names(model), (*extra, *catalogue))


def engine_names(model: ModelSettings) -> list[str]:
    """Return the names in ``model.engine``."""
    return [name.strip() for name in model.engine.split(",")]


def rank_candidates(
    bundle: Bundle, settings: Settings, journal: Journal | None, nicer: int = 0
) -> RankedCandidates:
    """Rank the candidates of a bundle by the agent's settings, trying those without a kept verdict.

    Args:
        bundle: verified.
        settings: of the agent.
        journal: of this board; None where it cannot be kept.
        nicer: added to the niceness of the workers; above 0 for workers beside the one that serves.

    Raises:
        EngineError: no artefact of the bundle fits any of the delegates.
    """
    records = TrialRecords(journal, state_folder(settings) / VERDICTS)
    return _rank(bundle, settings.model, configured_workers(settings, nicer), records)


def rank_kept(bundle: Bundle, settings: Settings, journal: Journal | None) -> RankedCandidates:
    """Rank the candidates of a bundle by the agent's settings and kept verdicts; the others are untried.

    Args: see :func:`rank_candidates`.

    Raises:
        EngineError: no artefact of the bundle fits any of the delegates.
    """
    records = TrialRecords(journal, state_folder(settings) / VERDICTS)
    return _rank_kept(bundle, settings.model, configured_workers(settings), records)


def configured_workers(settings: Settings, nicer: int = 0) -> WorkerOptions:
    """Return how workers run by the agent's settings; see :func:`rank_candidates`."""
    return worker_options(settings.model, state_folder(settings) / ENGINE_CACHE, nicer)


def rank_delegates(
    bundle: Bundle,
    engine: str = AUTO,
    *,
    threads: int = 0,
    iou_threshold: float = DEFAULT_IOU_THRESHOLD,
    state: Path | None = None,
    library: LibrarySettings | None = None,
    beside: bool = False,
) -> RankedCandidates:
    """Rank the delegates for a bundle as the agent does, by plain arguments.

    Args:
        bundle: verified.
        engine: ``auto`` for the fastest right delegate; else names of delegates or engines, separated by
            commas, the first choice first.
        threads: intra-operator threads; 0 tries all processors, and all but one.
        iou_threshold: of non-maximum suppression, 0..1.
        state: folder for the journal, the kept verdicts and compiled engines; the agent's gives its verdicts.
            None keeps nothing: everything is tried each time, also a delegate that took the machine down.
        library: TFLite delegate that the catalogue does not have, called ``tflite-external`` in ``engine``.
        beside: leave candidates without a kept verdict untried, to be tried beside the one that serves.

    Raises:
        ConfigurationError: an argument is out of range, or there is no engine of that name.
        EngineError: no artefact of the bundle fits any of the delegates.
    """
    try:
        model = ModelSettings(engine=engine, threads=threads, iou_threshold=iou_threshold, library=library)
    except ValidationError as error:
        raise ConfigurationError(str(first_mistake(error))) from error
    workers = worker_options(model, None if state is None else state / ENGINE_CACHE)
    return (_rank_kept if beside else _rank)(bundle, model, workers, open_records(state))


def _rank(
    bundle: Bundle, model: ModelSettings, workers: WorkerOptions, records: TrialRecords
) -> RankedCandidates:
    trials = _trials(bundle, model, workers, records)
    verdicts = trials.verdicts(log_verdict)
    judged = list(zip(trials.candidates, verdicts, strict=True))
    by_speed = AUTO in engine_names(model)
    ranked = fastest_first(judged) if by_speed else judged
    return RankedCandidates(trials, tuple(verdicts), tuple(ranked), by_speed=by_speed)


def _rank_kept(
    bundle: Bundle, model: ModelSettings, workers: WorkerOptions, records: TrialRecords
) -> RankedCandidates:
    trials = _trials(bundle, model, workers, records)
    kept = trials.kept()
    judged = [(one, kept[one.name]) for one in trials.candidates if one.name in kept]
    by_speed = AUTO in engine_names(model)
    ranked = fastest_first(judged) if by_speed else judged
    untried = [one for one in trials.candidates if one.name not in kept]
    untried.sort(key=_quick_first if by_speed else _processor_first)
    return RankedCandidates(trials, tuple(kept.values()), tuple(ranked), tuple(untried), by_speed)


def _trials(
    bundle: Bundle, model: ModelSettings, workers: WorkerOptions, records: TrialRecords
) -> CandidateTrials:
    candidates = configured_candidates(bundle.manifest, model)
    return CandidateTrials(bundle, candidates, workers, records, model.iou_threshold)


def _processor_first(candidate: Candidate) -> tuple[bool, bool]:
    """Return the place of an untried candidate: nothing serves before the first one is found right."""
    return candidate.delegate.compiles, candidate.delegate.needs.hardware


def _quick_first(candidate: Candidate) -> tuple[bool, bool, bool]:
    """Return its place where the order is not the operator's: asking for providers imports ONNX Runtime."""
    return *_processor_first(candidate), candidate.delegate.needs.provider is not None


def fastest_first(
    judged: Sequence[tuple[Candidate, TrialVerdict]], stays: Candidate | None = None, steadier: float = 1.0
) -> list[tuple[Candidate, TrialVerdict]]:
    """Return the right ones, ordered by their median latency.

    Args:
        judged: candidates with their verdicts.
        stays: comes first unless another one takes less than ``steadier`` of its time; None is the first
            choice of the last ranking, where there was one, which stays.
        steadier: share, 0..1.
    """
    right = [(candidate, verdict) for candidate, verdict in judged if verdict.right]
    ordered = sorted(right, key=lambda pair: pair[1].p50_ms or float("inf"))
    for pair in ordered:
        kept = pair[1].chosen if stays is None else pair[0] == stays
        if kept and (stays is None or _takes(ordered[0]) >= steadier * _takes(pair)):
            return [pair, *(one for one in ordered if one is not pair)]
    return ordered


def _takes(pair: tuple[Candidate, TrialVerdict]) -> float:
    return pair[1].p50_ms or float("inf")


def log_verdict(verdict: TrialVerdict) -> None:
    """Log a verdict in one line."""
    speed = f", {verdict.p50_ms:g} ms, threads: {verdict.threads}" if verdict.p50_ms is not None else ""
    logger.info("%s: %s%s", verdict.candidate, verdict.reason, speed)
