"""The ``accuracy`` section of the configuration: accuracy measurements during operation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgeagent.settings.types import Seconds, SettingsSection


class AccuracySettings(SettingsSection):
    """Accuracy settings.

    Attributes:
        interval: minimum seconds between two ``accuracy`` messages, except when drift or a low
            agreement begins or ends.
        golden_every: seconds between two runs of the labelled golden pictures, in addition to the runs at the
            start and after every change of the serving model; None disables them.
        agreement_every: compare every k-th frame with a reference model; 0 disables the comparison.
        agreement_reference: bundle, name of an included one, or float ONNX model to compare with; None uses
            the previous good model.
        agreement_alarm: share of matched boxes on recent frames below which the agreement is an alarm; None
            never is one.
        drift: whether to compare frames with those of the reference days.
        drift_days: length of the reference in days.
        feedback: whether the device accepts ``feedback`` messages.
        feedback_frames: number of frames whose detections are stored for feedback.
    """

    interval: Seconds = 600.0
    golden_every: Seconds | None = 86400.0
    agreement_every: Annotated[int, Field(ge=0)] = 0
    agreement_reference: Path | None = None
    agreement_alarm: Annotated[float, Field(gt=0, le=0.9)] | None = 0.5
    drift: bool = True
    drift_days: Annotated[int, Field(ge=1, le=31)] = 7
    feedback: bool = False
    feedback_frames: Annotated[int, Field(ge=1, le=100_000)] = 5000
