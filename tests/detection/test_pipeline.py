from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from edgeagent.bundle.reading import open_bundle
from edgeagent.camera.capture import Camera
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.detectors import Detectors, OneDetector
from edgeagent.detection.frame_result import STAGES, Result, ScoreThresholds
from edgeagent.detection.motion_gate import MotionGate
from edgeagent.detection.pipeline import JOBS, Pipeline
from edgeagent.detection.starting import DetectorSpec, WorkerDetector, start_detector
from edgeagent.engines.delegates import find_delegates
from edgeagent.engines.engine import Array, Buffers, Engine, LoadedEngine
from edgeagent.engines.loading import choose_artefact
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.files.resources import sample_clip
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.motion import MotionSettings
from edgeagent.settings.sections.regions import Regions
from edgeagent.vision.detections import Detections
from edgeagent.worker.protocol import LoadRequest
from tests.camera.media import write_pictures
from tests.included import QUICK_BUNDLE

PATIENCE = 60.0


@pytest.fixture(scope="module")
def detector() -> Iterator[Detector]:
    detector = load_bundle_detector(open_bundle(QUICK_BUNDLE), "onnxruntime", 1, 0.65)
    yield detector
    detector.engine.close()


class Run:
    """A pipeline over cameras, from start to end, with all that it delivers."""

    def __init__(
        self, detector: Detector, fail_at: int | None = None, detectors: Detectors | None = None
    ) -> None:
        self.results: list[tuple[str, int, tuple[int, ...], int]] = []
        self.gated: list[bool] = []
        self.recorded: Counter[tuple[str, str]] = Counter()
        self.took_ns: Counter[str] = Counter()
        self.over = threading.Event()
        self._fail_at, self._lock = fail_at, threading.Lock()
        self.pipeline = Pipeline(
            detectors or OneDetector(detector),
            ScoreThresholds.one(0.3),
            self._deliver,
            self._record,
            self.over.set,
        )

    def cameras(self, *sources: Path, regions: Regions = ()) -> list[Camera]:
        return [
            Camera(
                CameraSettings(name=f"c{number}", source=str(source), pace="unthrottled", regions=regions),
                on_frame=self.pipeline.wake,
            )
            for number, source in enumerate(sources)
        ]

    def to_the_end(self, cameras: list[Camera], gate: MotionGate | None = None) -> None:
        self.pipeline.start(cameras, {"c0": gate} if gate is not None else None)
        try:
            for camera in cameras:
                camera.start()
            assert self.over.wait(PATIENCE)
        finally:
            self.pipeline.stop()
            for camera in cameras:
                camera.stop()

    def _deliver(self, result: Result) -> None:
        if len(self.results) == self._fail_at:
            raise OSError("no space left")
        self.results.append(
            (result.camera, result.frame.sequence, result.frame.image.shape, len(result.detections))
        )
        self.gated.append(result.gated)

    def _record(self, camera: str, stage: str, duration_ns: int) -> None:
        assert duration_ns >= 0
        with self._lock:
            self.recorded[camera, stage] += 1
            self.took_ns[stage] += duration_ns


def clip_frames(count: int) -> list[Image]:
    clip = cv2.VideoCapture(str(sample_clip()))
    frames: list[Image] = [clip.read()[1].astype("uint8") for _ in range(count)]
    clip.release()
    return frames


def test_every_frame_of_an_unthrottled_folder_comes_out_in_order(detector: Detector, tmp_path: Path) -> None:
    run = Run(detector)
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 9)))
    assert [sequence for _, sequence, _, _ in run.results] == list(range(9))
    assert run.recorded == {("c0", stage): 9 for stage in STAGES}
    assert run.took_ns.pop("end_to_end") == sum(run.took_ns.values()), (
        "nothing is left out, nothing counted twice"
    )
    assert not run.pipeline.failed
    assert run.pipeline.failure is None


def test_what_it_finds_is_what_the_detector_finds_stage_after_stage(
    detector: Detector, tmp_path: Path
) -> None:
    frames = clip_frames(6)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame)
    run = Run(detector)
    run.to_the_end(run.cameras(tmp_path))
    buffers = detector.allocate()
    wanted = [len(detector.detect(frame, buffers, 0.3)) for frame in frames]
    assert [count for *_, count in run.results] == wanted
    assert sum(wanted) > 0


def test_cameras_take_turns_and_keep_their_own_frame_sizes(detector: Detector, tmp_path: Path) -> None:
    small = write_pictures(tmp_path / "small", 12, (64, 48))
    large = write_pictures(tmp_path / "large", 12, (320, 200))
    run = Run(detector)
    run.to_the_end(run.cameras(small, large))
    shapes = {"c0": (48, 64, 3), "c1": (200, 320, 3)}
    assert Counter(camera for camera, *_ in run.results) == {"c0": 12, "c1": 12}
    assert all(shape == shapes[camera] for camera, _, shape, _ in run.results)
    # while both have frames, neither is ahead by more than what is in flight
    ahead = 0
    for camera, *_ in run.results[:16]:
        ahead += 1 if camera == "c0" else -1
        assert abs(ahead) <= JOBS + 1


def test_one_camera_keeps_its_newest_frame_while_all_others_are_on_their_way(
    detector: Detector, tmp_path: Path
) -> None:
    engine = Blocked(detector.engine)
    run = Run(replace(detector, engine=engine))
    (camera,) = run.cameras(write_pictures(tmp_path / "pictures", 1))  # not started: frames come from here
    frames = clip_frames(JOBS + 2)
    run.pipeline.start([camera])
    try:
        for frame in frames[:JOBS]:
            assert camera.slot.put(frame, wait=True)
        assert engine.entered.wait(PATIENCE)
        while camera.slot._pending is not None:
            time.sleep(0.001)
        for frame in frames[JOBS:]:
            assert camera.slot.put(frame)
        camera.slot.close()
        engine.go_on.set()
        assert run.over.wait(PATIENCE)
    finally:
        engine.go_on.set()
        run.pipeline.stop()
    newest = len(frames) - 1
    assert [sequence for _, sequence, _, _ in run.results] == [*range(JOBS), newest]
    assert camera.slot.dropped == 1


def test_frames_of_changing_size_are_detected_each_in_its_own_pixels(
    detector: Detector, tmp_path: Path
) -> None:
    (frame,) = clip_frames(1)
    half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for number, picture in enumerate((frame, half, frame, half)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    run = Run(detector)
    run.to_the_end(run.cameras(tmp_path))
    assert [shape[:2] for _, _, shape, _ in run.results] == [
        frame.shape[:2],
        half.shape[:2],
        frame.shape[:2],
        half.shape[:2],
    ]
    counts = [count for *_, count in run.results]
    assert counts[0] == counts[2] > 0
    assert counts[1] == counts[3]


def test_a_stage_that_fails_ends_the_pipeline_and_says_why(detector: Detector, tmp_path: Path) -> None:
    run = Run(detector, fail_at=3)
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 9)))
    assert isinstance(run.pipeline.failure, OSError)
    assert len(run.results) == 3


def test_it_stops_while_no_camera_has_a_frame(detector: Detector, tmp_path: Path) -> None:
    run = Run(detector)
    run.pipeline.start(run.cameras(tmp_path / "missing"))
    run.pipeline.stop()
    assert run.over.is_set()
    assert run.pipeline.failure is None


class Hanging(LoadedEngine):
    """Engine that answers only when it is closed, with an error."""

    def __init__(self, engine: Engine) -> None:
        self._inputs, self._outputs, self._facts = engine.inputs, engine.outputs, engine.facts
        self.asked, self.closed = threading.Event(), threading.Event()

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self.asked.set()
        self.closed.wait()
        raise EngineError("closed")

    def close(self) -> None:
        self.closed.set()


def test_it_stops_while_an_engine_hangs(detector: Detector, tmp_path: Path) -> None:
    engine = Hanging(detector.engine)
    run = Run(replace(detector, engine=engine))
    cameras = run.cameras(write_pictures(tmp_path / "pictures", 9))
    run.pipeline.start(cameras)
    cameras[0].start()
    assert engine.asked.wait(PATIENCE)
    run.pipeline.stop(timeout_s=0.01)
    assert not run.over.is_set()
    engine.close()
    run.pipeline.stop()
    assert run.over.is_set()
    cameras[0].stop()


def test_a_failure_is_raised_with_its_reason(detector: Detector, tmp_path: Path) -> None:
    run = Run(detector, fail_at=0)
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 2)))
    with pytest.raises(EdgeagentError, match="detection failed: no space left"):
        run.pipeline.raise_failure()


class Switching:
    """Gives one detector until it fails, and then another."""

    def __init__(self, *detectors: Detector) -> None:
        self._detectors = list(detectors)
        self.failures: list[str] = []

    def current(self, timeout: float) -> Detector | None:
        return self._detectors[0] if self._detectors else None

    def wait_turn(self) -> None:
        pass

    def worked(self, detector: Detector) -> None:
        pass

    def failed(self, detector: Detector, error: EngineError) -> None:
        self.failures.append(str(error))
        if self._detectors and detector is self._detectors[0]:
            del self._detectors[0]


class Blocked(LoadedEngine):
    """An engine that waits until it may go on; all else is the engine behind it."""

    def __init__(self, engine: Engine) -> None:
        self._inputs, self._outputs, self._facts = engine.inputs, engine.outputs, engine.facts
        self._engine, self.entered, self.go_on = engine, threading.Event(), threading.Event()

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self.entered.set()
        self.go_on.wait(PATIENCE)
        self._engine.infer(inputs, outputs)

    def close(self) -> None:
        pass


class FailsAfter(LoadedEngine):
    """An engine that fails from a call on; all else is the engine behind it."""

    def __init__(self, engine: Engine, calls: int) -> None:
        self._inputs, self._outputs, self._facts = engine.inputs, engine.outputs, engine.facts
        self._engine, self._calls = engine, calls

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self._calls -= 1
        if self._calls < 0:
            raise EngineError("gone")
        self._engine.infer(inputs, outputs)

    def close(self) -> None:
        pass


def test_frames_go_on_through_the_next_detector(detector: Detector, tmp_path: Path) -> None:
    """Of another format, so that buffers of one are not those of the other."""
    other = load_bundle_detector(open_bundle(QUICK_BUNDLE), "tflite", 1, 0.65)
    detectors = Switching(replace(detector, engine=FailsAfter(detector.engine, 3)), other)
    run = Run(detector, detectors=detectors)
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 12)))
    assert run.pipeline.failure is None
    assert set(detectors.failures) == {"gone"}
    assert 1 <= len(detectors.failures) <= JOBS  # those that were on the way
    assert len(run.results) == 12 - len(detectors.failures)
    assert run.pipeline.failed == {"c0": len(detectors.failures)}
    sequences = [sequence for _, sequence, _, _ in run.results]
    assert sequences == sorted(sequences)
    assert sequences[-1] == 11
    other.engine.close()


class Watched(FailsAfter):
    """One whose buffers are watched."""

    def __init__(self, engine: Engine, calls: int) -> None:
        super().__init__(engine, calls)
        self.given: list[weakref.ref[Array]] = []

    def allocate(self) -> Buffers:
        buffers = super().allocate()
        self.given.append(weakref.ref(buffers.inputs[0]))
        return buffers


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only the count of references frees objects."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_buffers_of_an_engine_that_failed_are_freed_at_once(detector: Detector, tmp_path: Path) -> None:
    watched = Watched(detector.engine, 0)  # an engine keeps the buffers that it ran on
    detectors = Switching(replace(detector, engine=watched), detector)
    run = Run(detector, detectors=detectors)
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 12)))
    assert detectors.failures
    assert watched.given
    assert [one() is not None for one in watched.given] == [False] * len(watched.given)


def test_with_no_detector_left_the_pipeline_ends_with_its_cameras(detector: Detector, tmp_path: Path) -> None:
    detectors = Switching(replace(detector, engine=FailsAfter(detector.engine, 2)))
    run = Run(detector, detectors=detectors)
    source = str(write_pictures(tmp_path / "pictures", 5))
    run.to_the_end([Camera(CameraSettings(name="c", source=source, fps=100), on_frame=run.pipeline.wake)])
    assert run.pipeline.failure is None
    assert len(run.results) == 2


def test_a_rate_is_kept(detector: Detector, tmp_path: Path) -> None:
    run = Run(detector)
    run.pipeline.limit_rate(10)
    began = time.monotonic()
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 5)))
    assert len(run.results) == 5
    assert time.monotonic() - began >= 0.4


class Undecodable:
    """A decoder that never can use the outputs."""

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        raise EngineError("the model gives the score 61")


class Patient:
    """A detector that is kept whatever fails."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self.errors = detector, list[str]()

    def current(self, timeout: float) -> Detector:
        return self._detector

    def wait_turn(self) -> None:
        pass

    def worked(self, detector: Detector) -> None:
        raise AssertionError("nothing works")

    def failed(self, detector: Detector, error: EngineError) -> None:
        self.errors.append(str(error))


def test_outputs_that_cannot_be_decoded_are_a_failure_of_the_engine(
    detector: Detector, tmp_path: Path
) -> None:
    detectors = Patient(replace(detector, decoder=Undecodable()))
    run = Run(detector, detectors=detectors)
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 2)))
    assert run.pipeline.failure is None and run.results == []
    assert run.pipeline.failed["c0"] == len(detectors.errors) >= 1
    assert set(detectors.errors) == {"the model gives the score 61"}


@pytest.fixture
def side_by_side() -> Iterator[WorkerDetector]:
    """A worker that runs calls side by side."""
    detector = start_side_by_side()
    yield detector
    detector.engine.close()


def start_side_by_side() -> WorkerDetector:
    bundle = open_bundle(QUICK_BUNDLE)
    artefact = choose_artefact(bundle.manifest, "onnxruntime")
    (delegate,) = find_delegates("onnxruntime-cpu")
    request = LoadRequest(bundle.artefact_path(artefact), delegate, 2, side_by_side=True)
    return start_detector(request, DetectorSpec(bundle.manifest, artefact.outputs, "worker", 0.65))


def test_frames_that_run_side_by_side_come_out_in_order_to_the_last(
    detector: Detector, side_by_side: WorkerDetector, tmp_path: Path
) -> None:
    frames = clip_frames(8)
    for number in range(24):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), frames[number % 8])
    run = Run(side_by_side)
    run.to_the_end(run.cameras(tmp_path))
    assert [sequence for _, sequence, _, _ in run.results] == list(range(24))
    buffers = detector.allocate()
    wanted = [len(detector.detect(frame, buffers, 0.3)) for frame in frames]
    assert [count for *_, count in run.results] == wanted * 3
    assert run.took_ns.pop("end_to_end") == sum(run.took_ns.values())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_ends_or_hangs_costs_the_frames_in_flight(
    detector: Detector, side_by_side: WorkerDetector, tmp_path: Path, number: signal.Signals
) -> None:
    detectors = Switching(side_by_side, detector)
    run = Run(detector, detectors=detectors)
    deliver = run.pipeline._deliver

    def strike(result: Result) -> None:
        if result.frame.sequence == 4:
            os.kill(side_by_side.engine.pid, number)
        deliver(result)

    run.pipeline._deliver = strike
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 20)))
    assert run.pipeline.failure is None
    assert len(detectors.failures) <= JOBS
    sequences = [sequence for _, sequence, _, _ in run.results]
    assert len(sequences) == 20 - len(detectors.failures) == 20 - run.pipeline.failed["c0"]
    assert sequences == sorted(sequences)
    assert sequences[-1] == 19


class Handover:
    """Gives one detector for some frames, and then the next."""

    def __init__(self, first: Detector, following: Detector, frames: int) -> None:
        self._detectors, self._left = (first, following), frames

    def current(self, timeout: float) -> Detector:
        self._left -= timeout == 0  # asked once for each frame
        return self._detectors[self._left < 0]

    def wait_turn(self) -> None:
        pass

    def worked(self, detector: Detector) -> None:
        pass

    def failed(self, detector: Detector, error: EngineError) -> None:
        raise error


def test_a_model_exchange_loses_no_frame_that_runs_side_by_side(
    detector: Detector, side_by_side: WorkerDetector, tmp_path: Path
) -> None:
    served: list[Detector] = []
    run = Run(detector, detectors=Handover(side_by_side, detector, 10))
    deliver = run.pipeline._deliver

    def keep(result: Result) -> None:
        served.append(result.detector)
        deliver(result)

    run.pipeline._deliver = keep
    run.to_the_end(run.cameras(write_pictures(tmp_path / "pictures", 20)))
    assert [sequence for _, sequence, _, _ in run.results] == list(range(20))
    assert served == [side_by_side] * 10 + [detector] * 10


def test_it_stops_with_frames_side_by_side(side_by_side: WorkerDetector, tmp_path: Path) -> None:
    run = Run(side_by_side)
    cameras = run.cameras(write_pictures(tmp_path / "pictures", 300))
    run.pipeline.start(cameras)
    cameras[0].start()
    while not run.results:
        assert run.pipeline.failure is None
        time.sleep(0.001)
    run.pipeline.stop()
    assert run.over.is_set() and run.pipeline.failure is None
    assert [sequence for _, sequence, _, _ in run.results] == list(range(len(run.results)))
    cameras[0].stop()


def still_pictures(folder: Path, count: int) -> Path:
    """Return a folder that shows the same people all the time."""
    (frame,) = clip_frames(1)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:02}.png"), frame)
    return folder


def closing_gate() -> MotionGate:
    """Return a gate that closes at once, and has no timer that matters."""
    return MotionGate(MotionSettings(hold=1e-6, detect_every=1000.0))


def test_frames_in_which_nothing_moves_come_out_in_order_with_what_was_found_before(
    detector: Detector, tmp_path: Path
) -> None:
    run, gate = Run(detector), closing_gate()
    run.to_the_end(run.cameras(still_pictures(tmp_path, 12)), gate)
    assert [sequence for _, sequence, _, _ in run.results] == list(range(12))
    assert run.gated == [False] + [True] * 11
    counts = {count for *_, count in run.results}
    assert len(counts) == 1
    assert counts.pop() > 0
    assert run.recorded == {("c0", stage): 1 for stage in STAGES}
    assert gate.gated == 11
    assert run.pipeline.sample().steps == 12, "the watchdog sees that gated frames go through"


def test_a_frame_that_failed_is_not_what_later_frames_show(detector: Detector, tmp_path: Path) -> None:
    broken = replace(detector, engine=FailsOnce(detector.engine))
    detectors = Kept(broken)
    run = Run(broken, detectors=detectors)
    run.to_the_end(run.cameras(still_pictures(tmp_path, 12)), closing_gate())
    assert detectors.errors == ["gone"]
    assert run.pipeline.failed == {"c0": 1}
    assert run.gated[0] is False, "the detector ran again before anything was delivered"
    assert run.recorded["c0", "inference"] == 1
    assert run.results[0][3] > 0


class FailsOnce(LoadedEngine):
    """An engine that fails on its first call; all else is the engine behind it."""

    def __init__(self, engine: Engine) -> None:
        self._inputs, self._outputs, self._facts = engine.inputs, engine.outputs, engine.facts
        self._engine, self._calls = engine, 0

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self._calls += 1
        if self._calls == 1:
            raise EngineError("gone")
        self._engine.infer(inputs, outputs)

    def close(self) -> None:
        pass


class Kept(Patient):
    """A detector that is kept, and works at times."""

    def worked(self, detector: Detector) -> None:
        pass


def test_another_detector_looks_at_a_still_picture_itself(detector: Detector, tmp_path: Path) -> None:
    gate, run = closing_gate(), Run(detector)
    run.to_the_end(run.cameras(still_pictures(tmp_path, 3)), gate)
    again = Run(detector)
    again.to_the_end(again.cameras(tmp_path), gate)
    assert again.gated[0] is False


def test_each_part_of_a_frame_is_detected_on_and_what_they_share_is_found_once(
    detector: Detector, tmp_path: Path
) -> None:
    frames = clip_frames(4)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame)
    run = Run(detector)
    run.to_the_end(run.cameras(tmp_path, regions=((0.0, 0.0, 1.0, 1.0),) * 5))
    buffers = detector.allocate()
    assert [count for *_, count in run.results] == [
        len(detector.detect(frame, buffers, 0.3)) for frame in frames
    ]
    assert run.recorded["c0", "inference"] == 4 * 6
    assert run.recorded["c0", "end_to_end"] == 4


def test_a_part_that_fails_costs_its_frame_and_no_other(detector: Detector, tmp_path: Path) -> None:
    broken = replace(detector, engine=FailsOnce(detector.engine))
    detectors = Kept(broken)
    run = Run(broken, detectors=detectors)
    run.to_the_end(run.cameras(still_pictures(tmp_path, 4), regions=((0.0, 0.0, 0.5, 0.5),) * 2))
    assert run.pipeline.failed == {"c0": 1}
    assert [sequence for _, sequence, _, _ in run.results] == [1, 2, 3]
    assert run.pipeline.failure is None
