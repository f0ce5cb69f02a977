"""The model that serves, exchanged for another while the cameras go on.

::

    next one loaded and warm -> frames go to it -> the last frame in flight is through -> old one stopped

Stages of the pipeline are queues, so with the first frame through the new detector all frames of the old one
are through as well, and nothing is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.choice import RankedCandidates
from edgeagent.detection.detector import Detector
from edgeagent.detection.serving import Change, ServingDetector
from edgeagent.errors import EngineError
from edgeagent.settings.sections.model import ModelSettings

LEAVE_S = 2.0  # that the old model waits for a frame through the new one; without frames none is in flight

OnChange = Callable[[Change], None]


class ModelExchange:
    """Gives the pipeline the detectors of the model that serves now.

    Args:
        settings: of the model.
        first: what serves first.
        on_change: told what serves from now on, also when the model is exchanged; in several threads.

    Attributes:
        serving: what serves now.

    Raises:
        EngineError: no candidate can be started.
    """

    def __init__(
        self, settings: ModelSettings, first: RankedCandidates, on_change: OnChange = lambda change: None
    ) -> None:
        self._settings, self._on_change = settings, on_change
        self._exchanging, self._stopping = threading.Lock(), False
        self._leaving: Detector | None = None
        self._through = threading.Event()
        self.serving = self._make(first)

    @property
    def bundle(self) -> Bundle:
        """The bundle that serves."""
        return self.serving.bundle

    def start(self) -> None:
        """Begin to watch."""
        self.serving.start()

    def exchange(self, choice: RankedCandidates) -> None:
        """Let another model serve; returns when the old one has stopped.

        The kernel ends a worker with the thread that made it, so call this in one that stays.

        Raises:
            EngineError: no candidate can be started; the old model serves on.
        """
        serving = self._make(choice)
        with self._exchanging:
            if self._stopping:
                serving.stop()
                return
            serving.start()
            old = self.serving
            self._through.clear()
            self._leaving = old.current(0)
            self.serving = serving
            self._on_change(serving.state())
            if self._leaving is not None:
                self._through.wait(LEAVE_S)
                self._leaving = None
            old.stop()

    def stop(self) -> None:
        """End the watch and the worker."""
        self._stopping = True
        self._through.set()
        with self._exchanging:
            self.serving.stop()

    def current(self, timeout: float) -> Detector | None:
        """Return the detector that serves; see :class:`edgeagent.detection.pipeline.Detectors`."""
        return self.serving.current(timeout)

    def worked(self, detector: Detector) -> None:
        """Learn that a frame went through."""
        if self._leaving is not None and detector is not self._leaving:
            self._through.set()
        self.serving.worked(detector)

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Learn that a frame did not go through; one of a model that has left does not matter."""
        self.serving.failed(detector, error)

    def _make(self, choice: RankedCandidates) -> ServingDetector:
        bundle, settings = choice.bundle, self._settings

        def told(change: Change) -> None:
            if self.serving.bundle is bundle:
                self._on_change(change)

        return ServingDetector(
            choice.selection, choice.ranked, settings.iou_threshold, told, settings.check_every
        )
