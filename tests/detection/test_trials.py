"""Which delegate serves, with a real artefact, real workers, and a stand-in for an accelerator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.candidates import Candidate, find_candidates
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import fastest_first
from edgeagent.detection.records import VERDICTS, TrialRecords, TrialVerdict, load_verdicts
from edgeagent.detection.starting import WorkerDetector, WorkerOptions, start_detector
from edgeagent.detection.trials import CandidateTrials
from edgeagent.engines.delegates import CATALOGUE, external_delegate
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.worker.engine import WorkerHungError, WorkerStarvedError
from edgeagent.worker.protocol import LoadRequest
from tests.engines.standin import build_standin
from tests.included import QUICK_BUNDLE


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(QUICK_BUNDLE)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_standin(tmp_path_factory.mktemp("standin"))


def trials(
    bundle: Bundle,
    folder: Path,
    *names: str,
    mode: str = "accept",
    library: str = "",
    threads: tuple[int, ...] = (1,),
) -> CandidateTrials:
    more = (external_delegate(library, {"mode": mode}),) if library else ()
    candidates = find_candidates(bundle.manifest, names, (*more, *CATALOGUE))
    records = TrialRecords(Journal(folder / "journal", boot="this boot"), folder / VERDICTS)
    return CandidateTrials(bundle, candidates, WorkerOptions(threads), records, 0.65)


def events(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / "journal").read_text().splitlines()]


def test_artefacts_and_delegates_become_candidates(bundle: Bundle) -> None:
    names = [candidate.name for candidate in find_candidates(bundle.manifest, ["auto"])]
    assert "onnxruntime-tensorrt model.tensorrt.onnx" in names
    assert [name for name in names if "-bf16" not in name and "-f16" not in name][-4:] == [
        "tflite-xnnpack model.tflite",
        "openvino-cpu model.openvino.onnx",
        "openvino-cpu model.onnx",  # either grid may be the faster one
        "onnxruntime-cpu model.onnx",
    ]
    assert not any(
        name.startswith(("tflite-edgetpu", "hailo")) for name in names
    )  # nothing compiled for them


def test_the_operators_order_is_kept(bundle: Bundle) -> None:
    found = find_candidates(bundle.manifest, ["onnxruntime-cpu", "tflite"])
    assert [candidate.delegate.name for candidate in found] == ["onnxruntime-cpu", "tflite-xnnpack"]


def test_a_bundle_for_other_delegates_is_told(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"holds .*; none of it runs on tflite-edgetpu"):
        find_candidates(bundle.manifest, ["tflite-edgetpu"])
    with pytest.raises(EngineError, match="no delegate or engine is called 'gpu'; choose from "):
        find_candidates(bundle.manifest, ["gpu"])


def test_right_ones_are_ranked_and_the_journal_is_closed(bundle: Bundle, tmp_path: Path) -> None:
    found = trials(bundle, tmp_path, "tflite-xnnpack", "onnxruntime-cpu")
    ranked = fastest_first(list(zip(found.candidates, found.verdicts(), strict=True)))
    times = [verdict.p50_ms for _, verdict in ranked]
    assert len(times) == 2
    assert times == sorted(times, key=lambda time: time or 0)
    assert all(verdict.load_s and verdict.placed == 1.0 for _, verdict in ranked)
    assert events(tmp_path) == ["start", "end"] * 2


def test_the_faster_number_of_threads_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    found = trials(bundle, tmp_path, "onnxruntime-cpu", threads=(1, 2))
    (verdict,) = found.verdicts()
    assert verdict.threads in (1, 2)
    detector = found.start(found.candidates[0])
    try:
        assert detector.engine.facts.threads == verdict.threads
    finally:
        detector.engine.close()
    assert trials(bundle, tmp_path, "onnxruntime-cpu", threads=(1, 2)).verdicts() == [verdict]


def test_a_kept_verdict_is_not_tried_again_before_something_changes(bundle: Bundle, tmp_path: Path) -> None:
    (first,) = trials(bundle, tmp_path, "onnxruntime-cpu").verdicts()
    (second,) = trials(bundle, tmp_path, "onnxruntime-cpu").verdicts()
    assert first == second
    assert events(tmp_path) == ["start", "end"]
    (tmp_path / "verdicts.json").write_text("{not json")
    assert [one.right for one in trials(bundle, tmp_path, "onnxruntime-cpu").verdicts()] == [True]
    assert events(tmp_path) == ["start", "end"] * 2


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("refuse", "the delegate does not start"),
        ("abort", "the worker died of SIGABRT"),
        ("crash-on-load", "the worker died of SIGSEGV"),
        ("wrong", "does not compute what was trained"),
        ("error", "failed while running"),
    ],
)
def test_what_fails_in_a_trial_is_no_choice(
    mode: str, reason: str, bundle: Bundle, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.detection.trials.RETRY_AFTER_S", (0.0, 0.0))
    found = trials(bundle, tmp_path, "tflite-external", mode=mode, library=library)
    (verdict,) = found.verdicts()
    assert not verdict.right
    assert reason in verdict.reason
    assert events(tmp_path) == ["start", "error"] * 3  # a stick may be back in a moment
    assert fastest_first([(found.candidates[0], verdict)]) == []
    assert load_verdicts(tmp_path / VERDICTS) == {}


def test_what_failed_is_tried_again_at_the_next_start(
    bundle: Bundle, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only verdicts of right candidates are kept."""
    monkeypatch.setattr("edgeagent.detection.trials.RETRY_AFTER_S", ())
    names = ("tflite-external", "onnxruntime-cpu")
    trials(bundle, tmp_path, *names, mode="wrong", library=library).verdicts()
    assert [one.candidate for one in load_verdicts(tmp_path / VERDICTS).values()] == [
        "onnxruntime-cpu model.onnx"
    ]
    assert events(tmp_path) == ["start", "error", "start", "end"]
    trials(bundle, tmp_path, *names, mode="wrong", library=library).verdicts()
    assert events(tmp_path)[4:] == ["start", "error"]


def test_what_got_no_processor_is_tried_again_at_once(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.detection.trials.RETRY_AFTER_S", (0.0, 0.0))
    measure = CandidateTrials.measure
    failures: list[EngineError] = [WorkerStarvedError("busy"), WorkerStarvedError("busy")]

    def starved(tried: CandidateTrials, candidate: Candidate, threads: int) -> TrialVerdict:
        if failures:
            raise failures.pop()
        return measure(tried, candidate, threads)

    monkeypatch.setattr(CandidateTrials, "measure", starved)
    (verdict,) = trials(bundle, tmp_path, "onnxruntime-cpu").verdicts()
    assert verdict.right
    assert events(tmp_path) == ["start", "error", "start", "error", "start", "end"]
    failures += [WorkerHungError("hung")]
    (tmp_path / "other").mkdir()
    (verdict,) = trials(bundle, tmp_path / "other", "onnxruntime-cpu").verdicts()
    assert not verdict.right


def test_only_what_serves_on_the_processor_runs_calls_side_by_side(
    bundle: Bundle, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a trial, whose latency is measured, nor a worker beside the one that serves."""
    asked: list[bool] = []

    def note(request: LoadRequest, *rest: Any, **more: Any) -> WorkerDetector:
        asked.append(request.side_by_side)
        return start_detector(request, *rest, **more)

    monkeypatch.setattr("edgeagent.detection.trials.start_detector", note)
    found = trials(bundle, tmp_path, "onnxruntime-cpu", "tflite-external", library=library)
    found.verdicts()
    assert asked == [False, False]
    for candidate in found.candidates:
        found.start(candidate).engine.close()
    assert asked[2:] == [True, False]
    found.start(found.candidates[0], alone=True).engine.close()
    assert asked.pop() is False
    beside = CandidateTrials(
        bundle, found.candidates[:1], WorkerOptions(low_priority=True), TrialRecords(None), 0.65
    )
    beside.start(beside.candidates[0]).engine.close()
    assert asked[4:] == [False]


def test_without_a_journal_only_the_processor_is_tried(bundle: Bundle, library: str, tmp_path: Path) -> None:
    found = trials(bundle, tmp_path, "tflite-external", "onnxruntime-cpu", library=library)
    without = CandidateTrials(bundle, found.candidates, WorkerOptions(), TrialRecords(None), 0.65)
    external, processor = without.verdicts()
    assert external.reason == "is not tried without a journal: it might take the machine down"
    assert processor.right


def test_what_is_not_there_is_not_tried(bundle: Bundle, tmp_path: Path) -> None:
    (verdict,) = trials(bundle, tmp_path, "onnxruntime-tensorrt").verdicts()
    assert verdict.reason == "the installed onnxruntime was built without TensorrtExecutionProvider"
    assert (tmp_path / "journal").read_text() == ""


def test_what_took_the_machine_down_is_not_tried_again(bundle: Bundle, tmp_path: Path) -> None:
    found = trials(bundle, tmp_path, "onnxruntime-cpu")
    key = found.key(found.candidates[0])
    Journal(tmp_path / "journal", boot="the boot before").write("start", key)
    (verdict,) = trials(bundle, tmp_path, "onnxruntime-cpu").verdicts()
    assert verdict.reason.startswith("the machine went down while this was tried")
    Journal(tmp_path / "journal", boot="this boot").write("forgive", key)
    (verdict,) = trials(bundle, tmp_path, "onnxruntime-cpu").verdicts()
    assert verdict.right


def test_torn_and_strange_lines_of_a_journal_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path, boot="a").write("start", "x")
    with path.open("ab") as file:
        file.write(b'{"event": "end", "key": "x", "bo')
    journal = Journal(path, boot="b")
    assert journal.took_down("x")
    journal.write("end", "x")
    assert not Journal(path, boot="c").took_down("x")
    path.write_bytes(b"\xff\n[]\n{}\n" + path.read_bytes())
    assert not Journal(path, boot="c").took_down("x")


def test_a_journal_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EdgeagentError, match="the journal of trials cannot be used"):
        Journal(tmp_path / "file" / "journal")
    (tmp_path / "folder").mkdir()
    with pytest.raises(EdgeagentError, match="the journal of trials cannot be used"):
        Journal(tmp_path / "folder")
