"""Detections of raw input tensors, by whatever detector serves now."""

from __future__ import annotations

from edgeagent.detection.detector import Detector
from edgeagent.detection.serving import ServingDetector
from edgeagent.engines.engine import Buffers
from edgeagent.errors import EngineError
from edgeagent.imaging.frame import Image
from edgeagent.serve.errors import NotNowError
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import Preprocessor, to_picture


class RawDetector:
    """Runs the detector that serves on tensors of clients. Use it from one thread at a time.

    Args:
        serving: gives the detector, and replaces it when it fails.
        score_threshold: detections below it are dropped, 0..1.
    """

    def __init__(self, serving: ServingDetector, score_threshold: float) -> None:
        self._serving, self._score_threshold = serving, score_threshold
        self._owner: Detector | None = None
        self._buffers: Buffers
        self._preprocessor: Preprocessor

    def detect(self, picture: Image) -> Detections:
        """Return the detections of one picture, in its pixels.

        Args:
            picture: (height, width, 3) uint8 of the bundle's size, channels in the bundle's order.

        Raises:
            NotNowError: no engine serves, or the one that served has just failed.
        """
        self._serving.wait_turn()
        detector = self._serving.current(0)
        if detector is None:
            raise NotNowError("no engine serves at the moment; the next one is being started")
        try:
            if detector is not self._owner:
                self._take(detector)
            fit = self._preprocessor.write(picture, self._buffers.inputs[0])
            detector.engine.infer(self._buffers.inputs, self._buffers.outputs)
            found = detector.decoder.decode(self._buffers.outputs, self._score_threshold)
        except EngineError as error:
            self._serving.failed(detector, error)
            raise NotNowError(f"the engine failed: {error}") from error
        self._serving.worked(detector)
        return to_picture(found, fit)

    def _take(self, detector: Detector) -> None:
        """Use the buffers of a detector from now on."""
        self._buffers = detector.allocate()
        # channels that come in the bundle's order are not swapped; "bgr" is the order that stays as it is
        as_it_is = detector.description.input.model_copy(update={"colour": "bgr"})
        self._preprocessor = Preprocessor(as_it_is, detector.engine.inputs[0])
        self._owner = detector
