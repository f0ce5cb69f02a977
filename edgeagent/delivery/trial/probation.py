"""Probation of a serving model: it is compared with the last good one, and its failures are counted.

::

    frames, crashes and hangs, shadow runs -> on trial ... -> good | bad (reason)

It is good when time and frames have passed and no comparison has failed. Too many crashes and hangs, or no
delegate left, end the probation at once. A comparison that cannot be made is ``absent`` in the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeagent.accuracy.agreement import Agreement
from edgeagent.delivery.trial.behaviour import MIN_FRAMES, Behaviour, Traffic
from edgeagent.delivery.trial.gate_report import GateFinding
from edgeagent.settings.sections.delivery import ProbationSettings

Verdict = Literal["on_trial", "good", "bad"]


@dataclass(frozen=True)
class ProbationBaseline:
    """Baseline of a probation: statistics of the last good model.

    Attributes:
        behaviour: its statistics; None without any.
        absent: why there are none.
        labels: of that model.
    """

    behaviour: Behaviour | None
    absent: str = f"the last good model had fewer than {MIN_FRAMES} frames"
    labels: tuple[str, ...] = ()


class Probation:
    """Probation of one model. One thread adds frames, any thread calls the rest.

    Args:
        settings: of probation.
        baseline: to compare with.
        labels: of the model on trial.
        now: monotonic seconds.
        strikes: of earlier runs of the agent.

    Attributes:
        strikes: number of failures so far.
        frames: number of frames so far.
        traffic: statistics of the model, the next baseline when the trial ends well.
    """

    def __init__(
        self,
        settings: ProbationSettings,
        baseline: ProbationBaseline,
        labels: tuple[str, ...],
        now: float,
        strikes: int = 0,
    ) -> None:
        self._settings, self._baseline, self._labels = settings, baseline, labels
        self._began, self.strikes = now, strikes
        self.frames = 0
        self.traffic = Traffic(settings.frames)
        self._agreed = Agreement()
        self._no_shadow = "no frame was compared" if settings.shadow_every else "not asked for"
        self._end: str | None = None

    def frame(self, detections: int, score_sum: float, inference_ns: int) -> None:
        """Add a frame: number of detections, sum of their scores, nanoseconds of the inference."""
        self.frames += 1
        self.traffic.record(detections, score_sum, inference_ns)

    def strike(self, reason: str) -> None:
        """Count a failure: the model's engine crashed, hung or was given up."""
        self.strikes += 1
        if self.strikes >= self._settings.strikes:
            self._end = self._end or f"{_times(self.strikes)} its engine failed, the last time: {reason}"

    def gone(self, reason: str) -> None:
        """End the probation: no delegate serves the model any more."""
        self._end = self._end or f"nothing serves it any more: {reason}"

    def shadowed(self, agreed: Agreement) -> None:
        """Add the agreement with the last good model on further pictures."""
        self._agreed += agreed

    def shadow_ended(self, reason: str) -> None:
        """Record why there is no shadow run, or none any more."""
        self._no_shadow = reason

    def verdict(self, now: float) -> tuple[Verdict, str]:
        """Return the verdict and its reason at a monotonic time, seconds."""
        if self._end is not None:
            return "bad", self._end
        left_s = self._began + self._settings.time - now
        if left_s > 0 or self.frames < self._settings.frames:
            return (
                "on_trial",
                f"{self.frames} of {self._settings.frames} frames, {max(0.0, left_s):.0f} s left",
            )
        failed = [finding.sentence for finding in self.findings() if finding.outcome == "failed"]
        if failed:
            return "bad", "; ".join(failed)
        return "good", f"nothing speaks against it after {self.frames} frames"

    def findings(self) -> tuple[GateFinding, ...]:
        """Return the present results of all comparisons."""
        strikes, most = self.strikes, self._settings.strikes
        engine = GateFinding(
            check="strikes",
            outcome="failed" if self._end is not None else "passed",
            sentence=self._end or f"its engine failed {_times(strikes)}",
            measured=strikes,
            limit=most,
        )
        trial = self.traffic.behaviour()
        return (
            engine,
            compare_speed(trial, self._baseline, self._settings.slower),
            compare_rate(trial, self._baseline, self._labels, self._settings.rate_change),
            compare_score(trial, self._baseline, self._labels, self._settings.score_change),
            compare_shadow(self._agreed, self._no_shadow, self._settings.agreement),
        )


def compare_speed(trial: Behaviour | None, baseline: ProbationBaseline, slower: float) -> GateFinding:
    """Compare the 90th percentile of an inference; at most ``slower`` times the baseline's passes."""
    good = baseline.behaviour
    if trial is None or good is None:
        return _absent("speed", baseline)
    limit = slower * good.p90_ms
    sentence = f"90 % of the inferences take {trial.p90_ms:.1f} ms or less, {good.p90_ms:.1f} ms before"
    return _judged("speed", sentence, trial.p90_ms, limit, trial.p90_ms <= limit)


def compare_rate(
    trial: Behaviour | None, baseline: ProbationBaseline, labels: tuple[str, ...], most: float
) -> GateFinding:
    """Compare the detections per frame; a change of at most the share ``most`` passes."""
    good = baseline.behaviour
    if trial is None or good is None:
        return _absent("rate", baseline)
    if labels != baseline.labels:
        return _not_comparable("rate")
    if good.rate == 0:
        return GateFinding(
            check="rate", outcome="absent", sentence="the last good model found nothing at all"
        )
    change = abs(trial.rate - good.rate) / good.rate
    sentence = f"it finds {trial.rate:.2f} objects on a frame, {good.rate:.2f} before"
    return _judged("rate", sentence, change, most, change <= most)


def compare_score(
    trial: Behaviour | None, baseline: ProbationBaseline, labels: tuple[str, ...], most: float
) -> GateFinding:
    """Compare the mean score of the detections; a change of at most ``most`` passes."""
    good = baseline.behaviour
    if trial is None or good is None:
        return _absent("score", baseline)
    if labels != baseline.labels:
        return _not_comparable("score")
    if trial.score is None or good.score is None:
        who = "it" if trial.score is None else "the last good model"
        return GateFinding(check="score", outcome="absent", sentence=f"{who} found nothing to score")
    change = abs(trial.score - good.score)
    sentence = f"its detections score {trial.score:.2f} on average, {good.score:.2f} before"
    return _judged("score", sentence, change, most, change <= most)


def compare_shadow(agreed: Agreement, absent: str, least: float) -> GateFinding:
    """Check the agreement with the last good model on the same frames; at least the share ``least`` passes.

    Args:
        agreed: boxes of both models.
        absent: why no frame was compared.
        least: share of boxes, 0..1.
    """
    if not agreed.pictures:
        return GateFinding(check="shadow", outcome="absent", sentence=f"no shadow run: {absent}")
    share = agreed.share
    if share is None:
        sentence = f"neither model found anything on {agreed.pictures} frames"
        return GateFinding(check="shadow", outcome="absent", sentence=sentence)
    sentence = f"{share:.0%} of {agreed.boxes} boxes on {agreed.pictures} frames match the last good model's"
    return _judged("shadow", sentence, share, least, share >= least)


def _judged(check: str, sentence: str, measured: float, limit: float, right: bool) -> GateFinding:
    return GateFinding(
        check=check,
        outcome="passed" if right else "failed",
        sentence=sentence,
        measured=round(measured, 4),
        limit=round(limit, 4),
    )


def _absent(check: str, baseline: ProbationBaseline) -> GateFinding:
    reason = baseline.absent if baseline.behaviour is None else f"it had fewer than {MIN_FRAMES} frames"
    return GateFinding(check=check, outcome="absent", sentence=f"not compared: {reason}")


def _not_comparable(check: str) -> GateFinding:
    sentence = "not compared: the last good model has other labels"
    return GateFinding(check=check, outcome="absent", sentence=sentence)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
