"""The detection pipeline: prepare, infer and finish overlap, each in a thread of its own.

::

    camera slots -> prepare (letterbox into an input buffer) -> infer -> finish (decode, deliver)

Inference is begun by one thread and waited for by the one that decodes, so that an engine in another process
has its next frame before it has answered. A few jobs, each with its buffers, go round; nothing is allocated
for a frame. The newest frame of each camera is taken when a job is free, cameras in fair turns, so that none
starves. OpenCV, the engine and numpy release the interpreter lock while they work, so the threads really
overlap.

The detector may change at any time (:mod:`edgeagent.detection.serving`): a job keeps to the one that
its buffers belong to. A frame that an engine fails on is left out, and the newest one is taken instead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal, Protocol

from edgeagent.camera.capture import Camera
from edgeagent.camera.fair_share import FairShare
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers, Call
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.imaging.frame import Frame
from edgeagent.imaging.letterbox import Fit
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import to_picture

logger = logging.getLogger(__name__)

JOBS = 4  # one in each stage, and one that waits where the engine is, so that it never does
WAIT_S = 0.2  # for a detector, before looking whether to stop
Stage = str
STAGES: tuple[Stage, ...] = ("age", "preprocess", "queue", "inference", "decode", "publish", "end_to_end")
"""``queue`` is all waiting behind ``preprocess``, for the engine and for the decoder: the stages add up."""


@dataclass(frozen=True, slots=True)
class Result:
    """Detections of one frame, in its pixels. The frame is valid during the call that delivers it.

    Attributes:
        camera: its name.
        frame: what was detected on.
        detections: what was found.
        detector: that found it; its description has the labels.
        inference_ns: nanoseconds that its engine worked.
    """

    camera: str
    frame: Frame
    detections: Detections
    detector: Detector
    inference_ns: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.detector.description.labels


Deliver = Callable[[Result], None]
Record = Callable[[str, Stage, int], None]


class Detectors(Protocol):
    """Where a pipeline gets its detector."""

    def current(self, timeout: float) -> Detector | None:
        """Return the detector that serves, waiting ``timeout`` seconds for one; None if there is none."""

    def worked(self, detector: Detector) -> None:
        """Learn that a frame went through."""

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Learn that a frame did not go through; what is raised here ends the pipeline."""


class OneDetector:
    """A detector that is never exchanged: its failure is the end."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def current(self, timeout: float) -> Detector:
        """Return it."""
        return self._detector

    def worked(self, detector: Detector) -> None:
        """Nothing needs to be done."""

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Raise the error."""
        raise error


@dataclass(frozen=True, slots=True)
class _Set:
    """Buffers, and the detector that they belong to."""

    detector: Detector
    buffers: Buffers


@dataclass(frozen=True, slots=True)
class _Job:
    """A frame on its way; ``prepared_ns`` is when it lay in the input buffer."""

    set: _Set
    camera: Camera
    frame: Frame
    fit: Fit
    prepared_ns: int


class Pipeline:
    """Runs a detector over cameras.

    Args:
        detectors: gives the one that serves, loaded and warmed up.
        score_threshold: detections below it are dropped.
        deliver: called with each result, in the finish thread.
        record: called with (camera, stage, nanoseconds), from all threads.
        on_end: called once, when all cameras have ended or a stage has failed, in the finish thread.

    Attributes:
        failure: what ended the pipeline, if it was not the end of all cameras.
        failed: frames that an engine failed on, by camera.
    """

    def __init__(
        self,
        detectors: Detectors,
        score_threshold: float,
        deliver: Deliver,
        record: Record,
        on_end: Callable[[], None],
    ) -> None:
        self._detectors, self._score_threshold = detectors, score_threshold
        self._deliver, self._record, self._on_end = deliver, record, on_end
        self._cameras: Sequence[Camera] = ()
        self._shares = FairShare(())
        self._interval_s, self._next_s = 0.0, 0.0
        self._frame_waits = threading.Event()
        self._stopping = threading.Event()
        self._free: SimpleQueue[_Set | Literal["new"] | None] = SimpleQueue()
        self._prepared: SimpleQueue[_Job | None] = SimpleQueue()
        self._begun: SimpleQueue[tuple[_Job, Call] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.failure: Exception | None = None
        self.failed: Counter[str] = Counter()
        self._counting = threading.Lock()

    def wake(self) -> None:
        """Tell that a camera has a new frame, or has ended. Give it to the cameras as ``on_frame``."""
        self._frame_waits.set()

    def start(self, cameras: Sequence[Camera]) -> None:
        """Start the threads."""
        self._cameras = cameras
        self._shares = FairShare([camera.settings.weight for camera in cameras])
        for _ in range(JOBS):
            self._free.put("new")
        stages = {"prepare": self._prepare_all, "infer": self._infer_all, "finish": self._finish_all}
        self._threads = [
            threading.Thread(target=self._run, args=(name, stage), name=f"pipeline-{name}")
            for name, stage in stages.items()
        ]
        for thread in self._threads:
            thread.start()

    def limit_rate(self, rate: float | None) -> None:
        """Process at most ``rate`` frames per second, over all cameras, from now on; None lifts the limit."""
        self._interval_s = 1 / rate if rate else 0.0
        self._frame_waits.set()

    def stop(self) -> None:
        """Finish what is in flight and end the threads."""
        self._stopping.set()
        self._frame_waits.set()
        self._free.put(None)
        for thread in self._threads:
            thread.join()

    def raise_failure(self) -> None:
        """Raise what ended the pipeline, if it was a failure.

        Raises:
            EdgeagentError: as a stage raised it, or around what it raised.
        """
        if isinstance(self.failure, EdgeagentError):
            raise self.failure
        if self.failure is not None:
            raise EdgeagentError(f"detection failed: {self.failure}") from self.failure

    def _run(self, name: str, stage: Callable[[], None]) -> None:
        try:
            stage()
        except Exception as error:  # told by the agent, which stops
            logger.debug("stage %s failed", name, exc_info=True)
            self.failure = self.failure or error
        # whatever ends one stage ends all: those before it at once, those after it when they are done
        self._stopping.set()
        self._frame_waits.set()
        self._free.put(None)
        if name == "prepare":
            self._prepared.put(None)
        elif name == "infer":
            self._begun.put(None)
        else:
            self._on_end()

    def _prepare_all(self) -> None:
        while (free := self._free.get()) is not None:
            if not self._serves():
                return
            taken = self._newest()
            detector = self._detectors.current(0)
            if taken is None:
                return
            camera, frame = taken
            if detector is None:  # it failed in the meantime
                camera.slot.release(frame)
                self._free.put(free)
                continue
            if free == "new" or free.detector is not detector:
                free = _Set(detector, detector.allocate())
            started = time.monotonic_ns()
            fit = detector.preprocessor.write(frame.image, free.buffers.inputs[0])
            self._record(camera.name, "age", started - frame.captured_ns)
            prepared = time.monotonic_ns()
            self._record(camera.name, "preprocess", prepared - started)
            self._prepared.put(_Job(free, camera, frame, fit, prepared))

    def _serves(self) -> bool:
        """Wait until a detector serves; False when stopping, or when there is nothing left to detect on."""
        while not self._stopping.is_set():
            if self._detectors.current(WAIT_S) is not None:
                return True
            if all(camera.slot.closed for camera in self._cameras):
                return False
        return False

    def _newest(self) -> tuple[Camera, Frame] | None:
        """Wait for a frame, asking the cameras in fair turns; None when stopping or when all have ended."""
        while not self._stopping.is_set():
            self._frame_waits.clear()
            all_closed = all(camera.slot.closed for camera in self._cameras)
            early_s = self._next_s - time.monotonic() if self._interval_s else 0.0
            if early_s <= 0:
                for position in self._shares.order():
                    frame = self._cameras[position].slot.take(timeout=0)
                    if frame is not None:
                        self._shares.served(position)
                        self._next_s = time.monotonic() + self._interval_s
                        return self._cameras[position], frame
                if all_closed:
                    return None
            self._frame_waits.wait(early_s if early_s > 0 else None)
        return None

    def _infer_all(self) -> None:
        while (job := self._prepared.get()) is not None:
            buffers = job.set.buffers
            try:
                call = job.set.detector.engine.begin(buffers.inputs, buffers.outputs)
            except EngineError as error:
                self._leave_out(job, error)
            else:
                self._begun.put((job, call))

    def _finish_all(self) -> None:
        while (begun := self._begun.get()) is not None:
            job, call = begun
            try:
                took = call.wait()
            except EngineError as error:
                self._leave_out(job, error)
                continue
            self._record(job.camera.name, "inference", took)
            self._detectors.worked(job.set.detector)
            started = time.monotonic_ns()
            self._record(job.camera.name, "queue", started - job.prepared_ns - took)
            decoder, outputs = job.set.detector.decoder, job.set.buffers.outputs
            found = to_picture(decoder.decode(outputs, self._score_threshold), job.fit)
            decoded = time.monotonic_ns()
            self._deliver(Result(job.camera.name, job.frame, found, job.set.detector, took))
            delivered = time.monotonic_ns()
            self._record(job.camera.name, "decode", decoded - started)
            self._record(job.camera.name, "publish", delivered - decoded)
            self._record(job.camera.name, "end_to_end", delivered - job.frame.captured_ns)
            job.camera.slot.release(job.frame)
            self._free.put(job.set)

    def _leave_out(self, job: _Job, error: EngineError) -> None:
        """Let go of a frame that an engine failed on."""
        self._detectors.failed(job.set.detector, error)
        with self._counting:
            self.failed[job.camera.name] += 1
        job.camera.slot.release(job.frame)
        self._free.put(job.set)
