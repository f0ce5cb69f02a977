"""A stand-in of what the engine calls of rknn-toolkit-lite2; it computes with ONNX Runtime, on no NPU.

Names, signatures and return values are those of rknn-toolkit-lite2 2.5.0, rknnlite/api/rknn_lite.py: a call
that fails returns -1, or None for outputs. The graph of its "RKNN files" is an ONNX model (see
:mod:`tests.engines.rknn_files`). ``failing`` holds the calls that fail.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

failing: set[str] = set()
released: list[str] = []


class RKNNLite:
    NPU_CORE_AUTO = 0

    def __init__(self, verbose: bool = False, verbose_file: str | None = None) -> None:
        self._data: bytes | None = None
        self._session: Any = None

    def load_rknn(self, path: str, key_path: str | None = None) -> int:
        if "load_rknn" in failing:
            return -1
        self._data = Path(path).read_bytes()
        return 0

    def init_runtime(
        self,
        target: str | None = None,
        device_id: str | None = None,
        async_mode: bool = False,
        core_mask: int = NPU_CORE_AUTO,
    ) -> int:
        if self._data is None or "init_runtime" in failing:
            return -1
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.x64quantprecision", "1")  # no saturated sums without VNNI
        graph = self._data[64 : 64 + int.from_bytes(self._data[16:24], "little")]
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return 0

    def inference(
        self, inputs: list[Any], data_type: Any = None, data_format: list[str] | None = None
    ) -> list[Any] | None:
        if self._session is None or "inference" in failing:
            return None
        assert data_format == ["nhwc"]
        results = self._session.run(None, {self._session.get_inputs()[0].name: inputs[0]})
        if "one output" in failing:
            return [results[0]]
        if "half precision" in failing:
            return [result.astype(np.float16) for result in results]
        return list(results)

    def release(self) -> None:
        released.append("RKNNLite")
