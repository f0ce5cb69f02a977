"""Types of the ``accuracy`` message: golden set, agreement, drift and feedback, each in its own section."""

from __future__ import annotations

from typing import Literal

from edgeagent.telemetry.contract.messages import Message

Quantity = Literal["score", "label", "area", "brightness", "detections"]
"""Quantities of a camera's frames that drift detection compares."""


class GoldenReport(Message):
    """Accuracy on the labelled golden pictures, measured through the serving engine, with the bundle's claim.

    The field is that of the task: ``map50_95`` of a detector, ``top1`` of a classifier, ``miou`` of a
    segmenter, ``mask_map50_95`` of a model for instances.
    """

    time: str
    serving: str
    pictures: int | None = None
    map50_95: float | None = None
    top1: float | None = None
    miou: float | None = None
    mask_map50_95: float | None = None
    claimed: float | None = None
    tolerance: float | None = None
    labelled_by: Literal["people", "float model"] | None = None
    reason: str | None = None

    @property
    def accuracy(self) -> float | None:
        """Value of the measure of the task."""
        values = (self.map50_95, self.top1, self.miou, self.mask_map50_95)
        return next((one for one in values if one is not None), None)


class RecentAgreementReport(Message):
    """Agreement on the last frames with boxes, with the 95 % interval of the share."""

    frames: int
    boxes: int
    matched: int
    matched_share: float
    low: float
    high: float
    alarm: bool


class AgreementReport(Message):
    """Agreement of the serving model with a reference model on live frames."""

    reference: str | None = None
    frames: int
    frames_dropped: int
    boxes: int
    matched: int
    matched_share: float | None = None
    mean_score_difference: float | None = None
    recent: RecentAgreementReport | None = None
    reason: str | None = None


class DriftComparison(Message):
    """Comparison of one quantity of the last day with the reference."""

    stability_index: float
    p_value: float
    reference_frames: int
    window_frames: int
    drifted: bool
    vanished: Literal[True] | None = None


class DriftReport(Message):
    """Drift of one camera's scene; no measure of accuracy."""

    state: Literal["collecting", "steady", "drifted"]
    reference_frames: int
    window_frames: int
    quantities: dict[Quantity, DriftComparison]


class Proportion(Message):
    """Proportion of judged samples, with its 95 % interval."""

    value: float
    low: float
    high: float
    hits: int
    count: int


class LabelReport(Message):
    """Precision and recall of one label."""

    precision: Proportion | None = None
    recall: Proportion | None = None


class FeedbackReport(Message):
    """Precision and recall from feedback of people or other systems."""

    since: str
    frames: int
    sources: dict[str, int]
    precision: Proportion | None = None
    recall: Proportion | None = None
    labels: dict[str, LabelReport]
    refused: int
    ignored: int


class AccuracyMessage(Message):
    """``accuracy``: accuracy indicators of the serving model; retained."""

    time: str
    boot_id: str | None = None
    run: int | None = None
    model: str
    golden: GoldenReport | None = None
    agreement: AgreementReport | None = None
    drift: dict[str, DriftReport] | None = None
    feedback: FeedbackReport | None = None
