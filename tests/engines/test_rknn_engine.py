"""RKNN engine on a stand-in of rknn-toolkit-lite2, which computes with ONNX Runtime, on no NPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgeagent.engines.delegates import find_delegates
from edgeagent.engines.engine import Engine
from edgeagent.engines.loading import available_engines, load_engine, load_on
from edgeagent.engines.rknn_engine import RknnEngine
from edgeagent.errors import DamagedModelError, EngineError
from edgeagent.files.hashing import hash_file
from edgeagent.worker.engine import WorkerEngine
from edgeagent.worker.protocol import LoadRequest
from tests.engines.rknn_files import described, write_rknn
from tests.included import QUICK_BUNDLE

STANDIN = Path(__file__).with_name("standin_rknn")
MODEL = QUICK_BUNDLE / "model.onnx"


@pytest.fixture
def lite(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in package, as if it were installed, here and in workers."""
    monkeypatch.syspath_prepend(STANDIN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(STANDIN), *sys.path]))
    yield __import__("rknnlite.api").api
    del sys.modules["rknnlite"], sys.modules["rknnlite.api"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_rknn(tmp_path / "m.rknn", MODEL.read_bytes(), described(onnx.load(str(MODEL))))


def refusal(path: Path) -> str:
    with pytest.raises(EngineError) as caught:
        RknnEngine(path, 1)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def outputs_of(engine: Engine) -> list[Any]:
    buffers = engine.allocate()
    buffers.inputs[0][...] = np.random.default_rng(7).integers(0, 256, buffers.inputs[0].shape)
    engine.infer(buffers.inputs, buffers.outputs)
    return [output.copy() for output in buffers.outputs]


@pytest.mark.usefixtures("lite")
def test_it_computes_what_its_file_holds(file: Path) -> None:
    engine, wanted = RknnEngine(file, 1), load_engine(MODEL, "onnx", 1, "onnxruntime")
    (picture,), (other,) = engine.inputs, wanted.inputs
    assert (picture.shape, picture.dtype.name, picture.scale) == (other.shape, "uint8", None)
    assert [(one.name, one.shape, one.dtype) for one in engine.outputs] == [
        (one.name, one.shape, one.dtype) for one in wanted.outputs
    ]
    for found, expected in zip(outputs_of(engine), outputs_of(wanted), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (engine.facts.engine, engine.facts.version, engine.facts.placed) == (
        "rknn",
        "of unknown version",
        None,
    )


def test_what_was_opened_is_released(lite: Any, file: Path) -> None:
    RknnEngine(file, 1).close()
    assert lite.released == ["RKNNLite"]
    lite.failing.add("init_runtime")
    refusal(file)
    assert lite.released == ["RKNNLite"] * 2


@pytest.mark.usefixtures("lite")
def test_it_runs_in_a_worker(file: Path) -> None:
    (delegate,) = find_delegates("rknn-rk3588")
    engine = WorkerEngine(LoadRequest(file, delegate, 1, sha256=hash_file(file)))
    try:
        found = outputs_of(engine)
    finally:
        engine.close()
    for one, expected in zip(found, outputs_of(RknnEngine(file, 1)), strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.usefixtures("lite")
def test_the_catalogue_and_the_format_lead_here(file: Path) -> None:
    assert "rknn" in available_engines()
    assert isinstance(load_on(find_delegates("rknn-rk3566")[0], file), RknnEngine)
    assert isinstance(load_engine(file, "rknn"), RknnEngine)


@pytest.mark.parametrize(
    ("call", "words"),
    [("load_rknn", "the file cannot be read"), ("init_runtime", "its runtime does not start")],
)
def test_a_runtime_that_does_not_start(lite: Any, file: Path, call: str, words: str) -> None:
    lite.failing.add(call)
    assert refusal(file) == (
        f"rknnlite of unknown version cannot load it: {words}; is this a rk3588, is librknnrt.so as new as "
        "the rknn-toolkit2 that compiled the file, and may this user use /dev/dri?"
    )


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("inference", "rknnlite failed while running"),
        ("one output", "rknnlite gave 1 outputs instead of 9"),
        ("half precision", "rknnlite gave output .* as float16 .* instead of float32"),
    ],
)
def test_a_call_that_fails(lite: Any, file: Path, how: str, words: str) -> None:
    engine = RknnEngine(file, 1)
    lite.failing.add(how)
    with pytest.raises(EngineError, match=words):
        outputs_of(engine)


@pytest.mark.usefixtures("lite")
def test_files_that_are_none(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "other.rknn"
    assert refusal(path) == "the model cannot be read (No such file or directory); check the path"
    path.write_text("no RKNN", encoding="utf-8")
    assert refusal(path) == "cannot be loaded: it is no RKNN file; compile it again"
    with pytest.raises(DamagedModelError, match="the model is damaged"):
        RknnEngine(file, 1, "0" * 64)


def test_without_the_package(file: Path) -> None:
    assert refusal(file).startswith("rknnlite cannot be imported")
    assert "rknn" not in available_engines()
