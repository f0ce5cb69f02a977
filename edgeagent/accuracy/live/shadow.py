"""Shadow run: a second model on every k-th frame, compared with the model that serves.

A frame is copied only when the shadow is idle; otherwise it is dropped, so that the model that serves never
waits. The worker of the shadow has a low priority. A failure ends the shadow run and nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from edgeagent.accuracy.agreement import Agreement, agreement, in_labels_of
from edgeagent.detection.detector import Detector
from edgeagent.detection.frame_result import Result
from edgeagent.errors import EdgeagentError
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)

NICER = 10
STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class ComparedFrame:
    """Frame that both models have seen.

    Attributes:
        camera: its name.
        utc_s: time of the frame, seconds since 1970.
        image: (h, w, 3) uint8, BGR, valid during the call.
        found: detections of the model that serves, in pixels.
        labels: of the model that serves.
        model: name and version of the model that serves.
    """

    camera: str
    utc_s: float
    image: Image
    found: Detections
    labels: tuple[str, ...]
    model: str


OnCompared = Callable[[ComparedFrame, Agreement], None]
"""Called with a frame, and the agreement of both models on it."""


class Shadow:
    """One shadow run.

    Args:
        load: returns the second model in a worker of low priority; called in the thread of this object. See
            :meth:`edgeagent.detection.ranking.RankedCandidates.start`.
        settings: thresholds of the detections.
        every: every how many-th of the offered frames is compared.
        compared: called with the agreement of the models on a frame.
        ended: called with the reason when the shadow run ends by itself.
        seen: called with each compared frame.

    Attributes:
        dropped: frames that were to be compared while the shadow was busy.
    """

    def __init__(
        self,
        load: Callable[[], Detector],
        settings: ModelSettings,
        every: int,
        compared: Callable[[Agreement], None],
        ended: Callable[[str], None],
        seen: OnCompared = lambda frame, agreed: None,
    ) -> None:
        self._load, self._settings, self._every = load, settings, every
        self._compared, self._ended, self._seen = compared, ended, seen
        self._frames: SimpleQueue[ComparedFrame | None] = SimpleQueue()
        self._free = False
        self._offered, self.dropped = 0, 0
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "shadow")

    def start(self) -> None:
        """Start loading the model; frames are dropped until it is loaded."""
        self._thread.start()

    def offer(self, result: Result) -> None:
        """Copy and compare this frame if it is the every-th one and the shadow is idle."""
        self._offered += 1
        if self._offered % self._every:
            return
        if not self._free:
            self.dropped += 1
            return
        self._free = False
        frame, about = result.frame, result.detector.description
        model = f"{about.name} {about.version}"
        image = frame.image.copy()
        found = result.detections
        self._frames.put(ComparedFrame(result.camera, frame.captured_utc, image, found, result.labels, model))

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End the shadow run."""
        self._free = False
        self._stopping.set()
        self._frames.put(None)
        self._thread.join(timeout_s)

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
                shadow = detector.detect(frame.image, buffers, self._settings.score_threshold)
                shadow = in_labels_of(shadow, detector.description.labels, frame.labels)
                agreed = agreement(frame.found, shadow)
                self._compared(agreed)
                self._seen(frame, agreed)
                self._free = True
        except EdgeagentError as error:
            self._give_up(error)
        finally:
            detector.engine.close()

    def _give_up(self, error: EdgeagentError) -> None:
        logger.warning("the shadow run ends: %s", error)
        self._free = False
        self._ended(str(error))
