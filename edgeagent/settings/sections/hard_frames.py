"""The ``hard_frames`` section of the configuration: frames that are kept for labelling."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgeagent.settings.sections.frame_upload import FrameUploadSettings
from edgeagent.settings.types import Bytes, Fraction, Seconds, SettingsSection, TopicLevel

HardFrameReason = Literal["low_confidence", "disagreement", "drift", "feedback"]
"""Why a frame is kept."""


class HardFrameSettings(SettingsSection):
    """Settings of hard frames: whole pictures that teach the model most.

    Attributes:
        folder: where they are stored; None is ``hard-frames`` in the state folder.
        cameras: names of the cameras whose frames are kept; empty for all.
        reasons: for which frames are kept.
        low, high: a frame is hard where the score of a detection is at least ``low`` and less than ``high``;
            with a classifier, where the score of its class is less than ``high``, or that of the next is at
            least ``low``.
        disagreement: a frame is hard where less than this share of the boxes is found by both the serving
            model and the reference model.
        every: shortest time between two kept frames of a camera for one reason, in seconds.
        drift_every: the same for frames of a camera whose scene has drifted.
        feedback_frames: number of pictures of published detections that wait in memory for feedback.
        quality: of the JPEG, 1..100.
        keep_age: seconds after which a frame is removed.
        keep_size: most bytes of all frames together; the oldest are removed first.
        keep_free: bytes that stay free on the disk; the oldest frames are removed for that.
        upload: where frames are sent; None sends them nowhere.
    """

    folder: Path | None = None
    cameras: tuple[TopicLevel, ...] = ()
    reasons: tuple[HardFrameReason, ...] = ("low_confidence", "disagreement", "drift", "feedback")
    low: Fraction = 0.25
    high: Fraction = 0.5
    disagreement: Fraction = 0.5
    every: Annotated[Seconds, Field(ge=1)] = 60.0
    drift_every: Annotated[Seconds, Field(ge=1)] = 900.0
    feedback_frames: Annotated[int, Field(ge=0, le=1000)] = 32
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    keep_age: Seconds = 2592000.0
    keep_size: Annotated[Bytes, Field(ge=1_000_000)] = 500_000_000
    keep_free: Bytes = 200_000_000
    upload: FrameUploadSettings | None = None

    @model_validator(mode="after")
    def _a_range(self) -> HardFrameSettings:
        if self.low >= self.high:
            raise ValueError(f"low: expected less than high, which is {self.high:g} (got {self.low:g})")
        return self

    def wants(self, camera: str) -> bool:
        """Return whether frames of a camera are kept."""
        return not self.cameras or camera in self.cameras
