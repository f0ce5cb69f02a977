"""Exchange of the bundle that serves for another while frames go on.

::

    serving --exchange()--> starting the next --it starts--> exchanging --> serving (the next)
       |                           |
       |                           +--no candidate starts: EngineError--> serving (as before)
       +--stop()--> stopped

    exchanging: new frames go to the next model; the old one is stopped when the first frame has come through
    the next one, or after LAST_FRAME_S seconds without a frame

Stages of the pipeline are queues, so all frames of the old model are through before the first one of the
next, and no frame is lost. While it exchanges, two bundles are loaded, each with a
:class:`edgeagent.detection.serving.ServingDetector` of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.detector import Detector
from edgeagent.detection.ranking import RankedCandidates
from edgeagent.detection.serving import STOP_S, ServingDetector
from edgeagent.detection.serving_state import Change, ServingIntervals
from edgeagent.errors import EngineError
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.timing.deadline import Deadline

LAST_FRAME_S = 2.0  # longest wait for a frame through the next model; without frames none is in flight

OnServingChange = Callable[[Change], None]


class ModelExchange:
    """Gives the pipeline the detector of the bundle that serves now; see the module for the states.

    Args:
        settings: of the model; ``check_every`` is used.
        first: bundle that serves first, with its candidates.
        on_change: called with every change of what serves, also after an exchange; from several threads.

    Attributes:
        serving: what serves now.

    Raises:
        EngineError: no candidate starts.
    """

    def __init__(
        self,
        settings: ModelSettings,
        first: RankedCandidates,
        on_change: OnServingChange = lambda change: None,
    ) -> None:
        self._intervals, self._on_change = ServingIntervals(check_every_s=settings.check_every), on_change
        self._exchanging, self._stopping = threading.Lock(), False
        self._old: Detector | None = None
        self._next_worked = threading.Event()
        self.serving = self._make(first)

    @property
    def bundle(self) -> Bundle:
        """The bundle that serves."""
        return self.serving.bundle

    def start(self) -> None:
        """Start the supervision of what serves."""
        self.serving.start()

    def exchange(self, candidates: RankedCandidates) -> None:
        """Let another bundle serve; returns when the old one has stopped.

        Call it in a thread that lives as long as the model: the kernel kills a worker with the thread that
        started it.

        Raises:
            EngineError: no candidate starts; the old bundle goes on serving.
        """
        serving = self._make(candidates)
        with self._exchanging:
            if self._stopping:
                serving.stop()
                return
            serving.start()
            old = self.serving
            self._next_worked.clear()
            self._old = old.current(0)
            self.serving = serving
            self._on_change(serving.state())
            if self._old is not None:
                self._next_worked.wait(LAST_FRAME_S)
                self._old = None
            old.stop()

    def stop_trials(self, timeout_s: float = STOP_S) -> None:
        """Give up trials beside what serves, waiting ``timeout_s`` at most."""
        self.serving.stop_trials(timeout_s)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End the supervision and the worker, waiting ``timeout_s`` at most."""
        deadline = Deadline(timeout_s)
        self._stopping = True
        self._next_worked.set()
        with self._exchanging:
            self.serving.stop(deadline.left_s)

    def current(self, timeout: float) -> Detector | None:
        """Return the detector that serves; see :class:`edgeagent.detection.detectors.Detectors`."""
        return self.serving.current(timeout)

    def wait_turn(self) -> None:
        """Return once a frame may begin."""
        self.serving.wait_turn()

    def worked(self, detector: Detector) -> None:
        """Record that a frame went through a detector."""
        if self._old is not None and detector is not self._old:
            self._next_worked.set()
        self.serving.worked(detector)

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Record that a frame failed; one of a bundle that was exchanged is ignored."""
        self.serving.failed(detector, error)

    def _make(self, candidates: RankedCandidates) -> ServingDetector:
        bundle = candidates.bundle

        def report(change: Change) -> None:
            if self.serving.bundle is bundle:
                self._on_change(change)

        return ServingDetector(candidates, report, self._intervals)
