"""Camera scenario: a clip through the agent's pipeline at maximum speed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from edgeagent.bench.load_generator import SCORE_THRESHOLD, Block, ReadEnergy, difference
from edgeagent.camera.capture import Camera
from edgeagent.detection.detector import Detector
from edgeagent.detection.detectors import OneDetector
from edgeagent.detection.frame_result import STAGES, Result, ScoreThresholds
from edgeagent.detection.pipeline import Pipeline
from edgeagent.errors import CameraError
from edgeagent.settings.sections.camera import CameraSettings

POLL_S = 0.2


class _ClipRun:
    """Looped clip in the pipeline, with the recorded stage times and delivery times in nanoseconds."""

    def __init__(self, detector: Detector, clip: Path, min_s: float, min_frames: int) -> None:
        self.stages: dict[str, list[int]] = {stage: [] for stage in STAGES}
        self.delivered_ns: list[int] = []
        self._min_ns, self._min_frames = min_s * 1e9, min_frames
        self._done = threading.Event()
        self._pipeline = Pipeline(
            OneDetector(detector),
            ScoreThresholds.one(SCORE_THRESHOLD),
            self._deliver,
            self._record,
            self._done.set,
        )
        settings = CameraSettings(name="clip", source=str(clip), pace="unthrottled", loop=True)
        self._camera = Camera(settings, on_frame=self._pipeline.wake)

    def run(self) -> None:
        """Play the clip until both minima are reached; see :func:`play_clip`."""
        self._pipeline.start([self._camera])
        self._camera.start()
        try:
            while not self._done.wait(POLL_S):
                status = self._camera.status()
                if status.failures:
                    raise CameraError(status.last_error or "the clip cannot be read; check --clip")
        finally:
            self._pipeline.stop()
            self._camera.stop()
        self._pipeline.raise_failure()

    def _deliver(self, result: Result) -> None:
        self.delivered_ns.append(time.perf_counter_ns())
        elapsed, frames = self.delivered_ns[-1] - self.delivered_ns[0], len(self.delivered_ns) - 1
        if elapsed >= self._min_ns and frames >= self._min_frames:
            self._done.set()

    def _record(self, camera: str, stage: str, duration_ns: int) -> None:
        self.stages[stage].append(duration_ns)  # each stage is recorded by one thread


def play_clip(
    detector: Detector,
    clip: Path,
    min_s: float,
    min_frames: int,
    read_energy: ReadEnergy = lambda: None,
) -> Block:
    """Play a clip in the pipeline; a query is one frame, from its capture to the delivery of its boxes.

    The clip is looped until both minima are reached. The time runs from the first result to the last, which
    excludes the start of the pipeline, and the first frame is not counted. The energy covers the whole run.

    Args:
        detector: loaded detector.
        clip: path of the clip.
        min_s: minimum duration in seconds.
        min_frames: minimum number of frames.
        read_energy: see :func:`edgeagent.bench.load_generator.run_block`.

    Raises:
        CameraError: the clip cannot be opened.
        EngineError: the engine failed.
    """
    run = _ClipRun(detector, clip, min_s, max(1, min_frames))
    energy, started = read_energy(), time.perf_counter()
    run.run()
    elapsed = time.perf_counter() - started
    stages = {stage: times[1:] for stage, times in run.stages.items()}
    queries = stages["end_to_end"]
    seconds = (run.delivered_ns[-1] - run.delivered_ns[0]) / 1e9
    used = difference(energy, read_energy())
    return Block(queries, stages, len(queries), seconds, used, elapsed)
