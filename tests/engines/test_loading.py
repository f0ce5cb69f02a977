from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeagent.bundle.manifest import Manifest
from edgeagent.engines.loading import (
    available_engines,
    choose_artefact,
    default_threads,
    load_engine,
    measuring_engines,
)
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.engines.openvino_engine import OpenvinoEngine
from edgeagent.engines.tflite_engine import TfliteEngine
from edgeagent.errors import EngineError
from tests.bundle.tiny import build
from tests.engines.onnx_graphs import one_operator
from tests.engines.tflite_graphs import write_model

ROOT = Path(__file__).parents[2]


def manifest(tmp_path: Path, *formats: str) -> Manifest:
    plain = build(tmp_path / "tiny").manifest.model_dump()
    (artefact,) = plain["artefacts"]
    artefacts = [{**artefact, "format": name, "file": f"{n}.{name}"} for n, name in enumerate(formats)]
    return Manifest.model_validate({**plain, "artefacts": artefacts})


def test_all_engines_are_here() -> None:
    assert available_engines() == ["onnxruntime", "openvino", "tflite"]


@pytest.mark.parametrize(
    ("engine", "file"),
    [("auto", "0.tflite"), ("tflite", "0.tflite"), ("onnxruntime", "1.onnx"), ("openvino", "1.onnx")],
)
def test_the_first_artefact_that_fits_is_taken(tmp_path: Path, engine: str, file: str) -> None:
    assert choose_artefact(manifest(tmp_path, "tflite", "onnx", "onnx"), engine).file == file


def test_no_artefact_for_the_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        choose_artefact(manifest(tmp_path, "onnx"), "tflite")
    assert str(caught.value) == (
        "bundle tiny 1.2.3 holds ['onnx']; the engine asked for ['tflite'] read none of them"
    )


def test_no_engine_for_any_artefact(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from edgeagent.errors import EngineError
from edgeagent.engines.loading import choose_artefact
from tests.engines.test_loading import manifest
sys.modules["ai_edge_litert"] = sys.modules["tflite_runtime"] = None
try:
    choose_artefact(manifest(Path(sys.argv[1]), "tflite"), "auto")
except EngineError as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == (
        "bundle tiny 1.2.3 holds ['tflite']; installed engines ['onnxruntime', 'openvino'] read none of "
        "them\n"
    )


@pytest.mark.parametrize(
    ("engine", "file"), [("auto", "a.onnx"), ("onnxruntime", "a.onnx"), ("openvino", "c.onnx")]
)
def test_each_engine_gets_the_grid_that_is_made_for_it(tmp_path: Path, engine: str, file: str) -> None:
    (first, *_) = manifest(tmp_path, "onnx").artefacts
    grids = [first.model_copy(update={"file": f"{grid}.onnx", "grid": grid}) for grid in ("b", "c", "a")]
    bundle = manifest(tmp_path / "again", "onnx").model_copy(update={"artefacts": grids})
    assert choose_artefact(bundle, engine).file == file


def test_an_artefact_is_measured_in_the_engine_of_its_grid() -> None:
    assert measuring_engines("onnx", "a") == ["onnxruntime", "openvino"]
    assert measuring_engines("onnx", "b") == ["onnxruntime"]
    assert measuring_engines("onnx", "c") == ["openvino"]
    assert measuring_engines("tflite", "a") == ["tflite"]


def test_the_format_decides_the_engine(tmp_path: Path) -> None:
    onnx, tflite = one_operator(tmp_path / "a"), write_model(tmp_path / "b")
    assert isinstance(load_engine(onnx, "onnx", 1), OnnxRuntimeEngine)
    assert isinstance(load_engine(tflite, "tflite", 1), TfliteEngine)
    assert isinstance(load_engine(onnx, "onnx", 1, "openvino"), OpenvinoEngine)
    with pytest.raises(EngineError) as caught:
        load_engine(onnx, "onnx", 1, "tflite")
    assert str(caught.value) == f"{onnx}: tflite does not read onnx; onnxruntime and openvino do"
    with pytest.raises(EngineError):
        load_engine(onnx, "tflite", 1)
    with pytest.raises(EngineError):
        load_engine(tflite, "onnx", 1)


def test_threads(tmp_path: Path) -> None:
    path = one_operator(tmp_path / "m.onnx")
    assert load_engine(path, "onnx", 2).facts.threads == 2
    assert load_engine(path, "onnx").facts.threads == default_threads()


def test_the_threads_asked_for_are_started(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
import onnxruntime
from edgeagent.engines.loading import load_engine
tasks = Path("/proc/self/task")
engines = []
for threads in (1, 2, 4):
    before = len(list(tasks.iterdir()))
    engines.append(load_engine(Path(sys.argv[1]), "onnx", threads))
    print(len(list(tasks.iterdir())) - before)
"""
    command = [sys.executable, "-c", program, str(one_operator(tmp_path / "m.onnx"))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == ["0", "1", "3"]  # the calling thread works too


def test_one_of_the_processors_that_may_be_used_stays_free() -> None:
    program = """
import os
from edgeagent.engines.loading import default_threads
processors = sorted(os.sched_getaffinity(0))
for count in range(len(processors), 0, -1):
    os.sched_setaffinity(0, processors[:count])
    print(default_threads())
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    count = len(os.sched_getaffinity(0))
    assert [int(line) for line in done.stdout.split()] == [max(1, n - 1) for n in range(count, 0, -1)]


def test_engines_agree(tmp_path: Path) -> None:
    """The same sum through both engines."""
    tflite = load_engine(write_model(tmp_path / "m.tflite", "NEG"), "tflite", 1)
    onnx = load_engine(one_operator(tmp_path / "m.onnx", shape=tflite.inputs[0].shape), "onnx", 1)
    given = [np.arange(6, dtype=np.float32).reshape(tflite.inputs[0].shape)]
    results = []
    for engine in (tflite, onnx):
        results.append([engine.outputs[0].allocate()])
        engine.infer(given, results[-1])
        engine.close()
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][0].any()
