"""Starting a detector in a worker: it works, or there is an error and no process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.detection.starting import DetectorSpec, WorkerOptions, start_detector, worker_options
from edgeagent.engines.delegates import external_delegate, find_delegates
from edgeagent.engines.engine import Engine
from edgeagent.errors import BundleError, EngineError
from edgeagent.settings.sections.model import ModelSettings, WorkerSettings
from edgeagent.worker.engine import WorkerDiedError, WorkerHungError
from edgeagent.worker.protocol import LoadRequest
from tests.engines import cell_detector as cells
from tests.engines.standin import build_standin
from tests.included import QUICK_BUNDLE
from tests.worker.running import running_workers

(PROCESSOR,) = find_delegates("onnxruntime-cpu")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return cells.build_bundle(tmp_path / "cells")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_standin(tmp_path_factory.mktemp("standin"))


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    assert running_workers() == []


def request_of(bundle: Bundle) -> LoadRequest:
    return LoadRequest(bundle.artefact_path(bundle.manifest.artefacts[0]), PROCESSOR, 1)


def spec_of(bundle: Bundle) -> DetectorSpec:
    return DetectorSpec(bundle.manifest, bundle.manifest.artefacts[0].outputs, "cells", 0.65)


def standin(library: str, mode: str) -> tuple[LoadRequest, DetectorSpec]:
    bundle = open_bundle(QUICK_BUNDLE)
    (artefact,) = (one for one in bundle.manifest.artefacts if one.format == "tflite")
    delegate = external_delegate(library, {"mode": mode})
    request = LoadRequest(bundle.artefact_path(artefact), delegate, 1)
    return request, DetectorSpec(bundle.manifest, artefact.outputs, "standin", 0.65)


def test_it_detects_in_a_process_of_its_own(bundle: Bundle) -> None:
    checked: list[Engine] = []
    detector = start_detector(request_of(bundle), spec_of(bundle), check=checked.append, warm_up=True)
    try:
        assert [process.pid for process in running_workers()] == [detector.engine.pid]
        assert checked == [detector.engine]
        found = detector.detect(cells.picture(), detector.allocate(), 0.3)
        np.testing.assert_allclose(found.boxes, cells.boxes())
    finally:
        detector.engine.close()


def test_a_golden_check_that_fails_closes_the_worker(tmp_path: Path) -> None:
    wrong = cells.build_bundle(tmp_path / "wrong", golden_error=10.0)
    golden = GoldenCheck(wrong, wrong.manifest.artefacts[0])
    seen: list[int] = []

    def check(engine: Engine) -> None:
        seen.extend(process.pid for process in running_workers())
        result = golden.run(engine)
        if not result.right:
            raise EngineError(result.describe())

    with pytest.raises(EngineError, match="steps off on average"):
        start_detector(request_of(wrong), spec_of(wrong), check=check)
    assert len(seen) == 1


def test_a_check_that_is_interrupted_closes_the_worker(bundle: Bundle) -> None:
    def check(engine: Engine) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_detector(request_of(bundle), spec_of(bundle), check=check)


def test_other_tensors_than_described_close_the_worker(bundle: Bundle) -> None:
    spec = spec_of(bundle)
    with pytest.raises(BundleError, match="cells: has the outputs"):
        start_detector(request_of(bundle), replace(spec, outputs=spec.outputs[::-1]))
    larger = bundle.manifest.input.model_copy(update={"width": 2 * cells.WIDTH})
    other = bundle.manifest.model_copy(update={"input": larger})
    checked: list[Engine] = []
    with pytest.raises(BundleError, match="the manifest says"):
        start_detector(request_of(bundle), replace(spec, description=other), check=checked.append)
    assert checked == [], "an engine with other tensors is not checked"


def test_an_artefact_that_does_not_load_leaves_no_worker(bundle: Bundle) -> None:
    request = request_of(bundle)
    request.path.write_bytes(b"no model")
    with pytest.raises(EngineError, match="cannot load it"):
        start_detector(request, spec_of(bundle))


def test_a_worker_that_dies_while_it_loads_is_told(library: str) -> None:
    with pytest.raises(WorkerDiedError, match="died of SIGSEGV"):
        start_detector(*standin(library, "crash-on-load"))


@pytest.mark.parametrize(
    ("mode", "error", "message"),
    [
        ("error", EngineError, "failed while running"),
        ("abort", WorkerDiedError, "died of SIGABRT"),
        ("hang", WorkerHungError, "no answer within"),
    ],
)
def test_a_warm_up_that_fails_closes_the_worker(
    mode: str, error: type[EngineError], message: str, library: str
) -> None:
    with pytest.raises(error, match=message):
        start_detector(*standin(library, mode), deadline_s=2.0, warm_up=True)


def test_options_of_the_configuration(tmp_path: Path) -> None:
    model = ModelSettings(threads=3, worker=WorkerSettings(cpus=(0, 1), nice=12))
    assert worker_options(model, tmp_path) == WorkerOptions((3,), tmp_path, (0, 1), 12, False)
    beside = worker_options(model, None, nicer=10)
    assert (beside.nice, beside.low_priority) == (19, True)
    request = beside.load_request(tmp_path / "m.onnx", PROCESSOR, 2)
    assert request == LoadRequest(tmp_path / "m.onnx", PROCESSOR, 2, None, (0, 1), 19)
