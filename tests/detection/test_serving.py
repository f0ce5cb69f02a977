"""Detection goes on when a delegate does not: crashes, hangs, wrong numbers, and the way back."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import numpy as np
import psutil
import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.candidates import Candidate, find_candidates
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import RankedCandidates
from edgeagent.detection.records import TrialRecords, TrialVerdict
from edgeagent.detection.serving import ServingDetector
from edgeagent.detection.serving_state import Change, ServingIntervals, ServingState
from edgeagent.detection.starting import WorkerDetector, WorkerOptions
from edgeagent.detection.trials import CandidateTrials
from edgeagent.engines.delegates import CATALOGUE, EXTERNAL, Delegate, external_delegate
from edgeagent.errors import EngineError
from edgeagent.timing.guarded_thread import Fault, subscribe
from edgeagent.worker.engine import WorkerEngine, WorkerStarvedError
from edgeagent.worker.protocol import LoadRequest
from tests.engines.standin import build_standin
from tests.included import QUICK_BUNDLE
from tests.worker.running import running_workers

PATIENCE = 120.0
GOLDEN = 4  # runs of a check by the golden pictures
WARM_UP = 3


@dataclass(frozen=True)
class StandinOptions(WorkerOptions):
    """Workers whose stand-in has the mode that the board is in when they start."""

    mode: Callable[[], str] = lambda: "accept"

    def load_request(self, path: Path, delegate: Delegate, threads: int) -> LoadRequest:
        if delegate.name == EXTERNAL and delegate.library:
            delegate = external_delegate(delegate.library, {"mode": self.mode()})
        return super().load_request(path, delegate, threads)


class Board:
    """A serving detector with its changes."""

    def __init__(
        self,
        bundle: Bundle,
        folder: Path,
        names: list[str],
        library: str = "",
        mode: str = "",
        right: bool = True,
    ) -> None:
        self.mode = mode
        more = (external_delegate(library, {"mode": mode}),) if library else ()
        candidates = find_candidates(bundle.manifest, names, (*more, *CATALOGUE))
        records = TrialRecords(Journal(folder / "journal"))
        self.trials = CandidateTrials(
            bundle, candidates, StandinOptions(mode=lambda: self.mode), records, 0.65
        )
        self.changes: Queue[Change] = Queue()
        verdicts = tuple(
            TrialVerdict(one.name, right or one is not candidates[0], "not right", load_s=0.1)
            for one in candidates
        )
        ranked = RankedCandidates(self.trials, verdicts, tuple(zip(candidates, verdicts, strict=True)))
        self.serving = ServingDetector(ranked, self.changes.put, ServingIntervals(0.2, 0.1, 1.0))
        self.serving.start()

    def detector(self) -> WorkerDetector:
        found = self.serving.current(PATIENCE)
        assert found is not None
        return found

    def state(self) -> ServingState:
        return self.serving.serving_state

    def worker(self) -> WorkerEngine:
        return self.detector().engine

    def detect(self) -> None:
        """Send a frame through, as the pipeline does."""
        detector = self.detector()
        buffers = detector.allocate()
        try:
            detector.engine.infer(buffers.inputs, buffers.outputs)
        except EngineError as error:
            self.serving.failed(detector, error)
        else:
            self.serving.worked(detector)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(QUICK_BUNDLE)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_standin(tmp_path_factory.mktemp("standin"))


@pytest.fixture
def boards() -> Iterator[list[Board]]:
    made: list[Board] = []
    yield made
    for board in made:
        board.serving.stop()
        board.serving._thread.join(PATIENCE)  # it may be starting a candidate
    assert not running_workers()


def test_a_worker_that_is_killed_is_replaced_and_comes_back(
    bundle: Bundle, boards: list[Board], tmp_path: Path
) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu", "tflite-xnnpack"])
    boards.append(board)
    assert board.state() == "best"
    os.kill(board.worker().pid, signal.SIGKILL)
    board.detect()
    first = board.changes.get(timeout=PATIENCE)
    assert (first.serving, first.best) == ("tflite-xnnpack model.tflite", False)
    assert "onnxruntime-cpu: the worker died of SIGKILL" in first.reason
    assert first.took_s > 0
    back = board.changes.get(timeout=PATIENCE)
    assert (back.serving, back.best) == ("onnxruntime-cpu model.onnx", True)
    board.detect()
    assert board.serving.facts.engine == "onnxruntime"
    assert board.state() == "best"
    board.serving.stop()
    assert board.state() == "stopped"


def test_a_worker_that_hangs_is_replaced(bundle: Bundle, boards: list[Board], tmp_path: Path) -> None:
    board = Board(bundle, tmp_path, ["tflite-xnnpack", "onnxruntime-cpu"])
    boards.append(board)
    psutil.Process(board.worker().pid).suspend()
    board.detect()
    change = board.changes.get(timeout=PATIENCE)
    assert change.serving == "onnxruntime-cpu model.onnx"
    assert "no answer within" in change.reason


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("abort-after:{}", "the worker died of SIGABRT"),
        ("wrong-after:{}", "does not compute what was trained"),
        ("error-after:{}", "failed while running"),
    ],
)
def test_a_delegate_that_goes_wrong_while_it_serves_is_replaced(
    mode: str, reason: str, bundle: Bundle, library: str, boards: list[Board], tmp_path: Path
) -> None:
    """Wrong numbers are found by the golden pictures, without a frame."""
    board = Board(bundle, tmp_path, ["tflite-external", "onnxruntime-cpu"], library, mode.format(60 * GOLDEN))
    boards.append(board)
    assert board.serving.candidate is not None
    assert board.serving.candidate.delegate.name == "tflite-external"
    board.mode = "refuse"  # what it is when it is tried again
    ends = threading.Event()

    def frames() -> None:
        while not ends.is_set():
            board.detect()

    camera = threading.Thread(target=frames)
    camera.start()
    try:
        change = board.changes.get(timeout=PATIENCE)
    finally:
        ends.set()
        camera.join()
    assert change.serving == "onnxruntime-cpu model.onnx"
    assert reason in change.reason
    board.mode = "accept"
    back = board.changes.get(timeout=PATIENCE)
    assert (back.serving, back.best) == ("tflite-external model.tflite", True)


def test_with_nothing_left_it_says_so_and_tries_again(
    bundle: Bundle, library: str, boards: list[Board], tmp_path: Path
) -> None:
    board = Board(bundle, tmp_path, ["tflite-external"], library, "accept")
    boards.append(board)
    board.mode = "refuse"
    os.kill(board.worker().pid, signal.SIGKILL)
    board.detect()
    change = board.changes.get(timeout=PATIENCE)
    assert (change.serving, change.best) == (None, False)
    assert board.serving.current(0) is None
    assert board.state() == "not detecting"
    board.mode = "accept"
    back = board.changes.get(timeout=PATIENCE)
    assert back.serving == "tflite-external model.tflite"
    board.detect()


def test_the_only_delegate_is_started_again_at_once(
    bundle: Bundle, boards: list[Board], tmp_path: Path
) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu"])
    boards.append(board)
    before = board.worker()
    os.kill(before.pid, signal.SIGKILL)
    board.detect()
    change = board.changes.get(timeout=PATIENCE)
    assert (change.serving, change.best) == ("onnxruntime-cpu model.onnx", True)
    assert board.worker().pid != before.pid


def test_after_a_first_crash_the_same_serves_again_and_after_the_next_another(
    bundle: Bundle, boards: list[Board], tmp_path: Path
) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu", "tflite-xnnpack"])
    boards.append(board)
    for serving in ("onnxruntime-cpu model.onnx", "tflite-xnnpack model.tflite"):
        board.detect()
        os.kill(board.worker().pid, signal.SIGKILL)
        board.detect()
        change = board.changes.get(timeout=PATIENCE)
        assert (change.serving, change.best) == (serving, serving.startswith("onnxruntime"))
        assert change.failure is not None
        assert "died of SIGKILL" in change.failure


def test_a_bug_in_the_supervision_costs_no_detection(
    bundle: Bundle, boards: list[Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu"])
    boards.append(board)
    faults: Queue[Fault] = Queue()
    end, start, failures = subscribe(faults.put), CandidateTrials.start, [OSError(24, "Too many open files")]

    def faulty(trials: CandidateTrials, candidate: Candidate, *, alone: bool) -> WorkerDetector:
        if failures:
            raise failures.pop()
        return start(trials, candidate, alone=alone)

    monkeypatch.setattr(CandidateTrials, "start", faulty)
    os.kill(board.worker().pid, signal.SIGKILL)
    board.detect()
    assert faults.get(timeout=PATIENCE) == Fault("serving", "OSError: [Errno 24] Too many open files", False)
    assert board.changes.get(timeout=PATIENCE).serving == "onnxruntime-cpu model.onnx"
    board.detect()
    end()


def test_with_all_in_back_off_the_quickest_to_load_serves(
    bundle: Bundle, boards: list[Board], tmp_path: Path
) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu", "tflite-xnnpack", "openvino-cpu"])
    boards.append(board)
    for one in board.serving._ranks.states:
        one.retry_at, one.load_s = float("inf"), 9.0 if one.candidate.delegate.name == "openvino-cpu" else 0.3
        one.failures = 3
    for serving in ("tflite-xnnpack", "onnxruntime-cpu", "tflite-xnnpack"):
        board.detect()
        os.kill(board.worker().pid, signal.SIGKILL)
        board.detect()
        change = board.changes.get(timeout=PATIENCE)
        assert change.serving is not None
        assert change.serving.split()[0] == serving
        for one in board.serving._ranks.states:
            one.retry_at = float("inf")


def test_a_machine_that_is_too_busy_at_the_start_is_waited_for(
    bundle: Bundle, boards: list[Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.detection.candidate_starter.STARVED_AGAIN_S", (0.0, 0.0))
    start, failures = CandidateTrials.start, [WorkerStarvedError("no processor"), WorkerStarvedError("none")]

    def starved(trials: CandidateTrials, candidate: Candidate, *, alone: bool) -> WorkerDetector:
        if failures:
            raise failures.pop()
        return start(trials, candidate, alone=alone)

    monkeypatch.setattr(CandidateTrials, "start", starved)
    board = Board(bundle, tmp_path, ["onnxruntime-cpu"])
    boards.append(board)
    assert board.state() == "best"
    assert not failures


def test_a_first_choice_that_is_not_right_is_told_and_tried_again(
    bundle: Bundle, library: str, boards: list[Board], tmp_path: Path
) -> None:
    board = Board(bundle, tmp_path, ["tflite-external", "onnxruntime-cpu"], library, "accept", right=False)
    boards.append(board)
    state = board.serving.state()
    assert (state.serving, state.best) == ("onnxruntime-cpu model.onnx", False)
    back = board.changes.get(timeout=PATIENCE)
    assert (back.serving, back.best) == ("tflite-external model.tflite", True)


def test_one_bad_frame_is_no_failure(bundle: Bundle, boards: list[Board], tmp_path: Path) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu"])
    boards.append(board)
    detector = board.detector()
    for _ in range(4):
        board.serving.failed(detector, EngineError("once"))
        board.serving.worked(detector)
    assert board.serving.current(0) is detector
    for _ in range(3):
        board.serving.failed(detector, EngineError("always"))
    assert board.changes.get(timeout=PATIENCE).reason == "always"


def test_without_any_candidate_that_starts_there_is_one_sentence(
    bundle: Bundle, library: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"no delegate serves: .*the delegate does not start"):
        Board(bundle, tmp_path, ["tflite-external"], library, "refuse")


def test_results_are_those_of_the_engine(bundle: Bundle, boards: list[Board], tmp_path: Path) -> None:
    board = Board(bundle, tmp_path, ["onnxruntime-cpu"])
    boards.append(board)
    detector = board.detector()
    buffers = detector.allocate()
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    assert len(detector.detect(picture, buffers, 0.99)) >= 0
    board.trials.check(board.trials.candidates[0], detector.engine)


def test_it_stops_at_once_while_the_worker_hangs(
    bundle: Bundle, boards: list[Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CandidateTrials, "deadline_s", lambda trials, candidate: 10 * PATIENCE)
    board = Board(bundle, tmp_path, ["onnxruntime-cpu"])
    boards.append(board)
    os.kill(board.worker().pid, signal.SIGSTOP)
    frame = threading.Thread(target=board.detect)
    frame.start()
    board.serving.stop()
    frame.join(PATIENCE)
    assert not frame.is_alive()
    assert board.changes.empty()


def test_it_stops_at_once_while_a_delegate_hangs_on_loading(
    bundle: Bundle, library: str, tmp_path: Path
) -> None:
    board = Board(
        bundle, tmp_path, ["tflite-external", "onnxruntime-cpu"], library, "hang-on-load", right=False
    )
    while len(started := running_workers()) < 2:
        pass
    board.serving.stop()
    hanging = [one for one in started if one.is_running()]
    assert len(hanging) == 1
    hanging[0].kill()


def test_a_candidate_that_starts_after_the_end_is_closed(
    bundle: Bundle, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, starting, go_on = CandidateTrials.start, threading.Event(), threading.Event()

    def delayed(trials: CandidateTrials, candidate: Candidate, *, alone: bool) -> WorkerDetector:
        detector = start(trials, candidate, alone=alone)
        if candidate.delegate.name == EXTERNAL:
            starting.set()
            go_on.wait(PATIENCE)
        return detector

    monkeypatch.setattr(CandidateTrials, "start", delayed)
    board = Board(bundle, tmp_path, ["tflite-external", "onnxruntime-cpu"], library, "accept", right=False)
    assert starting.wait(PATIENCE)
    board.serving.stop()
    assert len(running_workers()) == 1
    go_on.set()
    board.serving._thread.join(PATIENCE)
    assert running_workers() == []
    assert board.changes.empty()


def shared_buffers() -> int:
    """Mappings of buffers that this process shares with workers."""
    return Path("/proc/self/maps").read_text().count("memfd:edgeagent-slots")


def test_the_buffers_of_a_worker_that_died_are_unmapped_without_the_collector(
    bundle: Bundle, boards: list[Board], tmp_path: Path
) -> None:
    gc.collect()
    gc.disable()
    try:
        before = shared_buffers()
        board = Board(bundle, tmp_path, ["onnxruntime-cpu", "tflite-xnnpack"])
        boards.append(board)
        board.detect()
        engine = weakref.ref(board.worker())
        os.kill(board.worker().pid, signal.SIGKILL)
        board.detect()
        board.changes.get(timeout=PATIENCE)
        board.detect()
        assert engine() is None
        assert shared_buffers() == before + 1
        board.serving.stop()
        board.serving._thread.join(PATIENCE)
        assert shared_buffers() == before
    finally:
        gc.enable()
