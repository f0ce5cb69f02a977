"""The ``accuracy`` message: what is known of how well the model does here, each part by its own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.drift import Comparison, Drift
from edgeagent.accuracy.feedback import Tally
from edgeagent.accuracy.proportion import wilson_interval
from edgeagent.accuracy.scene import Quantity
from edgeagent.telemetry.messages import Message

LEAST_OF_LABEL = 30
"""Judgements from which on a label has a precision or recall of its own."""


class GoldenReport(Message):
    """mAP on the labelled golden pictures, through the engine that serves, beside the bundle's claim."""

    time: str
    serving: str
    pictures: int | None = None
    map50_95: float | None = None
    claimed: float | None = None
    tolerance: float | None = None
    labelled_by: Literal["people", "float model"] | None = None
    reason: str | None = None


class AgreementReport(Message):
    """How far another model finds the same on live frames."""

    reference: str | None = None
    frames: int
    frames_dropped: int
    boxes: int
    matched: int
    matched_share: float | None = None
    mean_score_difference: float | None = None
    reason: str | None = None


class DriftComparison(Message):
    """One quantity of the last day against the reference."""

    stability_index: float
    p_value: float
    reference_frames: int
    window_frames: int
    drifted: bool


class DriftReport(Message):
    """Whether what one camera shows has changed; no accuracy."""

    state: Literal["collecting", "steady", "drifted"]
    reference_frames: int
    window_frames: int
    quantities: dict[Quantity, DriftComparison]


class Proportion(Message):
    """A share of judged samples, with its 95 % interval."""

    value: float
    low: float
    high: float
    hits: int
    count: int


class LabelReport(Message):
    """One label."""

    precision: Proportion | None = None
    recall: Proportion | None = None


class FeedbackReport(Message):
    """What people or other systems said of frames."""

    since: str
    frames: int
    sources: dict[str, int]
    precision: Proportion | None = None
    recall: Proportion | None = None
    labels: dict[str, LabelReport]
    refused: int
    ignored: int


class AccuracyMessage(Message):
    """``accuracy``: all that is known of the model that serves; retained."""

    time: str
    boot_id: str | None = None
    run: int | None = None
    model: str
    golden: GoldenReport | None = None
    agreement: AgreementReport | None = None
    drift: dict[str, DriftReport] | None = None
    feedback: FeedbackReport | None = None


def agreement_report(
    agreed: Agreement, dropped: int, reference: str | None, reason: str | None
) -> AgreementReport:
    """Return the section; ``reason`` says why nothing is compared (any more)."""
    return AgreementReport(
        reference=reference,
        frames=agreed.pictures,
        frames_dropped=dropped,
        boxes=agreed.boxes,
        matched=agreed.matched,
        matched_share=_rounded(agreed.share),
        mean_score_difference=_rounded(agreed.mean_score_difference),
        reason=reason,
    )


def drift_report(drift: Drift) -> DriftReport:
    """Return the section of one camera."""
    return DriftReport(
        state=drift.state,
        reference_frames=drift.reference_frames,
        window_frames=drift.window_frames,
        quantities={name: _comparison(found) for name, found in drift.comparisons.items()},
    )


def feedback_report(tally: Tally, since: str, refused: int, ignored: int) -> FeedbackReport:
    """Return the section."""
    labels = {
        label: LabelReport(
            precision=_proportion(tally.right[label], tally.found[label], LEAST_OF_LABEL),
            recall=_proportion(tally.real_found[label], tally.real[label], LEAST_OF_LABEL),
        )
        for label in sorted(tally.found.keys() | tally.real.keys())
    }
    return FeedbackReport(
        since=since,
        frames=tally.sources.total(),
        sources=dict(tally.sources),
        precision=_proportion(tally.right.total(), tally.found.total()),
        recall=_proportion(tally.real_found.total(), tally.real.total()),
        labels={label: one for label, one in labels.items() if one.precision or one.recall},
        refused=refused,
        ignored=ignored,
    )


def problem_text(camera: str, drift: Drift) -> str:
    """Return for people what is wrong with a camera that has drifted."""
    comparisons: Mapping[Quantity, Comparison] = drift.comparisons
    parts = [
        f"{name} (stability index {comparisons[name].stability_index:.2f})" if name in comparisons else name
        for name in drift.drifted
    ]
    return (
        f"{camera} shows something else than in its first days: {', '.join(parts)}. Was it moved, is its "
        "lens dirty, or is this what it is to show? Nothing is said about accuracy"
    )


def _comparison(found: Comparison) -> DriftComparison:
    return DriftComparison(
        stability_index=round(found.stability_index, 4),
        p_value=float(f"{found.p_value:.3g}"),
        reference_frames=found.reference_frames,
        window_frames=found.window_frames,
        drifted=found.drifted,
    )


def _proportion(hits: int, count: int, least: int = 1) -> Proportion | None:
    if count < least:
        return None
    low, high = wilson_interval(hits, count)
    return Proportion(
        value=round(hits / count, 4), low=round(low, 4), high=round(high, 4), hits=hits, count=count
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
