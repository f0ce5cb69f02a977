"""A model beside the one that serves, on every k-th frame and never in its way.

A frame is copied only when the shadow is free; it drops frames rather than have one wait. Its worker has a
low priority. What goes wrong with it ends the shadow run and nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from edgeagent.accuracy.agreement import Agreement, agreement, in_labels_of
from edgeagent.detection.choice import RankedCandidates
from edgeagent.detection.detector import Detector, build_detector
from edgeagent.detection.pipeline import Result
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)

NICER = 10
STOP_S = 1.0
_Frame = tuple[Image, Detections, tuple[str, ...]]


class Shadow:
    """One shadow run.

    Args:
        load: returns the model, in a worker; called in the thread of this object. See :func:`load_beside`.
        settings: thresholds of the detections.
        every: of the frames that are offered, each how many-th is compared.
        compared: told how far the models agree on a frame.
        ended: told why there is no shadow run any more, when it ends by itself.
    """

    def __init__(
        self,
        load: Callable[[], Detector],
        settings: ModelSettings,
        every: int,
        compared: Callable[[Agreement], None],
        ended: Callable[[str], None],
    ) -> None:
        self._load, self._settings, self._every = load, settings, every
        self._compared, self._ended = compared, ended
        self._frames: SimpleQueue[_Frame | None] = SimpleQueue()
        self._free = False
        self._offered, self.dropped = 0, 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin to load the model; frames are dropped until it is there."""
        self._thread.start()

    def offer(self, result: Result) -> None:
        """Compare this frame if it is its turn and the shadow is free; the frame is copied then."""
        self._offered += 1
        if self._offered % self._every:
            return
        if not self._free:
            self.dropped += 1
            return
        self._free = False
        self._frames.put((result.frame.image.copy(), result.detections, result.labels))

    def stop(self) -> None:
        """End it."""
        self._free = False
        self._stopping.set()
        self._frames.put(None)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            detector = self._load()
        except EdgeagentError as error:
            self._give_up(error)
            return
        try:
            buffers = detector.allocate()
            self._free = True
            while (frame := self._frames.get()) is not None and not self._stopping.is_set():
                image, found, labels = frame
                shadow = detector.detect(image, buffers, self._settings.score_threshold)
                shadow = in_labels_of(shadow, detector.description.labels, labels)
                self._compared(agreement(found, shadow))
                self._free = True
        except EdgeagentError as error:
            self._give_up(error)
        finally:
            detector.engine.close()

    def _give_up(self, error: EdgeagentError) -> None:
        logger.warning("the shadow run ends: %s", error)
        self._free = False
        self._ended(str(error))


def load_beside(choice: RankedCandidates, settings: ModelSettings) -> Detector:
    """Load the first choice for a bundle, in a worker that the calling thread keeps alive.

    Raises:
        EngineError: none of its delegates serves it.
        BundleError: its tensors are not those of the bundle.
    """
    candidate = choice.first
    if candidate is None:
        manifest = choice.bundle.manifest
        raise EngineError(f"no delegate serves {manifest.name} {manifest.version} beside another model")
    engine = choice.selection.start(candidate)
    try:
        outputs, threshold = candidate.artefact.outputs, settings.iou_threshold
        return build_detector(choice.bundle.manifest, engine, outputs, candidate.name, threshold)
    except BaseException:
        engine.close()
        raise
