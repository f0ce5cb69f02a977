from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.engines.engine import TensorSpec, check_buffers, one_line, read_artefact
from edgeagent.errors import DamagedModelError, EngineError

CODES = TensorSpec("codes", (1, 2, 3), np.dtype(np.uint8), 0.5, 128)
REAL = TensorSpec("real", (1, 2, 3), np.dtype(np.float32))


def test_allocated_buffers_fit() -> None:
    buffers = [spec.allocate() for spec in (CODES, REAL)]
    assert [(buffer.shape, buffer.dtype.name) for buffer in buffers] == [
        ((1, 2, 3), "uint8"),
        ((1, 2, 3), "float32"),
    ]
    check_buffers((CODES, REAL), buffers, writable=True)


def test_codes_become_real_numbers() -> None:
    real = CODES.dequantize(np.array([0, 127, 128, 255], np.uint8))
    assert real.dtype == np.float32
    assert real.tolist() == [-64.0, -0.5, 0.0, 63.5]
    signed = TensorSpec("signed", (3,), np.dtype(np.int8), 0.25, -128)
    assert signed.dequantize(np.array([-128, -124, 127], np.int8)).tolist() == [0.0, 1.0, 63.75]


def test_dequantizing_leaves_the_codes_alone_and_real_numbers_as_they_are() -> None:
    codes = np.arange(6, dtype=np.uint8)
    CODES.dequantize(codes)
    assert codes.tolist() == [0, 1, 2, 3, 4, 5]
    real = np.ones(3, np.float32)
    assert REAL.dequantize(real) is real


def _read_only() -> Any:
    buffer = REAL.allocate()
    buffer.flags.writeable = False
    return buffer


@pytest.mark.parametrize(
    ("buffers", "sentence"),
    [
        ([], "got 0 buffers for 1 tensors (real)"),
        ([REAL.allocate()] * 2, "got 2 buffers for 1 tensors (real)"),
        (
            [np.zeros((1, 3, 2), np.float32)],
            "tensor real needs a contiguous float32 buffer of shape (1, 2, 3), got float32 (1, 3, 2)",
        ),
        ([np.zeros((2, 3), np.float32)], "got float32 (2, 3)"),
        ([np.zeros((1, 2, 3))], "got float64 (1, 2, 3)"),
        ([np.zeros((1, 2, 3), ">f4")], "got >f4 (1, 2, 3)"),
        ([np.zeros((3, 2, 1), np.float32).T], "got float32 (1, 2, 3), not contiguous"),
        ([np.zeros((1, 2, 6), np.float32)[:, :, ::2]], "got float32 (1, 2, 3), not contiguous"),
        ([_read_only()], "tensor real needs a buffer to write into, got a read-only one"),
    ],
)
def test_buffers_that_do_not_fit(buffers: list[Any], sentence: str) -> None:
    with pytest.raises(EngineError) as caught:
        check_buffers([REAL], buffers, writable=True)
    assert str(caught.value).endswith(sentence)


def test_inputs_may_be_read_only() -> None:
    check_buffers([REAL], [_read_only()], writable=False)


def test_reading_an_artefact(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"model")
    assert read_artefact(path) == b"model"
    path.write_bytes(b"")
    with pytest.raises(EngineError, match="the model is empty; copy it again"):
        read_artefact(path)
    with pytest.raises(EngineError, match="is no file; give the path of a model"):
        read_artefact(tmp_path)
    with pytest.raises(EngineError, match=r"absent: the model cannot be read \(No such file or directory\)"):
        read_artefact(tmp_path / "absent")


def test_an_artefact_of_a_manifest_that_is_gone_is_a_damaged_model(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "absent", tmp_path / "empty", tmp_path, tmp_path / "file" / "model"):
        with pytest.raises(DamagedModelError):
            read_artefact(path, "0" * 64)


def test_messages_become_one_line() -> None:
    assert one_line(ValueError("unknown\n  operator\n")) == "unknown operator"
