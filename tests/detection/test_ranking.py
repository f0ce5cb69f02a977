"""Ranking by plain arguments and by the agent's settings: the same candidates in the same order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.journal import JOURNAL, Journal, open_journal
from edgeagent.detection.ranking import configured_candidates, rank_candidates, rank_delegates
from edgeagent.detection.records import VERDICTS, open_records
from edgeagent.detection.starting import worker_options
from edgeagent.detection.trials import CandidateTrials
from edgeagent.engines.delegates import CATALOGUE, SPINNING, with_spinning
from edgeagent.errors import ConfigurationError, EngineError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import LibrarySettings, ModelSettings
from edgeagent.worker.protocol import LoadRequest
from tests.engines import cell_detector as cells
from tests.engines.standin import build_standin
from tests.included import QUICK_BUNDLE
from tests.worker.running import running_workers


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return cells.build_bundle(tmp_path / "cells")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_standin(tmp_path_factory.mktemp("standin"))


def test_the_fastest_right_delegate_starts_without_any_file(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    ranked = rank_delegates(bundle)
    names = [candidate.name for candidate, _ in ranked.ranked]
    everywhere = {"onnxruntime-cpu engines/tiny.onnx", "openvino-cpu engines/tiny.onnx"}
    assert everywhere <= set(names)
    assert all(name.startswith("openvino-cpu-") for name in set(names) - everywhere)  # short numbers
    assert ranked.first is not None
    assert ranked.first.name == names[0]
    detector = ranked.start()
    try:
        assert ranked.first.delegate.engine == detector.engine.facts.engine
        found = detector.detect(cells.picture(), detector.allocate(), 0.3)
        np.testing.assert_allclose(found.boxes, cells.boxes())
    finally:
        detector.engine.close()
    assert sorted(tmp_path.iterdir()) == before


def test_plain_arguments_and_settings_share_verdicts(bundle: Bundle, tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = Settings(state=state, cameras=(CameraSettings(name="yard", source="0"),))
    by_settings = rank_candidates(bundle, settings, open_journal(state))
    journal, verdicts = (state / JOURNAL).read_bytes(), (state / VERDICTS).read_bytes()
    plain = rank_delegates(bundle, state=state)
    assert (plain.verdicts, plain.ranked) == (by_settings.verdicts, by_settings.ranked)
    assert (state / JOURNAL).read_bytes() == journal, "nothing was tried again"
    assert (state / VERDICTS).read_bytes() == verdicts


def test_named_engines_keep_their_order_and_the_first_that_starts_is_taken(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.detection.trials.RETRY_AFTER_S", ())
    ranked = rank_delegates(
        open_bundle(QUICK_BUNDLE),
        "tflite-external, onnxruntime-cpu",
        threads=1,
        library=LibrarySettings(path=library, options={"mode": "wrong"}),
    )
    assert [candidate.delegate.name for candidate, _ in ranked.ranked] == [
        "tflite-external",
        "onnxruntime-cpu",
    ]
    assert [verdict.right for verdict in ranked.verdicts] == [False, True]
    detector = ranked.start()
    try:
        assert detector.engine.facts.engine == "onnxruntime"
        assert detector.engine.facts.threads == 1
    finally:
        detector.engine.close()


def test_hardware_is_tried_without_a_state_folder(library: str) -> None:
    ranked = rank_delegates(
        open_bundle(QUICK_BUNDLE), "tflite-external", threads=1, library=LibrarySettings(path=library)
    )
    assert ranked.first is not None


def test_a_candidate_that_no_longer_starts_is_left_for_the_next(bundle: Bundle) -> None:
    ranked = rank_delegates(bundle, "openvino-cpu, onnxruntime-cpu", threads=1)
    bundle.artefact_path(bundle.manifest.artefacts[0]).write_bytes(b"gone")
    with pytest.raises(EngineError, match=r"no delegate serves tiny 1\.2\.3: .*is damaged.*; .*is damaged"):
        ranked.start()
    assert running_workers() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "gpu"}, "'gpu' is none"),
        ({"threads": -1}, "threads: "),
        ({"iou_threshold": 2.0}, "iou_threshold: "),
    ],
)
def test_wrong_arguments_are_told(bundle: Bundle, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        rank_delegates(bundle, **arguments)  # type: ignore[arg-type]


def test_a_journal_in_memory_forgets_nothing_and_writes_nothing(tmp_path: Path) -> None:
    journal = Journal(None, boot="a")
    journal.write("start", "x")
    assert journal.suspects() == []
    assert not journal.took_down("x")


def test_spinning_threads_are_measured_apart(bundle: Bundle) -> None:
    keys = {}
    for spinning in (False, True):
        model = ModelSettings(engine="onnxruntime-cpu", threads=2, spinning=spinning)
        (candidate,) = configured_candidates(bundle.manifest, model)
        assert candidate.delegate.options.get(SPINNING) == ("1" if spinning else None)
        records = open_records(None)
        trials = CandidateTrials(bundle, [candidate], worker_options(model, None), records, 0.65)
        keys[spinning] = trials.key(candidate)
        request = worker_options(model, None).load_request(bundle.directory, candidate.delegate, 2)
        assert LoadRequest.decode(request.encode()).delegate.options == candidate.delegate.options
    assert keys[False] != keys[True]


def test_only_the_cpu_of_onnxruntime_spins() -> None:
    pairs = zip(CATALOGUE, with_spinning(CATALOGUE), strict=True)
    assert [new.name for old, new in pairs if old.options != new.options] == ["onnxruntime-cpu"]
