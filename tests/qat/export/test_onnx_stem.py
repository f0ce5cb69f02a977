"""The first convolution on a folded picture: other moves of the same pixels, and the same codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from edgeagent.engines.loading import load_engine
from edgeagent.qat.export import onnx_export
from edgeagent.qat.export.artefact_macs import artefact_macs
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.onnx_stem import find_stem, halved_weight
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.export.test_tflite_stem import stem


def answers(path: Path, engine_name: str) -> list[npt.NDArray[Any]]:
    """Return the heads for two pictures, one of them all white."""
    engine = load_engine(path, "onnx", 1, engine_name)
    (spec,) = engine.inputs
    noise = np.random.default_rng(2).integers(0, 256, spec.shape, np.uint8)
    found = []
    for picture in (noise, np.full(spec.shape, 255, np.uint8)):
        outputs = [output.allocate() for output in engine.outputs]
        engine.infer([picture], outputs)
        found += outputs
    engine.close()
    return found


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("kernel", "pad"), [(6, 2), (6, 0), (4, 2)])
def test_the_codes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: int, pad: int, engine: str
) -> None:
    network = calibrated(stem(tmp_path / "m.onnx", kernel, pad))
    export_onnx(network, tmp_path / "folded.onnx")
    monkeypatch.setattr(onnx_export, "find_stem", lambda graph: None)
    export_onnx(network, tmp_path / "before.onnx")
    before, folded = tmp_path / "before.onnx", tmp_path / "folded.onnx"
    operators = [[node.op_type for node in onnx.load(str(path)).graph.node] for path in (before, folded)]
    assert [names.count("Slice") for names in operators] == [0, 2]
    assert artefact_macs(folded) == artefact_macs(before)
    for wanted, got in zip(answers(before, engine), answers(folded, engine), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(("kernel", "pad"), [(4, 1), (3, 1)])
def test_other_first_convolutions_stay(tmp_path: Path, kernel: int, pad: int) -> None:
    assert find_stem(calibrated(stem(tmp_path / "m.onnx", kernel, pad)).graph) is None


def test_order_of_the_weights() -> None:
    weight = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).astype(np.int8)
    folded = halved_weight(weight)
    assert folded.shape == (2, 12, 2, 2)
    # rows, columns, channels of the first block of each part
    assert folded[1, :, 0, 1].tolist() == weight[1, :, 0:2, 2:4].transpose(1, 2, 0).reshape(-1).tolist()
