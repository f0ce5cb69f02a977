"""Detection pipeline: prepare, infer and finish overlap, each in a thread of its own.

::

    camera slots -> prepare (letterbox into an input buffer) -> infer -> finish (decode, deliver)
         ^                                                                 |
         +---- frame released, buffers free for the next frame ------------+

At most :data:`JOBS` frames are on their way, each with one of as many sets of buffers; nothing is allocated
for a frame. ``infer`` begins a call and ``finish`` waits for it, so that an engine in another process has its
next frame before it has answered. When a set is free, the newest frame is taken of the camera whose turn it
is (:mod:`edgeagent.camera.fair_share`). A camera's slot has room for as many frames as are on their way and
for one pending frame, so that the newest frame is there when a set becomes free, also with one camera.
OpenCV, the engine and numpy release the interpreter lock, so the threads work in parallel.

The detector may change at any time (:mod:`edgeagent.detection.serving`): a frame on its way stays with the
detector that its buffers belong to. A frame that an engine fails on is dropped and counted in
:attr:`Pipeline.failed`.
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
from edgeagent.camera.slot import MOST_HELD
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers, Call
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.imaging.frame import Frame
from edgeagent.imaging.letterbox import Fit
from edgeagent.timing.deadline import Deadline
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import to_picture

logger = logging.getLogger(__name__)

JOBS = MOST_HELD  # 4: one in each stage, and one that waits for the engine, so that the engine never waits
WAIT_S = 0.2  # for a detector, between two looks whether to stop
STAGES: tuple[str, ...] = ("age", "preprocess", "queue", "inference", "decode", "publish", "end_to_end")
"""``queue`` is the time after ``preprocess`` spent waiting for the engine and the decoder: stages add up."""


@dataclass(frozen=True, slots=True)
class Result:
    """Detections of one frame.

    Attributes:
        camera: its name.
        frame: that was detected on; its image is valid only during the call that delivers the result.
        detections: in pixels of the frame.
        detector: that made them.
        inference_ns: nanoseconds that the engine worked.
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


DeliverResult = Callable[[Result], None]
RecordDuration = Callable[[str, str, int], None]


class Detectors(Protocol):
    """Source of the detector of a pipeline."""

    def current(self, timeout: float) -> Detector | None:
        """Return the detector that serves, waiting up to ``timeout`` seconds; None if none does."""

    def worked(self, detector: Detector) -> None:
        """Record that a frame went through a detector."""

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Record that a frame failed; an error that is raised here ends the pipeline."""


class OneDetector:
    """A single detector that is never replaced: its first failure ends the pipeline."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def current(self, timeout: float) -> Detector:
        """Return the detector."""
        return self._detector

    def worked(self, detector: Detector) -> None:
        """Do nothing."""

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Raise the error."""
        raise error


@dataclass(frozen=True, slots=True)
class _BufferSet:
    """Buffers of one frame, and the detector that they belong to."""

    detector: Detector
    buffers: Buffers


@dataclass(frozen=True, slots=True)
class _Job:
    """A frame on its way; ``prepared_ns`` is the monotonic time at which preprocessing was done."""

    set: _BufferSet
    camera: Camera
    frame: Frame
    fit: Fit
    prepared_ns: int


class Pipeline:
    """Runs a detector over cameras.

    Args:
        detectors: gives the one that serves, loaded and warm.
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
        deliver: DeliverResult,
        record: RecordDuration,
        on_end: Callable[[], None],
    ) -> None:
        self._detectors, self._score_threshold = detectors, score_threshold
        self._deliver, self._record, self._on_end = deliver, record, on_end
        self._cameras: Sequence[Camera] = ()
        self._shares = FairShare(())
        self._interval_s, self._next_s = 0.0, 0.0
        self._frame_waits = threading.Event()
        self._stopping = threading.Event()
        self._free: SimpleQueue[_BufferSet | Literal["new"] | None] = SimpleQueue()
        self._prepared: SimpleQueue[_Job | None] = SimpleQueue()
        self._begun: SimpleQueue[tuple[_Job, Call] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.failure: Exception | None = None
        self.failed: Counter[str] = Counter()
        self._counting = threading.Lock()

    def wake(self) -> None:
        """Signal that a camera has a new frame or has ended. Give it to the cameras as ``on_frame``."""
        self._frame_waits.set()

    def start(self, cameras: Sequence[Camera]) -> None:
        """Start the threads."""
        self._cameras = cameras
        self._shares = FairShare([camera.settings.weight for camera in cameras])
        for _ in range(JOBS):
            self._free.put("new")
        stages = {"prepare": self._prepare_all, "infer": self._infer_all, "finish": self._finish_all}
        self._threads = [
            threading.Thread(target=self._run, args=(name, stage), name=f"pipeline-{name}", daemon=True)
            for name, stage in stages.items()
        ]
        for thread in self._threads:
            thread.start()

    def limit_rate(self, rate: float | None) -> None:
        """Process at most ``rate`` frames per second, over all cameras, from now on; None lifts the limit."""
        self._interval_s = 1 / rate if rate else 0.0
        self._frame_waits.set()

    def stop(self, timeout_s: float | None = None) -> None:
        """Finish what is in flight and end the threads.

        Args:
            timeout_s: longest wait for an engine that hangs; the threads then end when it is closed.
        """
        deadline = None if timeout_s is None else Deadline(timeout_s)
        self._stopping.set()
        self._frame_waits.set()
        self._free.put(None)
        for thread in self._threads:
            thread.join(None if deadline is None else deadline.left_s)
        if any(thread.is_alive() for thread in self._threads):
            logger.warning("frames are still on their way after %g s; they are dropped", timeout_s)

    def raise_failure(self) -> None:
        """Raise the failure that ended the pipeline, if there was one.

        Raises:
            EdgeagentError: as a stage raised it, or with the error of the stage as its cause.
        """
        if isinstance(self.failure, EdgeagentError):
            raise self.failure
        if self.failure is not None:
            raise EdgeagentError(f"detection failed: {self.failure}") from self.failure

    def _run(self, name: str, stage: Callable[[], None]) -> None:
        try:
            stage()
        except EdgeagentError as error:  # raised by raise_failure
            self.failure = self.failure or error
        except (
            Exception
        ) as error:  # likewise; frames on their way are lost, so the agent ends and starts again
            logger.exception("pipeline-%s failed; report this as a bug of edgeagent", name)
            self.failure = self.failure or error
        # the end of one stage ends all: those before it at once, those after it when they are done
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
            if detector is None:  # it has failed since
                camera.slot.release(frame)
                self._free.put(free)
                continue
            if free == "new" or free.detector is not detector:
                free = _BufferSet(detector, detector.allocate())
            started = time.monotonic_ns()
            fit = detector.preprocessor.write(frame.image, free.buffers.inputs[0])
            self._record(camera.name, "age", started - frame.captured_ns)
            prepared = time.monotonic_ns()
            self._record(camera.name, "preprocess", prepared - started)
            self._prepared.put(_Job(free, camera, frame, fit, prepared))

    def _serves(self) -> bool:
        """Wait until a detector serves; False when stopping or when all cameras have ended."""
        while not self._stopping.is_set():
            if self._detectors.current(WAIT_S) is not None:
                return True
            if all(camera.slot.closed for camera in self._cameras):
                return False
        return False

    def _newest(self) -> tuple[Camera, Frame] | None:
        """Wait for a frame of the camera whose turn it is; None when stopping or when all have ended."""
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
                self._drop(job, error)
            else:
                self._begun.put((job, call))

    def _finish_all(self) -> None:
        while (begun := self._begun.get()) is not None:
            job, call = begun
            try:
                took = call.wait()
                finished = time.monotonic_ns()
                outputs = job.set.buffers.outputs
                decoded = job.set.detector.decoder.decode(outputs, self._score_threshold)
            except EngineError as error:
                self._drop(job, error)
                continue
            self._record(job.camera.name, "inference", took)
            self._detectors.worked(job.set.detector)
            self._record(job.camera.name, "queue", finished - job.prepared_ns - took)
            found = to_picture(decoded, job.fit).named(job.set.detector.description.labels)
            mapped = time.monotonic_ns()
            self._deliver(Result(job.camera.name, job.frame, found, job.set.detector, took))
            delivered = time.monotonic_ns()
            self._record(job.camera.name, "decode", mapped - finished)
            self._record(job.camera.name, "publish", delivered - mapped)
            self._record(job.camera.name, "end_to_end", delivered - job.frame.captured_ns)
            job.camera.slot.release(job.frame)
            self._free.put(job.set)

    def _drop(self, job: _Job, error: EngineError) -> None:
        """Drop and count a frame that an engine failed on."""
        self._detectors.failed(job.set.detector, error)
        with self._counting:
            self.failed[job.camera.name] += 1
        job.camera.slot.release(job.frame)
        self._free.put(job.set)
