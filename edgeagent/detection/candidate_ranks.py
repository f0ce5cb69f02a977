"""Ranks of the candidates of a bundle while one serves: which are better, and which are started next."""

from __future__ import annotations

from edgeagent.detection.candidate_state import CandidateState, restart_order, start_order
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.ranking import RankedCandidates
from edgeagent.detection.records import TrialVerdict
from edgeagent.timing.backoff import Backoff


class CandidateRanks:
    """Candidates of one bundle, the first choice first, untried ones last.

    Args:
        candidates: ranked.
        retry_first_s, retry_longest_s: shortest and longest pause before a candidate that failed is retried.

    Attributes:
        states: of the candidates.
        problems: what was wrong with those that are not right.
    """

    def __init__(self, candidates: RankedCandidates, retry_first_s: float, retry_longest_s: float) -> None:
        self._retry_s = retry_first_s, retry_longest_s
        self.states: list[CandidateState] = []
        self.problems: list[str] = []
        self.take_up(candidates, None)

    def take_up(self, ranking: RankedCandidates, serving: CandidateState | None) -> None:
        """Rank the candidates anew; what is known of each one stays.

        Args:
            ranking: of all candidates.
            serving: that serves; it stays even if the ranking leaves it out, as the last one.
        """
        known = {one.candidate.name: one for one in self.states}
        states = [self._state(known, one, verdict) for one, verdict in ranking.ranked]
        states += [self._state(known, one) for one in ranking.untried]
        if serving is not None and not any(one is serving for one in states):
            states.append(serving)
        self.states = states
        self.problems = [verdict.reason for _, verdict in ranking.ranked if not verdict.right]

    def better(self, serving: CandidateState | None) -> list[CandidateState]:
        """Return the candidates that rank before the one that serves; all where none does."""
        place = next((number for number, one in enumerate(self.states) if one is serving), None)
        if place is None:
            return self.states
        return [one for one in self.states[:place] if one.judged]

    def is_best(self, serving: CandidateState | None) -> bool:
        """Return whether no better candidate than what serves is known to fail."""
        return serving is not None and not any(one.failures for one in self.better(serving))

    def is_first(self, serving: CandidateState) -> bool:
        """Return whether what serves is the first choice."""
        return self.states[0] is serving

    def start_order(self) -> list[CandidateState]:
        """Return the candidates to be started while none has served yet, in order."""
        return start_order(self.states)

    def restart_order(self, failed: CandidateState | None, crashed: bool) -> list[CandidateState]:
        """Return the candidates to be started after one has failed, in order."""
        return restart_order(self.states, failed, crashed)

    def next_retry(self, serving: CandidateState | None) -> float:
        """Return the monotonic time at which a better candidate is due; infinite where there is none."""
        return min((one.retry_at for one in self.better(serving)), default=float("inf"))

    def _state(
        self,
        known: dict[str, CandidateState],
        candidate: Candidate,
        verdict: TrialVerdict | None = None,
    ) -> CandidateState:
        first_s, longest_s = self._retry_s
        state = known.get(candidate.name) or CandidateState(
            candidate, Backoff(first_s, longest_s, jitter=0.0), longest_s, judged=False
        )
        return state if verdict is None else state.judge(verdict)
