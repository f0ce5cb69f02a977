from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeagent.bench.cold_start import cold_start
from edgeagent.bench.measured_candidates import (
    choose_candidates,
    list_candidates,
    load_candidate,
    reference_candidates,
)
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.journal import JOURNAL, open_journal
from edgeagent.detection.ranking import rank_candidates
from edgeagent.errors import BundleError, ConfigurationError, DataError, EngineError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from tests.bench.made import candidate
from tests.bundle.tiny import ARTEFACT, build
from tests.engines.cell_detector import build_bundle, write_onnx
from tests.engines.onnx_graphs import sum_and_product
from tests.worker.running import running_workers


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return build_bundle(tmp_path / "tiny")


def names(bundle: Bundle, *wanted: str) -> list[str]:
    return [item.name for item in choose_candidates(bundle, wanted)]


def test_every_artefact_in_every_engine_that_reads_it(bundle: Bundle) -> None:
    listed = [item.name for item in list_candidates(bundle)]
    short = [name for name in listed if name.startswith(("openvino-cpu-bf16", "openvino-cpu-f16"))]
    wanted = [f"{engine}-cpu {ARTEFACT}" for engine in ("openvino", "onnxruntime")]
    assert listed == [*short, *wanted]  # processors that have short numbers run them, too
    assert names(bundle, "all") == listed


@pytest.mark.parametrize(
    "wanted",
    [
        ("onnxruntime",),
        ("onnxruntime-cpu",),
        (f"onnxruntime-cpu {ARTEFACT}",),
        ("onnxruntime-cpu", "onnxruntime"),
    ],
)
def test_what_is_asked_for_comes_once(bundle: Bundle, wanted: tuple[str, ...]) -> None:
    assert names(bundle, *wanted) == [f"onnxruntime-cpu {ARTEFACT}"]


def test_auto_is_what_the_daemon_would_take(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (found,) = names(bundle, "auto")
    assert found in names(bundle, "all")
    settings = Settings(cameras=(CameraSettings(name="yard", source="0"),))
    tried = (tmp_path / "state" / JOURNAL).read_bytes()
    first = rank_candidates(bundle, settings, open_journal(tmp_path / "state")).first
    assert first is not None
    assert first.name == found
    assert (tmp_path / "state" / JOURNAL).read_bytes() == tried, "the daemon takes the verdicts of the bench"


def test_auto_without_a_right_delegate_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    wrong = build_bundle(tmp_path / "wrong", golden_error=10.0)
    with pytest.raises(EngineError, match="no delegate here is right"):
        choose_candidates(wrong, ["auto"])


def test_a_candidate_with_other_tensors_leaves_no_worker(bundle: Bundle, tmp_path: Path) -> None:
    before = {one.pid for one in running_workers()}  # of tests that ran in this process earlier
    reference, *_ = reference_candidates(bundle, write_onnx(tmp_path / "float.onnx"), None, tmp_path)
    other = sum_and_product(tmp_path / "other.onnx")
    with pytest.raises(BundleError, match="has the inputs a, b"):
        load_candidate(replace(reference, file=str(other)), 1)
    assert {one.pid for one in running_workers()} <= before


@pytest.mark.parametrize("wanted", ["tflite", "edgetpu", ""])
def test_a_name_that_fits_nothing_is_refused_with_those_that_do(bundle: Bundle, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match="onnxruntime"):
        choose_candidates(bundle, [wanted])


def test_a_reference_is_described_by_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    found, *others = reference_candidates(bundle, write_onnx(tmp_path / "float.onnx"), None, tmp_path)
    assert (found.name, found.grid, found.reference) == ("onnxruntime-cpu float.onnx", "float", True)
    assert [other.name for other in others] == ["openvino-cpu float.onnx"]


def test_a_reference_that_cannot_be_one(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        reference_candidates(bundle, tmp_path / "none.onnx", None, tmp_path)
    with pytest.raises(ConfigurationError, match=r"as \.onnx file"):
        reference_candidates(bundle, tmp_path / "float.tflite", None, tmp_path)
    with pytest.raises(DataError, match=r"none\.yaml"):
        reference_candidates(bundle, write_onnx(tmp_path / "float.onnx"), tmp_path / "none.yaml", tmp_path)


def test_a_cold_start(bundle: Bundle) -> None:
    found = cold_start(choose_candidates(bundle, ["onnxruntime"])[0], 1)
    assert found.load_ms > 0 < found.first_ms
    assert 0 < found.growth_mb < found.rss_mb < 2000


def test_an_artefact_that_does_not_load_says_why(tmp_path: Path) -> None:
    (broken,) = choose_candidates(build(tmp_path / "broken"), ["onnxruntime"])
    with pytest.raises(EngineError, match=r"tiny\.onnx: onnxruntime .* cannot load it"):
        cold_start(broken, 1)


def test_a_process_that_is_too_slow_is_given_up(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"within 0\.01 s"):
        cold_start(list_candidates(bundle)[0], 1, deadline_s=0.01)


def test_an_engine_that_takes_its_process_down_is_an_error_here(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in for the engine's package aborts like libedgetpu without its device."""
    (tmp_path / "onnxruntime.py").write_text("import os\nos.abort()\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    with pytest.raises(EngineError, match=r"took its process down \(SIGABRT\)"):
        cold_start(choose_candidates(bundle, ["onnxruntime"])[0], 1)
    (tmp_path / "onnxruntime.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    with pytest.raises(EngineError, match="ended its process: no error output"):
        cold_start(choose_candidates(bundle, ["onnxruntime"])[0], 1)


def test_an_engine_that_is_not_known_is_a_mistake_of_the_program() -> None:
    with pytest.raises(EngineError, match="no such bundle"):
        cold_start(candidate(), 1)
