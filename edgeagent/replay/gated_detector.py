"""Detector of a replay with the motion gate and the regions of its camera, as in the daemon."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeagent.api.detector import DetectorSession, PendingDetections
from edgeagent.detection.frame_parts import Crop, FrameParts, merge_parts
from edgeagent.events.building import build_gates
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.regions import camera_regions
from edgeagent.vision.detections import Detections


class PendingFrame:
    """Detections of a frame that was submitted: the whole frame is on its way, its regions follow.

    Args:
        whole: detections in the whole frame that are being made; None where nothing moved.
        crops: the parts of the frame, the whole one first.
        detect: detects on a region.
    """

    def __init__(
        self, whole: PendingDetections | None, crops: Sequence[Crop], detect: Callable[[Crop], Detections]
    ) -> None:
        self._whole, self._crops, self._detect = whole, crops, detect

    def result(self) -> Detections | None:
        """Wait for the detections, in pixels of the frame; None where nothing moved.

        Raises:
            EngineError: no delegate works.
        """
        if self._whole is None:
            return None
        whole, *regions = self._crops
        found = [self._whole.result(), *(crop.to_frame(self._detect(crop), whole) for crop in regions)]
        return merge_parts(found, self._crops)


class GatedDetector:
    """Detector for the frames of one camera.

    Args:
        camera: its settings.
    """

    def __init__(self, camera: CameraSettings) -> None:
        self._gate = build_gates([camera]).get(camera.name)
        self._parts = FrameParts(camera_regions(camera))
        self._detector: DetectorSession | None = None

    def open(self, detector: DetectorSession) -> None:
        """Set the detector."""
        self._detector = detector

    def recheck(self, after_s: float | None) -> None:
        """Set when the tracks need the next detection; see the motion gate."""
        if self._gate is not None:
            self._gate.recheck_s = after_s

    def submit(self, image: Image, seconds: float) -> PendingFrame:
        """Begin to detect on a frame, if its gate is open.

        Raises:
            EngineError: no delegate works.
        """
        detector = self._detector
        if detector is None:
            raise ValueError("the detector is not open")
        crops = self._parts.crops(image)
        moves = self._gate is None or self._gate.look(image, seconds) is not None
        whole = detector.submit(image) if moves else None
        return PendingFrame(whole, crops, lambda crop: detector(crop.view(image)))
