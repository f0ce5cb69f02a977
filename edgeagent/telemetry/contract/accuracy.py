"""The ``accuracy`` message: what is known of how well the model does here, each part by its own name."""

from __future__ import annotations

from typing import Literal

from edgeagent.telemetry.contract.messages import Message

Quantity = Literal["score", "label", "area", "brightness"]
"""What drift watches on the frames of a camera."""


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
