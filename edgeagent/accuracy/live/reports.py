"""Sections of the ``accuracy`` message, built from measurements."""

from __future__ import annotations

from collections.abc import Mapping

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.agreement_window import RecentAgreement
from edgeagent.accuracy.drift import Drift, ReferenceComparison
from edgeagent.accuracy.feedback import Tally
from edgeagent.accuracy.proportion import wilson_interval
from edgeagent.telemetry.contract.accuracy import (
    AgreementReport,
    DriftComparison,
    DriftReport,
    FeedbackReport,
    LabelReport,
    Proportion,
    Quantity,
    RecentAgreementReport,
)

LEAST_OF_LABEL = 30
"""Least number of judgements for a precision or recall of one label."""


def agreement_report(
    agreed: Agreement, recent: RecentAgreement, dropped: int, reference: str | None, reason: str | None
) -> AgreementReport:
    """Return the section of agreement.

    Args:
        agreed: counts so far.
        recent: counts of the last frames with boxes.
        dropped: number of frames that were not compared, as the reference model was busy.
        reference: name of the reference model; None before it is loaded.
        reason: why no frame is compared, or none any more; None while frames are compared.
    """
    return AgreementReport(
        reference=reference,
        frames=agreed.pictures,
        frames_dropped=dropped,
        boxes=agreed.boxes,
        matched=agreed.matched,
        matched_share=_rounded(agreed.share),
        mean_score_difference=_rounded(agreed.mean_score_difference),
        recent=_recent_report(recent),
        reason=reason,
    )


def low_agreement_text(recent: RecentAgreement, reference: str | None) -> str:
    """Return a description of a low agreement, with advice."""
    found, (low, high) = recent.agreement, recent.interval or (0.0, 1.0)
    return (
        f"of the boxes of the last {found.pictures} compared frames only {found.share or 0.0:.0%} "
        f"({low:.0%} to {high:.0%}) are found by both the serving model and "
        f"{reference or 'the reference model'}. Check the model, its delegate and the cameras; either model "
        "may be wrong"
    )


def _recent_report(recent: RecentAgreement) -> RecentAgreementReport | None:
    found, share = recent.agreement, recent.agreement.share
    if share is None or recent.interval is None:
        return None
    low, high = recent.interval
    return RecentAgreementReport(
        frames=found.pictures,
        boxes=found.boxes,
        matched=found.matched,
        matched_share=round(share, 4),
        low=round(low, 4),
        high=round(high, 4),
        alarm=recent.low,
    )


def drift_report(drift: Drift) -> DriftReport:
    """Return the section of one camera's drift."""
    return DriftReport(
        state=drift.state,
        reference_frames=drift.reference_frames,
        window_frames=drift.window_frames,
        quantities={name: _comparison(found) for name, found in drift.comparisons.items()},
    )


def feedback_report(tally: Tally, since: str, refused: int, ignored: int) -> FeedbackReport:
    """Return the section of feedback.

    Args:
        tally: counts so far.
        since: UTC at which counting began, ISO 8601.
        refused: number of invalid messages.
        ignored: number of messages that were discarded unread.
    """
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
    """Return a description of the drift of a camera, with advice."""
    comparisons: Mapping[Quantity, ReferenceComparison] = drift.comparisons
    parts = [_drifted_text(name, comparisons.get(name)) for name in drift.drifted]
    return (
        f"the scene of {camera} differs from that of its first days: {', '.join(parts)}. Check whether the "
        "camera was moved, its lens is dirty, the model finds nothing any more, or the scene is meant to "
        "change. This is no measure of accuracy"
    )


def _drifted_text(name: Quantity, comparison: ReferenceComparison | None) -> str:
    if comparison is None:
        return name
    if comparison.vanished:
        return f"{name} (no values any more, as hardly anything is detected)"
    return f"{name} (stability index {comparison.stability_index:.2f})"


def _comparison(found: ReferenceComparison) -> DriftComparison:
    return DriftComparison(
        stability_index=round(found.stability_index, 4),
        p_value=float(f"{found.p_value:.3g}"),
        reference_frames=found.reference_frames,
        window_frames=found.window_frames,
        drifted=found.drifted,
        vanished=True if found.vanished else None,
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
