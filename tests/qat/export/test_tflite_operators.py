"""Operators beyond those of YOLOX in one TFLite artefact: on integers, and computing what was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeagent.qat.export.tflite_export import count_tflite_operators, export_tflite
from tests.qat.detectors import DetectorBuilder
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.export.test_tflite_export import steps_off
from tests.qat.models import SIZE


def many_operators(path: Path) -> Path:
    """Attention, gates, means, pads, constants, hard activations and a transposed convolution."""
    g = DetectorBuilder(5)
    # to 0..1: LiteRT adds wrongly where a step of an operand is 256 steps of the sum or more
    picture = g.node("Mul", "images", g.constant(1 / 255, np.float32))
    x = g.node("HardSwish", g.conv(picture, (3, 8), 3, 4))
    x = g.node("HardSwish", g.conv(x, (8, 16), 3, 2))
    gate = g.conv(g.node("GlobalAveragePool", x), (16, 16))
    x = g.node("Mul", x, g.node("HardSigmoid", gate, alpha=1 / 6))
    x = g.attention(x, 16, (SIZE // 8) ** 2)
    pads = g.constant([0, 0, 1, 1, 0, 0, 1, 1])
    pooled = g.node("AveragePool", g.node("Pad", x, pads), kernel_shape=[2, 2], strides=[2, 2])
    pooled = g.node("Slice", pooled, *(g.constant([n]) for n in (0, 4, 2)))
    pooled = g.node("Slice", pooled, *(g.constant([n]) for n in (0, 4, 3)))
    pooled = g.transposed(g.node("Tanh", pooled), 16)
    shifted = g.node("Add", pooled, g.constant(g.random.uniform(-1, 1, (1, 16, 1, 1)), np.float32))
    x = g.node("Concat", x, g.node("Sigmoid", g.conv(shifted, (16, 8))), axis=1)
    x = g.node("Relu", g.conv(x, (24, 16), 3))
    x = g.node("Gather", x, g.constant([3, 0, 1, 2, 7, 6, 5, 4]), axis=1)
    x = g.node("Sub", x, g.node("LeakyRelu", g.conv(x, (8, 8), 3), alpha=0.1))
    box, scores = g.conv(x, (8, 4)), g.conv(x, (8, 3))
    side = SIZE // 8
    outputs: dict[str, tuple[int, ...]] = {box: (1, 4, side, side)}
    outputs[g.node("Sigmoid", scores)] = (1, 3, side, side)
    return g.save(path, outputs, opset=14)


def test_many_operators_run_on_integers(tmp_path: Path) -> None:
    network = calibrated(many_operators(tmp_path / "m.onnx"))
    export_tflite(network, tmp_path / "q.tflite")
    counts = count_tflite_operators((tmp_path / "q.tflite").read_bytes())
    assert counts.float == {}
    for difference in steps_off(network, tmp_path / "q.tflite"):
        assert difference.mean() < 1.5, counts.integer
