"""The detection pipeline: prepare, infer and finish overlap, each in a thread of its own.

::

    camera slots -> prepare (letterbox into an input buffer) -> infer -> finish (decode, deliver)

A few jobs, each with its buffers, go round; nothing is allocated for a frame. The newest frame of each
camera is taken when a job is free, cameras in turn, so that none starves. OpenCV, the engine and numpy
release the interpreter lock while they work, so the threads really overlap.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from edgeagent.camera.capture import Camera
from edgeagent.camera.frame import Frame
from edgeagent.detector import Detector
from edgeagent.errors import EdgeagentError
from edgeagent.runtime.engine import Buffers
from edgeagent.vision.detections import Detections
from edgeagent.vision.letterbox import Fit

logger = logging.getLogger(__name__)

JOBS = 3  # one in each stage
Stage = str
STAGES: tuple[Stage, ...] = ("age", "preprocess", "inference", "decode", "publish", "end_to_end")


@dataclass(frozen=True, slots=True)
class Result:
    """Detections of one frame, in its pixels. The frame is valid during the call that delivers it."""

    camera: str
    frame: Frame
    detections: Detections


Deliver = Callable[[Result], None]
Record = Callable[[str, Stage, int], None]


@dataclass(frozen=True, slots=True)
class _Job:
    """A frame on its way."""

    buffers: Buffers
    camera: Camera
    frame: Frame
    fit: Fit


class Pipeline:
    """Runs a detector over cameras.

    Args:
        detector: loaded and warmed up.
        score_threshold: detections below it are dropped.
        deliver: called with each result, in the finish thread.
        record: called with (camera, stage, nanoseconds), from all threads.
        on_end: called once, when all cameras have ended or a stage has failed, in the finish thread.

    Attributes:
        failure: what ended the pipeline, if it was not the end of all cameras.
    """

    def __init__(
        self,
        detector: Detector,
        score_threshold: float,
        deliver: Deliver,
        record: Record,
        on_end: Callable[[], None],
    ) -> None:
        self._detector, self._score_threshold = detector, score_threshold
        self._deliver, self._record, self._on_end = deliver, record, on_end
        self._cameras: Sequence[Camera] = ()
        self._next = 0
        self._frame_waits = threading.Event()
        self._stopping = threading.Event()
        self._free: SimpleQueue[Buffers | None] = SimpleQueue()
        self._prepared: SimpleQueue[_Job | None] = SimpleQueue()
        self._inferred: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.failure: Exception | None = None

    def wake(self) -> None:
        """Tell that a camera has a new frame, or has ended. Give it to the cameras as ``on_frame``."""
        self._frame_waits.set()

    def start(self, cameras: Sequence[Camera]) -> None:
        """Start the threads."""
        self._cameras = cameras
        for _ in range(JOBS):
            self._free.put(self._detector.allocate())
        stages = {"prepare": self._prepare_all, "infer": self._infer_all, "finish": self._finish_all}
        self._threads = [
            threading.Thread(target=self._run, args=(name, stage), name=f"pipeline-{name}")
            for name, stage in stages.items()
        ]
        for thread in self._threads:
            thread.start()

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
            self._inferred.put(None)
        else:
            self._on_end()

    def _prepare_all(self) -> None:
        preprocessor = self._detector.preprocessor
        while (buffers := self._free.get()) is not None:
            taken = self._newest()
            if taken is None:
                return
            camera, frame = taken
            started = time.monotonic_ns()
            fit = preprocessor.write(frame.image, buffers.inputs[0])
            self._record(camera.name, "age", started - frame.captured_ns)
            self._record(camera.name, "preprocess", time.monotonic_ns() - started)
            self._prepared.put(_Job(buffers, camera, frame, fit))

    def _newest(self) -> tuple[Camera, Frame] | None:
        """Wait for a frame, asking the cameras in turn; None when stopping or when all have ended."""
        while not self._stopping.is_set():
            self._frame_waits.clear()
            all_closed = all(camera.slot.closed for camera in self._cameras)
            for _ in self._cameras:
                camera = self._cameras[self._next]
                self._next = (self._next + 1) % len(self._cameras)
                frame = camera.slot.take(timeout=0)
                if frame is not None:
                    return camera, frame
            if all_closed:
                return None
            self._frame_waits.wait()
        return None

    def _infer_all(self) -> None:
        engine = self._detector.engine
        while (job := self._prepared.get()) is not None:
            started = time.monotonic_ns()
            engine.infer(job.buffers.inputs, job.buffers.outputs)
            self._record(job.camera.name, "inference", time.monotonic_ns() - started)
            self._inferred.put(job)

    def _finish_all(self) -> None:
        decoder = self._detector.decoder
        while (job := self._inferred.get()) is not None:
            started = time.monotonic_ns()
            found = job.fit.to_source(decoder.decode(job.buffers.outputs, self._score_threshold))
            decoded = time.monotonic_ns()
            self._deliver(Result(job.camera.name, job.frame, found))
            delivered = time.monotonic_ns()
            self._record(job.camera.name, "decode", decoded - started)
            self._record(job.camera.name, "publish", delivered - decoded)
            self._record(job.camera.name, "end_to_end", delivered - job.frame.captured_ns)
            job.camera.slot.release(job.frame)
            self._free.put(job.buffers)
