"""Which delegates may serve a bundle on this board, by the settings: found, tried, ranked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.candidates import AUTO, Candidate, find_candidates
from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.trials import VERDICTS, CandidateTrials, Verdict, fastest_first
from edgeagent.engines.delegates import CATALOGUE, external_delegate
from edgeagent.engines.loading import thread_choices
from edgeagent.errors import EdgeagentError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.state import state_folder
from edgeagent.worker.protocol import LoadRequest

logger = logging.getLogger(__name__)

LEAST_PRIORITY = 19  # niceness


@dataclass(frozen=True)
class RankedCandidates:
    """A bundle and what may serve it.

    Attributes:
        selection: starts and checks candidates.
        verdicts: on all candidates.
        ranked: candidates that may serve, the first choice first.
    """

    selection: CandidateTrials
    verdicts: tuple[Verdict, ...]
    ranked: tuple[tuple[Candidate, Verdict], ...]

    @property
    def bundle(self) -> Bundle:
        """The bundle."""
        return self.selection.bundle

    @property
    def first(self) -> Candidate | None:
        """What would serve first; None where nothing is right."""
        return next((candidate for candidate, verdict in self.ranked if verdict.right), None)


def open_journal(state: Path) -> Journal | None:
    """Return the journal of trials, or say why there is none: a full or read-only disk stops no detection."""
    try:
        return Journal(state / JOURNAL)
    except EdgeagentError as error:
        logger.error("%s; only delegates of the processor are tried", error)
        return None


def configured_candidates(manifest: Manifest, model: ModelSettings) -> list[Candidate]:
    """Return what the settings let serve, whether it is there or not.

    Raises:
        EngineError: no artefact of the bundle fits any of the delegates.
    """
    more = (external_delegate(model.library.path, model.library.options),) if model.library else ()
    return find_candidates(manifest, engine_names(model), (*more, *CATALOGUE))


def engine_names(model: ModelSettings) -> list[str]:
    """Return the names in ``model.engine``."""
    return [name.strip() for name in model.engine.split(",")]


def rank_candidates(
    bundle: Bundle, settings: Settings, journal: Journal | None, nicer: int = 0
) -> RankedCandidates:
    """Try every candidate without a kept verdict, and rank them.

    Args:
        bundle: verified.
        settings: of the agent.
        journal: of this board.
        nicer: added to the niceness of the workers.

    Raises:
        EngineError: no artefact of the bundle fits any of the delegates.
    """
    model, state = settings.model, state_folder(settings)
    threads = [model.threads] if model.threads else thread_choices()
    candidates = configured_candidates(bundle.manifest, model)
    order = _orders(bundle, model, state, nicer)
    selection = CandidateTrials(bundle, candidates, order, threads, journal, state / VERDICTS, nicer > 0)
    judged = selection.judged(_log_verdict)
    ranked = fastest_first(judged) if AUTO in engine_names(model) else judged
    return RankedCandidates(selection, tuple(verdict for _, verdict in judged), tuple(ranked))


def _orders(
    bundle: Bundle, model: ModelSettings, state: Path, nicer: int
) -> Callable[[Candidate, int], LoadRequest]:
    def order(candidate: Candidate, threads: int) -> LoadRequest:
        return LoadRequest(
            bundle.artefact_path(candidate.artefact),
            candidate.delegate,
            threads,
            state / "engines",
            model.worker.cpus,
            min(LEAST_PRIORITY, model.worker.nice + nicer),
        )

    return order


def _log_verdict(verdict: Verdict) -> None:
    speed = f", {verdict.p50_ms:g} ms, {verdict.threads} threads" if verdict.p50_ms is not None else ""
    logger.info("%s: %s%s", verdict.candidate, verdict.reason, speed)
