from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.engines.delegates import find_delegates
from edgeagent.engines.engine import Engine
from edgeagent.engines.hailo_engine import HailoEngine
from edgeagent.engines.loading import available_engines, load_engine, load_on
from edgeagent.errors import DamagedModelError, EngineError
from edgeagent.files.hashing import hash_file

STANDIN = Path(__file__).with_name("standin_hailo")
MODEL = {
    "inputs": [{"name": "net/input_layer1", "shape": [4, 6, 3]}],
    "outputs": [{"name": "net/conv41", "shape": [2, 3, 64]}, {"name": "net/conv42", "shape": [2, 3, 80]}],
}


@pytest.fixture
def hailo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in package, as if it were installed."""
    monkeypatch.syspath_prepend(STANDIN)
    yield __import__("hailo_platform")
    del sys.modules["hailo_platform"]


@pytest.fixture
def hef(tmp_path: Path) -> Path:
    path = tmp_path / "m.hef"
    path.write_text(json.dumps(MODEL), encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(EngineError) as caught:
        HailoEngine(path, 1)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.usefixtures("hailo")
def test_it_tells_what_it_is(hef: Path) -> None:
    engine: Engine = HailoEngine(hef, 1)
    assert [(spec.name, spec.shape, spec.dtype.name, spec.scale) for spec in engine.inputs] == [
        ("net/input_layer1", (1, 4, 6, 3), "uint8", None)
    ]
    assert [(spec.shape, spec.dtype.name) for spec in engine.outputs] == [
        ((1, 2, 3, 64), "float32"),
        ((1, 2, 3, 80), "float32"),
    ]
    facts = engine.facts
    assert (facts.engine, facts.version, facts.delegate, facts.placed) == ("hailo", "4.20.0", "hailo", 1.0)


def test_it_fills_the_buffers_it_is_given(hailo: Any, hef: Path) -> None:
    engine = HailoEngine(hef, 1)
    picture, outputs = engine.inputs[0].allocate(), [spec.allocate() for spec in engine.outputs]
    for value in (3, 200):
        picture[...] = value
        engine.infer([picture], outputs)
        assert all((output == value).all() for output in outputs)
    engine.close()
    assert hailo.released == ["ConfiguredInferModel", "VDevice"]


@pytest.mark.usefixtures("hailo")
def test_wrong_buffers_are_refused(hef: Path) -> None:
    engine = HailoEngine(hef, 1)
    outputs = [spec.allocate() for spec in engine.outputs]
    with pytest.raises(EngineError, match="needs a contiguous uint8 buffer"):
        engine.infer([np.zeros((4, 6, 3), np.uint8)], outputs)
    with pytest.raises(EngineError, match="got 1 buffers for 2 tensors"):
        engine.infer([engine.inputs[0].allocate()], outputs[:1])


@pytest.mark.usefixtures("hailo")
def test_the_catalogue_and_the_format_lead_here(hef: Path) -> None:
    assert "hailo" in available_engines()
    (delegate,) = find_delegates("hailo")
    assert isinstance(load_on(delegate, hef), HailoEngine)
    assert isinstance(load_engine(hef, "hef"), HailoEngine)


def test_a_driver_of_another_release(hailo: Any, hef: Path) -> None:
    hailo.failing["VDevice"] = "76 (HAILO_INVALID_DRIVER_VERSION)"
    assert refusal(hef) == (
        "hailort 4.20.0 cannot load it: libhailort failed with error: 76 (HAILO_INVALID_DRIVER_VERSION): "
        "driver, library and firmware are of different releases; install those of one, and see hailortcli "
        "fw-control identify"
    )


def test_no_chip(hailo: Any, hef: Path) -> None:
    hailo.failing["VDevice"] = "74 (HAILO_OUT_OF_PHYSICAL_DEVICES)"
    assert refusal(hef).endswith("there is no Hailo chip, or another program has it")


def test_what_was_opened_is_released_after_a_failure(hailo: Any, hef: Path) -> None:
    hailo.failing["configure"] = "8 (HAILO_INTERNAL_FAILURE)"
    assert "HAILO_INTERNAL_FAILURE" in refusal(hef)
    assert hailo.released == ["VDevice"]


def test_a_call_that_fails_or_takes_too_long(hailo: Any, hef: Path) -> None:
    engine = HailoEngine(hef, 1, timeout=0.001)
    buffers = [engine.inputs[0].allocate()], [spec.allocate() for spec in engine.outputs]
    with pytest.raises(EngineError) as caught:
        engine.infer(*buffers)
    assert str(caught.value) == (
        "hailort failed while running: Received a timeout - hailort has failed because a timeout had "
        "occurred; the chip does not answer"
    )
    hailo.failing["run"] = "62 (HAILO_STREAM_ABORT)"
    with pytest.raises(EngineError, match="HAILO_STREAM_ABORT"):
        engine.infer(*buffers)


@pytest.mark.usefixtures("hailo")
def test_files_that_are_no_hef(tmp_path: Path) -> None:
    path = tmp_path / "m.hef"
    assert refusal(path) == "the model cannot be read (No such file or directory); check the path"
    path.write_text("no HEF", encoding="utf-8")
    assert refusal(path).startswith("hailort 4.20.0 cannot load it: Invalid HEF.")
    boxes = {**MODEL, "outputs": [{"name": "nms", "shape": [80, 5, 100], "nms": True}]}
    path.write_text(json.dumps(boxes), encoding="utf-8")
    assert refusal(path) == (
        "output nms holds boxes after non-maximum suppression; compile the HEF up to the raw heads"
    )


def test_without_the_package(hef: Path) -> None:
    assert refusal(hef).endswith("; install HailoRT and its Python package")
    assert "hailo" not in available_engines()


@pytest.mark.usefixtures("hailo")
def test_a_verified_hef_is_read_from_memory(hef: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the file afterwards does not matter, and the copy is gone when it is loaded."""
    module, given = sys.modules["hailo_platform"], list[str]()
    create = module.VDevice.create_infer_model

    def creating(device: Any, path: str) -> Any:
        hef.write_bytes(b"other content")
        given.append(path)
        return create(device, path)

    monkeypatch.setattr(module.VDevice, "create_infer_model", creating)
    engine = HailoEngine(hef, 1, hash_file(hef))
    assert engine.inputs[0].name == "net/input_layer1"
    assert given[0].startswith("/proc/self/fd/")
    assert not Path(given[0]).exists()


@pytest.mark.usefixtures("hailo")
def test_a_damaged_hef_is_refused(hef: Path) -> None:
    with pytest.raises(DamagedModelError, match="the model is damaged"):
        HailoEngine(hef, 1, "0" * 64)
