"""The network behind the engine protocol gives what the network gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgeagent.errors import EngineError
from edgeagent.qat.network.simulated_engine import SimulatedEngine
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import small_yolox


def test_it_gives_the_heads_of_the_network(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    network.set_mode("quantize")
    engine = SimulatedEngine(network)
    picture = np.random.default_rng(0).uniform(0, 255, engine.inputs[0].shape).astype(np.float32)
    outputs = [tensor.allocate() for tensor in engine.outputs]
    engine.infer([picture], outputs)
    with torch.no_grad():
        wanted = network(torch.from_numpy(picture))
    assert [tensor.name for tensor in engine.outputs] == [head.tensor for head in network.graph.heads]
    for got, head in zip(outputs, wanted, strict=True):
        assert np.array_equal(got, head.numpy())
    assert engine.facts.engine == "torch"


def test_buffers_of_another_shape_are_refused(tmp_path: Path) -> None:
    engine = SimulatedEngine(calibrated(small_yolox(tmp_path / "m.onnx")))
    outputs = [tensor.allocate() for tensor in engine.outputs]
    with pytest.raises(EngineError, match="needs a contiguous float32 buffer"):
        engine.infer([np.zeros((1, 3, 8, 8), np.float32)], outputs)
