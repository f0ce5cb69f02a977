"""Every engine verifies the bytes that it is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.engines.delegates import find_delegates
from edgeagent.engines.loading import load_engine, load_on
from edgeagent.engines.sealed_file import sealed_file
from edgeagent.errors import DamagedModelError, EngineError
from edgeagent.files.hashing import hash_file
from edgeagent.worker.engine import WorkerEngine
from edgeagent.worker.protocol import LoadRequest
from tests.engines import onnx_graphs as graphs

DELEGATES = ("onnxruntime-cpu", "openvino-cpu")


@pytest.mark.parametrize("name", DELEGATES)
def test_a_file_with_the_hash_loads_and_another_does_not(tmp_path: Path, name: str) -> None:
    path, (delegate,) = graphs.sum_and_product(tmp_path / "m.onnx"), find_delegates(name)
    sha256 = hash_file(path)
    assert load_on(delegate, path, 1, sha256=sha256).inputs
    flip_a_bit(path)
    with pytest.raises(DamagedModelError, match="the model is damaged and was not loaded"):
        load_on(delegate, path, 1, sha256=sha256)
    with pytest.raises(DamagedModelError, match=str(path)):
        load_engine(path, "onnx", 1, delegate.engine, sha256)


def test_a_tflite_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"TFL3")
    with pytest.raises(DamagedModelError):
        load_engine(path, "tflite", 1, "tflite", "0" * 64)


def test_a_worker_refuses_a_damaged_file(tmp_path: Path) -> None:
    path, (delegate,) = graphs.sum_and_product(tmp_path / "m.onnx"), find_delegates("onnxruntime-cpu")
    request = LoadRequest(path, delegate, 1, sha256=hash_file(path))
    assert LoadRequest.decode(request.encode()) == request
    WorkerEngine(request).close()
    flip_a_bit(path)
    with pytest.raises(DamagedModelError, match="the model is damaged and was not loaded"):
        WorkerEngine(request)
    path.unlink()
    with pytest.raises(DamagedModelError, match="the model cannot be read"):
        WorkerEngine(request)


def test_a_sealed_file_cannot_be_changed_and_ends() -> None:
    with sealed_file(b"model", "m.hef") as path:
        assert path.read_bytes() == b"model"
        descriptor = os.open(path, os.O_RDWR)
        with pytest.raises(PermissionError):
            os.write(descriptor, b"M")
        os.close(descriptor)
    assert not path.exists()


def test_a_file_that_does_not_fit_into_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(os, "memfd_create", fail)
    with pytest.raises(EngineError, match="cannot be held in memory"), sealed_file(b"", "m.hef"):
        pass


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
