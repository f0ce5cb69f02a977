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

Cameras may come and go while frames are on their way (:meth:`Pipeline.change`): frames of a camera that has
gone are released, and delivered to nobody.

The detector may change at any time (:mod:`edgeagent.detection.serving`): a frame on its way stays with the
detector that its buffers belong to. A frame that an engine fails on is dropped and counted in
:attr:`Pipeline.failed`.

A camera with a motion gate (:mod:`edgeagent.detection.motion_gate`) also delivers the frames that the
detector did not run for, in order, with the detections of the frame before. A camera with regions has one
call of the engine for each part of a frame (:mod:`edgeagent.detection.frame_parts`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue
from typing import Literal

from edgeagent.camera.capture import Camera
from edgeagent.camera.slot import MOST_HELD
from edgeagent.detection.detector import Detector
from edgeagent.detection.detectors import Detectors
from edgeagent.detection.frame_intake import FrameIntake
from edgeagent.detection.frame_jobs import BufferSet, FailedCall, FrameJob, FrameResults, owned_buffers
from edgeagent.detection.frame_parts import FrameParts, merge_parts
from edgeagent.detection.frame_result import Result, ScoreThresholds
from edgeagent.detection.motion_gate import MotionGate
from edgeagent.engines.engine import Call
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.imaging.frame import Frame
from edgeagent.settings.sections.regions import camera_regions
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.progress import UNLIMITED_S, ProgressSample
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import to_picture

logger = logging.getLogger(__name__)

JOBS = MOST_HELD  # 4: one in each stage, and one that waits for the engine, so that the engine never waits
WAIT_S = 0.2  # for a detector, between two looks whether to stop


DeliverResult = Callable[[Result], None]
RecordDuration = Callable[[str, str, int], None]


class Pipeline:
    """Runs a detector over cameras.

    Args:
        detectors: gives the one that serves, loaded and warm.
        thresholds: detections below its ``detections`` are no result; those below ``candidates`` are dropped.
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
        thresholds: ScoreThresholds,
        deliver: DeliverResult,
        record: RecordDuration,
        on_end: Callable[[], None],
    ) -> None:
        self._detectors, self._thresholds = detectors, thresholds
        self._deliver, self._record, self._on_end = deliver, record, on_end
        self._delivering = threading.Lock()
        self._gates: Mapping[str, MotionGate] = {}
        self._parts: dict[str, FrameParts] = {}
        self._detected_by: dict[str, Detector] = {}  # of the newest frame of each camera, in ``prepare``
        self._newest: dict[str, Result] = {}  # of each camera with a gate, in ``finish``
        self._stopping = threading.Event()
        self._intake = FrameIntake(self._stopping)
        self._free: SimpleQueue[BufferSet | Literal["new"] | None] = SimpleQueue()
        self._prepared: SimpleQueue[FrameJob | None] = SimpleQueue()
        self._begun: SimpleQueue[tuple[FrameJob, Call | None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.failure: Exception | None = None
        self.failed: Counter[str] = Counter()
        self._through = 0  # frames that have left the pipeline, delivered or dropped
        self._counting = threading.Lock()

    def sample(self) -> ProgressSample:
        """Return the progress of the inference loop, for the watchdog: frames that have gone through.

        None is due while no frame waits, no detector serves, or the frame rate is limited.
        """
        on_their_way = self._free.qsize() < JOBS - 1  # one set is in the hands of ``prepare``
        waiting = on_their_way or self._intake.waiting
        if not self._threads or self._stopping.is_set() or not waiting:
            return ProgressSample("inference", self._through, UNLIMITED_S, "no frame waits")
        if self._detectors.current(0) is None:
            return ProgressSample("inference", self._through, UNLIMITED_S, "no engine serves")
        interval_s = self._intake.interval_s
        return ProgressSample("inference", self._through, interval_s, "detecting on a frame that waits")

    def wake(self) -> None:
        """Signal that a camera has a new frame or has ended. Give it to the cameras as ``on_frame``."""
        self._intake.wake()

    def start(self, cameras: Sequence[Camera], gates: Mapping[str, MotionGate] | None = None) -> None:
        """Start the threads.

        Args:
            cameras: all cameras.
            gates: motion gates by camera, which may change; the detector runs for all frames of a camera
                without one.
        """
        self._gates = gates if gates is not None else {}
        self._line_up(cameras)
        for _ in range(JOBS):
            self._free.put("new")
        stages = {"prepare": self._prepare_all, "infer": self._infer_all, "finish": self._finish_all}
        self._threads = [
            threading.Thread(target=self._run, args=(name, stage), name=f"pipeline-{name}", daemon=True)
            for name, stage in stages.items()
        ]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def between_frames(self) -> Iterator[None]:
        """Hold the delivery of results: no result is being delivered inside, and none begins to be."""
        with self._delivering:
            yield

    def change(self, cameras: Sequence[Camera], thresholds: ScoreThresholds) -> None:
        """Take other cameras and thresholds, within :meth:`between_frames`; cameras that stay miss no frame.

        Args:
            cameras: that are detected on from now on, with the weights of their settings.
            thresholds: of frames that are decoded from now on.
        """
        self._thresholds = thresholds
        self._line_up(cameras)

    def _line_up(self, cameras: Sequence[Camera]) -> None:
        """Take cameras; parts of those that have gone stay for frames on their way."""
        parts = {camera.name: FrameParts(camera_regions(camera.settings)) for camera in cameras}
        self._parts = {**self._parts, **parts}
        self._intake.line_up(cameras)

    def limit_rate(self, rate: float | None) -> None:
        """Process at most ``rate`` frames per second, over all cameras, from now on; None lifts the limit."""
        self._intake.limit_rate(rate)

    def stop(self, timeout_s: float | None = None) -> None:
        """Finish what is in flight and end the threads.

        Args:
            timeout_s: longest wait for an engine that hangs; the threads then end when it is closed.
        """
        deadline = None if timeout_s is None else Deadline(timeout_s)
        self._stopping.set()
        self._intake.wake()
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
        self._intake.wake()
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
            taken = self._intake.next_frame()
            self._detectors.wait_turn()
            detector = self._detectors.current(0)
            if taken is None:
                return
            camera, frame = taken
            if detector is None:  # it has failed since
                camera.slot.release(frame)
                self._free.put(free)
                continue
            own = owned_buffers(free, detector)
            started = time.monotonic_ns()
            if not self._moves(camera.name, frame, detector):
                self._prepared.put(FrameJob(own, camera, frame))
            elif not self._prepare(own, camera, frame, started):
                return

    def _moves(self, camera: str, frame: Frame, detector: Detector) -> bool:
        """Return whether the detector runs for a frame, as the motion gate of its camera decides."""
        gate = self._gates.get(camera)
        if gate is not None:
            if self._detected_by.get(camera) is not detector:
                gate.repeat()  # what another model has found does not count
            if gate.look(frame.image, frame.captured_ns / 1e9) is None:
                return False
            self._detected_by[camera] = detector
        self._intake.count()
        return True

    def _prepare(self, own: BufferSet, camera: Camera, frame: Frame, started: int) -> bool:
        """Write each part of a frame into buffers of its own; False when stopping."""
        self._record(camera.name, "age", started - frame.captured_ns)
        crops, spent = self._parts[camera.name].crops(frame.image), 0
        for part, crop in enumerate(crops):
            if part:
                free = self._free.get()
                if free is None:
                    return False
                own, started = owned_buffers(free, own.detector), time.monotonic_ns()
            fit = own.detector.preprocessor.write(crop.view(frame.image), own.buffers.inputs[0])
            prepared = time.monotonic_ns()
            spent += prepared - started
            if part + 1 == len(crops):
                self._record(camera.name, "preprocess", spent)
            self._prepared.put(FrameJob(own, camera, frame, crops, part, fit, prepared))
        return True

    def _serves(self) -> bool:
        """Wait until a detector serves; False when stopping or when all cameras have ended."""
        while not self._stopping.is_set():
            if self._detectors.current(WAIT_S) is not None:
                return True
            if self._intake.ended:
                return False
        return False

    def _infer_all(self) -> None:
        while (job := self._prepared.get()) is not None:
            if job.fit is None:
                self._begun.put((job, None))
                continue
            buffers = job.set.buffers
            try:
                self._begun.put((job, job.set.detector.engine.begin(buffers.inputs, buffers.outputs)))
            except EngineError as error:
                self._begun.put((job, FailedCall(type(error), str(error))))

    def _finish_all(self) -> None:
        frame, thresholds = FrameResults(), self._thresholds
        while (begun := self._begun.get()) is not None:
            job, call = begun
            if not job.part:
                thresholds = self._thresholds  # the same for all parts of a frame
            if job.fit is None or call is None:
                self._finish_gated(job)
                continue
            try:
                self._finish_part(job, call, frame, thresholds)
            except EngineError as error:
                self._detectors.failed(job.set.detector, error)
                frame.failed = True
            if job.last:
                if frame.failed:
                    self._drop(job)
                else:
                    self._finish_frame(job, frame, thresholds)
                frame = FrameResults()
            self._free.put(job.set)

    def _finish_part(
        self, job: FrameJob, call: Call, frame: FrameResults, thresholds: ScoreThresholds
    ) -> None:
        """Wait for the engine, and decode what it has found in a part.

        Raises:
            EngineError: it has failed.
        """
        took = call.wait()
        frame.finished = time.monotonic_ns()
        decoded = job.set.detector.decoder.decode(job.set.buffers.outputs, thresholds.candidates)
        self._record(job.camera.name, "inference", took)
        self._detectors.worked(job.set.detector)
        if job.last:
            self._record(job.camera.name, "queue", max(0, frame.finished - job.prepared_ns - took))
        frame.inference_ns += took
        if job.fit is not None:
            found = to_picture(decoded, job.fit).named(job.set.detector.description.labels)
            part, whole = job.crops[job.part], job.crops[0]
            frame.found.append(part.to_frame(found, whole) if job.part else found)

    def _finish_frame(self, job: FrameJob, frame: FrameResults, thresholds: ScoreThresholds) -> None:
        camera = job.camera.name
        found = merge_parts(frame.found, job.crops) if len(frame.found) > 1 else frame.found[0]
        result = self._result(job, found, frame.inference_ns, thresholds)
        mapped = time.monotonic_ns()
        with self._delivering:
            if job.camera in self._intake.cameras:
                if camera in self._gates:
                    self._newest[camera] = result
                self._deliver(result)
        delivered = time.monotonic_ns()
        self._record(camera, "decode", mapped - frame.finished)
        self._record(camera, "publish", delivered - mapped)
        self._record(camera, "end_to_end", delivered - job.frame.captured_ns)
        self._release(job)

    def _finish_gated(self, job: FrameJob) -> None:
        """Deliver a frame in which nothing moved, with what the frame before has shown."""
        newest = self._newest.get(job.camera.name)
        with self._delivering:
            if newest is not None and job.camera in self._intake.cameras:
                self._deliver(replace(newest, frame=job.frame, inference_ns=0, gated=True))
        self._release(job)
        self._free.put(job.set)

    @staticmethod
    def _result(job: FrameJob, found: Detections, took_ns: int, thresholds: ScoreThresholds) -> Result:
        sure = found
        if thresholds.candidates < thresholds.detections:
            sure = found.take(found.scores >= thresholds.detections)
        return Result(job.camera.name, job.frame, sure, job.set.detector, took_ns, found)

    def _drop(self, job: FrameJob) -> None:
        """Drop and count a frame that an engine failed on."""
        with self._counting:
            self.failed[job.camera.name] += 1
        gate = self._gates.get(job.camera.name)
        if gate is not None:
            gate.repeat()
        self._release(job)

    def _release(self, job: FrameJob) -> None:
        job.camera.slot.release(job.frame)
        with self._counting:
            self._through += 1
