"""The ``accuracy`` section of the configuration: what is found out about accuracy while a model serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgeagent.settings.types import Seconds, SettingsSection


class AccuracySettings(SettingsSection):
    """What is found out about accuracy while a model serves.

    Attributes:
        interval: between two ``accuracy`` messages at least, unless drift begins or ends.
        golden_every: between two runs of the labelled golden pictures, beside those at the start and after
            every change of what serves; None does none.
        agreement_every: also run the reference on every k-th frame and compare; 0 does not.
        agreement_reference: bundle, or float ONNX model of the one that serves; None is the good model
            before the one that serves.
        drift: whether frames are compared with those of the first days.
        drift_days: of the reference.
        feedback: whether the device takes ``feedback``.
        feedback_frames: frames whose detections are remembered for it.
    """

    interval: Seconds = 600.0
    golden_every: Seconds | None = 86400.0
    agreement_every: Annotated[int, Field(ge=0)] = 0
    agreement_reference: Path | None = None
    drift: bool = True
    drift_days: Annotated[int, Field(ge=1, le=31)] = 7
    feedback: bool = False
    feedback_frames: Annotated[int, Field(ge=1, le=100_000)] = 5000
