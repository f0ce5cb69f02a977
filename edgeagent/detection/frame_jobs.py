"""Frames on their way through the pipeline: buffers, jobs, and the results of the parts of a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edgeagent.camera.capture import Camera
from edgeagent.detection.detector import Detector
from edgeagent.detection.frame_parts import Crop
from edgeagent.engines.engine import Buffers
from edgeagent.errors import EngineError
from edgeagent.imaging.frame import Frame
from edgeagent.imaging.letterbox import Fit
from edgeagent.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class BufferSet:
    """Buffers of one frame, and the detector that they belong to."""

    detector: Detector
    buffers: Buffers


@dataclass(frozen=True, slots=True)
class FrameJob:
    """A part of a frame on its way; a gated frame has no parts, and one job.

    Attributes:
        set: its buffers.
        camera: that the frame comes from.
        frame: taken from the slot of the camera.
        crops: all parts of the frame.
        part: number of this part among them.
        fit: its placement in the input; None for a gated frame.
        prepared_ns: monotonic time at which preprocessing was done.
    """

    set: BufferSet
    camera: Camera
    frame: Frame
    crops: tuple[Crop, ...] = ()
    part: int = 0
    fit: Fit | None = None
    prepared_ns: int = 0

    @property
    def last(self) -> bool:
        """Whether it is the last part of its frame."""
        return self.part + 1 >= len(self.crops)


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that could not begin.

    The error itself would keep, by its traceback, the buffers of the frame that it was raised again for.

    Attributes:
        kind: type of the error.
        text: of the error.
    """

    kind: type[EngineError]
    text: str

    def wait(self) -> int:
        """Raise the error."""
        raise self.kind(self.text)


@dataclass(slots=True)
class FrameResults:
    """What is known of the frame whose parts are being finished.

    Attributes:
        found: detections of its parts, in pixels of the frame.
        inference_ns: nanoseconds that the engine worked.
        finished: monotonic time at which its last part was done.
        failed: whether the engine failed on a part.
    """

    found: list[Detections] = field(default_factory=list)
    inference_ns: int = 0
    finished: int = 0
    failed: bool = False


def owned_buffers(free: BufferSet | Literal["new"], detector: Detector) -> BufferSet:
    """Return a set of buffers of a detector: the free one, or a new one where that is of another."""
    if free != "new" and free.detector is detector:
        return free
    return BufferSet(detector, detector.allocate())
