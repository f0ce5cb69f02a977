"""The camera scenario: a clip through the agent's real pipeline, as fast as it goes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from edgeagent.bench.load_generator import SCORE_THRESHOLD, Block, ReadEnergy, difference
from edgeagent.camera.capture import Camera
from edgeagent.detection.detector import Detector
from edgeagent.detection.pipeline import STAGES, OneDetector, Pipeline, Result
from edgeagent.errors import CameraError
from edgeagent.settings.sections.camera import CameraSettings

POLL_S = 0.2


class _Play:
    """A clip, played over and over until enough frames are done, and what the pipeline recorded."""

    def __init__(self, detector: Detector, clip: Path, least_s: float, least_frames: int) -> None:
        self.stages: dict[str, list[int]] = {stage: [] for stage in STAGES}
        self.moments: list[int] = []
        self._least_ns, self._least_frames = least_s * 1e9, least_frames
        self._over = threading.Event()
        self._pipeline = Pipeline(
            OneDetector(detector), SCORE_THRESHOLD, self._deliver, self._record, self._over.set
        )
        settings = CameraSettings(name="clip", source=str(clip), pace="unthrottled", loop=True)
        self._camera = Camera(settings, on_frame=self._pipeline.wake)

    def run(self) -> None:
        """Play until enough is done; see :func:`play_clip`."""
        self._pipeline.start([self._camera])
        self._camera.start()
        try:
            while not self._over.wait(POLL_S):
                status = self._camera.status()
                if status.failures:
                    raise CameraError(status.last_error or "the clip cannot be read; check --clip")
        finally:
            self._pipeline.stop()
            self._camera.stop()
        self._pipeline.raise_failure()

    def _deliver(self, result: Result) -> None:
        self.moments.append(time.perf_counter_ns())
        lasted, done = self.moments[-1] - self.moments[0], len(self.moments) - 1
        if lasted >= self._least_ns and done >= self._least_frames:
            self._over.set()

    def _record(self, camera: str, stage: str, duration_ns: int) -> None:
        self.stages[stage].append(duration_ns)  # each stage is recorded by one thread


def play_clip(
    detector: Detector,
    clip: Path,
    least_s: float,
    least_frames: int,
    read_energy: ReadEnergy = lambda: None,
) -> Block:
    """Play a clip; a query is a frame, from its capture to the delivery of its boxes.

    The clip starts again at its end, until both the time and the number of frames are reached. The time runs
    from the first result to the last, so that starting the pipeline is not in it, and the first frame does
    not count. The energy is that of the whole play.

    Raises:
        CameraError: the clip cannot be opened.
        EngineError: the engine failed.
    """
    play = _Play(detector, clip, least_s, max(1, least_frames))
    energy, started = read_energy(), time.perf_counter()
    play.run()
    lasted = time.perf_counter() - started
    stages = {stage: times[1:] for stage, times in play.stages.items()}
    queries = stages["end_to_end"]
    seconds = (play.moments[-1] - play.moments[0]) / 1e9
    used = difference(energy, read_energy())
    return Block(queries, stages, len(queries), seconds, used, lasted)
