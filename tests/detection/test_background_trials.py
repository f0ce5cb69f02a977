"""The first right candidate serves at once, and the others are tried beside it; real workers, a stand-in."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.candidates import Candidate, find_candidates
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import RankedCandidates, fastest_first, rank_kept
from edgeagent.detection.records import VERDICTS, TrialRecords, TrialVerdict, load_verdicts
from edgeagent.detection.serving import ServingDetector
from edgeagent.detection.serving_state import Change, ServingIntervals
from edgeagent.detection.starting import WorkerDetector, WorkerOptions
from edgeagent.detection.trials import CandidateTrials, WrongOutputsError
from edgeagent.engines.delegates import CATALOGUE, external_delegate
from edgeagent.errors import EngineError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.worker.engine import WorkerDiedError
from tests.engines.standin import build_standin
from tests.included import QUICK_BUNDLE
from tests.worker.running import running_workers

PATIENCE = 240.0
TFLITE, ONNX, EXTERNAL = (
    "tflite-xnnpack model.tflite",
    "onnxruntime-cpu model.onnx",
    "tflite-external model.tflite",
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(QUICK_BUNDLE)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_standin(tmp_path_factory.mktemp("standin"))


@pytest.fixture(autouse=True)
def short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few timed calls: what is tested is not the latency."""
    for name, value in {"RUNS": 2, "LONGEST_REST_S": 0.01}.items():
        monkeypatch.setattr(f"edgeagent.detection.latency.{name}", value)
    for name, value in {"FIRST_FRAME_S": 0.0, "AGAIN_S": 0.0}.items():
        monkeypatch.setattr(f"edgeagent.detection.background_trials.{name}", value)
    monkeypatch.setattr("edgeagent.detection.trials.RETRY_AFTER_S", ())


class Board:
    """What serves of some candidates, all of them untried unless there are kept verdicts."""

    def __init__(
        self,
        bundle: Bundle,
        folder: Path,
        *names: str,
        library: str = "",
        mode: str = "accept",
        threads: tuple[int, ...] = (1,),
        by_speed: bool = True,
        records: TrialRecords | None = None,
    ) -> None:
        more = (external_delegate(library, {"mode": mode}),) if library else ()
        candidates = find_candidates(bundle.manifest, names, (*more, *CATALOGUE))
        self.folder = folder
        records = records or TrialRecords(Journal(folder / "journal"), folder / VERDICTS)
        self.trials = CandidateTrials(bundle, candidates, WorkerOptions(threads), records, 0.65)
        kept = self.trials.kept()
        judged = [(one, kept[one.name]) for one in candidates if one.name in kept]
        ranked = RankedCandidates(
            self.trials,
            tuple(kept.values()),
            tuple(fastest_first(judged) if by_speed else judged),
            tuple(one for one in candidates if one.name not in kept),
            by_speed,
        )
        self.changes: Queue[Change] = Queue()
        self.serving = ServingDetector(ranked, self.changes.put, ServingIntervals(600.0, 0.1, 1.0))

    def name(self) -> str | None:
        candidate = self.serving.candidate
        return candidate.name if candidate is not None else None

    def detector(self) -> WorkerDetector:
        found = self.serving.current(PATIENCE)
        assert found is not None
        return found

    def detect(self) -> None:
        detector = self.detector()
        buffers = detector.allocate()
        detector.engine.infer(buffers.inputs, buffers.outputs)
        self.serving.worked(detector)

    def finish_trials(self) -> None:
        assert self.serving._background is not None
        self.serving._background._thread.join(PATIENCE)
        assert not self.serving._background._thread.is_alive()

    def verdicts(self) -> dict[str, TrialVerdict]:
        return {verdict.candidate: verdict for verdict in load_verdicts(self.folder / VERDICTS).values()}

    def journal(self) -> dict[str, str]:
        """The last event of each candidate."""
        lines = (self.folder / "journal").read_text().splitlines()
        return {line["key"].rpartition(" ")[0]: line["event"] for line in map(json.loads, lines)}


@pytest.fixture
def boards() -> Iterator[Callable[[Board], Board]]:
    made: list[Board] = []

    def keep(board: Board) -> Board:
        made.append(board)
        board.serving.start()
        return board

    yield keep
    for board in made:
        board.serving.stop(PATIENCE)
    assert not running_workers()


Keep = Callable[[Board], Board]


def test_the_first_right_candidate_serves_and_the_others_are_tried_beside_it(
    bundle: Bundle, boards: Keep, tmp_path: Path
) -> None:
    board = boards(Board(bundle, tmp_path, "tflite-xnnpack", "onnxruntime-cpu"))
    assert (board.name(), board.serving.serving_state) == (TFLITE, "best")
    board.detect()
    board.finish_trials()
    board.detect()
    found = board.verdicts()
    assert {name: verdict.right for name, verdict in found.items()} == {TFLITE: True, ONNX: True}
    assert [verdict.chosen for verdict in found.values()].count(True) == 1
    assert all(verdict.p50_ms and verdict.load_s for verdict in found.values())
    assert set(board.journal().values()) == {"end"}
    assert board.serving.trying is None


def test_the_next_start_tries_nothing(bundle: Bundle, boards: Keep, tmp_path: Path) -> None:
    first = boards(Board(bundle, tmp_path, "tflite-xnnpack", "onnxruntime-cpu"))
    first.finish_trials()
    (chosen,) = (name for name, verdict in first.verdicts().items() if verdict.chosen)
    again = boards(Board(bundle, tmp_path, "tflite-xnnpack", "onnxruntime-cpu"))
    assert again.serving._background is None
    assert again.name() == chosen


def test_what_serves_is_exchanged_once_for_the_first_choice(
    bundle: Bundle, boards: Keep, tmp_path: Path
) -> None:
    """The operator's order decides here; the first choice starts after the other one serves."""
    board = Board(bundle, tmp_path, "tflite-xnnpack", by_speed=False)
    candidates = find_candidates(bundle.manifest, ["onnxruntime-cpu", "tflite-xnnpack"])
    board.trials.candidates = tuple(candidates)
    board.serving.stop()
    ranked = RankedCandidates(board.trials, (), (), tuple(reversed(candidates)))
    board.serving = ServingDetector(ranked, board.changes.put, ServingIntervals(600.0, 0.1, 1.0))
    boards(board)
    assert board.name() == TFLITE
    change = board.changes.get(timeout=PATIENCE)
    assert (change.serving, change.best, change.failure) == (ONNX, True, None)
    assert change.reason == "it is the first choice"
    board.detect()
    board.finish_trials()
    assert board.changes.empty()
    assert len(running_workers()) == 1


@pytest.mark.parametrize(("mode", "reason"), [("wrong", "does not compute"), ("abort", "died of SIGABRT")])
def test_a_candidate_that_is_wrong_or_crashes_never_serves(
    mode: str, reason: str, bundle: Bundle, library: str, boards: Keep, tmp_path: Path
) -> None:
    board = boards(Board(bundle, tmp_path, "onnxruntime-cpu", "tflite-external", library=library, mode=mode))
    assert board.name() == ONNX
    board.finish_trials()
    board.detect()
    assert board.name() == ONNX
    assert board.journal() == {ONNX: "end", EXTERNAL: "error"}
    assert list(board.verdicts()) == [ONNX], "it is tried again at the next start"
    assert board.changes.empty(), "no alarm"


def test_a_wrong_candidate_that_is_started_first_is_left_for_the_next(
    bundle: Bundle, library: str, boards: Keep, tmp_path: Path
) -> None:
    board = boards(
        Board(bundle, tmp_path, "tflite-external", "onnxruntime-cpu", library=library, mode="wrong")
    )
    assert (board.name(), board.serving.serving_state) == (ONNX, "best")
    board.finish_trials()
    assert board.changes.empty()
    assert board.journal() == {ONNX: "end", EXTERNAL: "error"}
    events = [json.loads(line)["event"] for line in (tmp_path / "journal").read_text().splitlines()]
    assert events.count("error") == 1, "it was not tried a second time"


def test_a_first_choice_of_the_operator_that_is_wrong_is_told(
    bundle: Bundle, library: str, boards: Keep, tmp_path: Path
) -> None:
    board = boards(
        Board(
            bundle,
            tmp_path,
            "tflite-external",
            "onnxruntime-cpu",
            library=library,
            mode="wrong",
            by_speed=False,
        )
    )
    change = board.changes.get(timeout=PATIENCE)
    assert (change.serving, change.best) == (ONNX, False)
    assert "does not compute what was trained" in change.reason
    assert board.serving.serving_state == "fallback"


def test_a_candidate_that_hangs_holds_no_frame_for_long(
    bundle: Bundle, library: str, boards: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs while it is timed, in the middle of a hold."""
    monkeypatch.setattr("edgeagent.detection.trials.LOW_PRIORITY_DEADLINE_S", 3.0)
    monkeypatch.setattr("edgeagent.detection.latency.LONGEST_HOLD_S", 0.2)
    golden_and_warm_up = 4 + 3
    mode = f"hang-after:{golden_and_warm_up}"
    board = boards(Board(bundle, tmp_path, "onnxruntime-cpu", "tflite-external", library=library, mode=mode))
    assert board.serving._background is not None
    while board.serving._background._thread.is_alive():
        board.serving.wait_turn()
        board.detect()
    assert board.name() == ONNX
    assert board.journal()[EXTERNAL] == "error"


def test_a_failure_of_what_serves_while_others_are_tried(
    bundle: Bundle, boards: Keep, tmp_path: Path
) -> None:
    board = boards(Board(bundle, tmp_path, "tflite-xnnpack", "onnxruntime-cpu"))
    detector = board.detector()
    os.kill(detector.engine.pid, signal.SIGKILL)
    detector.engine._process.wait(PATIENCE)
    buffers = detector.allocate()
    with pytest.raises(EngineError) as failure:
        detector.engine.infer(buffers.inputs, buffers.outputs)
    board.serving.failed(detector, failure.value)
    board.detect()
    board.finish_trials()
    board.detect()
    assert set(board.verdicts()) == {TFLITE, ONNX}
    until = time.monotonic() + PATIENCE
    while set(board.journal().values()) != {"end"}:  # what failed may be starting again
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_slow_replacement_of_what_serves_costs_one_attempt(
    bundle: Bundle, boards: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All attempts would be over before something serves again."""
    board = Board(bundle, tmp_path, "tflite-xnnpack", "onnxruntime-cpu")
    assert board.serving._background is not None
    trials, start = board.serving._background._thread, board.trials.start

    def after_the_trials(candidate: Candidate, *, alone: bool = False) -> WorkerDetector:
        trials.join(1.0)
        return start(candidate, alone=alone)

    monkeypatch.setattr(board.trials, "start", after_the_trials)
    detector = board.detector()
    detector.engine.close()
    board.serving.failed(detector, WorkerDiedError("it was killed"))
    boards(board)
    board.finish_trials()
    assert set(board.verdicts()) == {TFLITE, ONNX}


def test_a_stop_in_a_trial_is_no_end_of_the_machine(bundle: Bundle, library: str, tmp_path: Path) -> None:
    names = ("onnxruntime-cpu", "tflite-external")
    board = Board(bundle, tmp_path, *names, library=library, mode="hang-on-load")
    board.serving.start()
    until = time.monotonic() + PATIENCE
    while board.journal().get(EXTERNAL) != "start":
        assert time.monotonic() < until
        time.sleep(0.01)
    board.serving.stop(0.1)
    assert board.journal() == {ONNX: "end", EXTERNAL: "error"}
    assert Journal(tmp_path / "journal", boot="the next boot").suspects() == []
    for worker in running_workers():
        worker.kill()
    board.finish_trials()
    assert not running_workers()


def test_what_took_the_machine_down_is_not_tried_beside_either(
    bundle: Bundle, library: str, boards: Keep, tmp_path: Path
) -> None:
    names = ("onnxruntime-cpu", "tflite-external")
    probe = Board(bundle, tmp_path, *names, library=library)
    probe.serving.stop()
    key = probe.trials.key(probe.trials.candidates[1])
    Journal(tmp_path / "journal", boot="the boot before").write("start", key)
    board = boards(Board(bundle, tmp_path, *names, library=library))
    board.finish_trials()
    assert board.journal()[EXTERNAL] == "start", "nothing was begun again"
    assert list(board.verdicts()) == [ONNX]


def test_without_a_state_folder_the_processor_serves_and_no_hardware_is_tried(
    bundle: Bundle, library: str, boards: Keep, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    records = TrialRecords(None, tmp_path / "file" / VERDICTS)
    board = Board(bundle, tmp_path, "tflite-external", "onnxruntime-cpu", library=library, records=records)
    boards(board)
    assert board.name() == ONNX
    board.finish_trials()
    board.detect()
    assert board.name() == ONNX


def test_a_damaged_state_is_a_first_start(bundle: Bundle, tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, cameras=(CameraSettings(name="yard", source="0"),))
    (tmp_path / VERDICTS).write_bytes(b'{"a": ')
    (tmp_path / "journal").write_bytes(b"\xff\xfe\n{}\n")
    ranked = rank_kept(bundle, settings, Journal(tmp_path / "journal"))
    assert ranked.ranked == ()
    names = [candidate.name for candidate in ranked.untried]
    assert names[0] == TFLITE, "it loads quickly, and nothing has to be asked first"
    compiles = [candidate.delegate.compiles for candidate in ranked.untried]
    assert compiles == sorted(compiles)


def test_wrong_numbers_of_the_processor_are_kept_and_not_tried_again(
    bundle: Bundle, boards: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = CandidateTrials.check

    def differs(trials: CandidateTrials, candidate: Candidate, engine: object) -> None:
        if candidate.name == TFLITE:
            raise WrongOutputsError("does not compute what was trained")
        check(trials, candidate, engine)  # type: ignore[arg-type]

    monkeypatch.setattr(CandidateTrials, "check", differs)
    board = boards(Board(bundle, tmp_path, "onnxruntime-cpu", "tflite-xnnpack"))
    board.finish_trials()
    assert (board.verdicts()[TFLITE].right, board.verdicts()[TFLITE].final) == (False, True)
    again = boards(Board(bundle, tmp_path, "onnxruntime-cpu", "tflite-xnnpack"))
    assert again.serving._background is None
    assert again.name() == ONNX


def verdict(name: str, p50_ms: float, chosen: bool = False) -> TrialVerdict:
    return TrialVerdict(name, True, "", p50_ms, chosen=chosen)


def test_a_little_faster_is_no_reason_for_an_exchange(bundle: Bundle) -> None:
    slow, quick = find_candidates(bundle.manifest, ["onnxruntime-cpu", "tflite-xnnpack"])
    judged = [(slow, verdict(slow.name, 20.0)), (quick, verdict(quick.name, 19.5))]
    assert fastest_first(judged)[0][0] == quick
    assert fastest_first(judged, slow, 0.95)[0][0] == slow
    assert fastest_first(judged, slow, 0.99)[0][0] == quick
    kept = [(slow, verdict(slow.name, 20.0, chosen=True)), (quick, verdict(quick.name, 19.5))]
    assert fastest_first(kept)[0][0] == slow, "the decision is remembered"
