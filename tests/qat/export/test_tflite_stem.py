"""The first convolution on a folded picture: one SPACE_TO_DEPTH more, and the same codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeagent.engines.loading import load_engine
from edgeagent.qat.export import tflite_export
from edgeagent.qat.export.litert_process import convert
from edgeagent.qat.export.tflite_export import count_tflite_operators, export_tflite
from edgeagent.qat.export.tflite_stem import halved, with_space_to_depth
from edgeagent.qat.lint.edgetpu_lint import lint_edgetpu
from tests.included import QUICK_BUNDLE
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, GraphBuilder


def stem(path: Path, kernel: int, pad: int) -> Path:
    """A first convolution, a SiLU and a head."""
    g = GraphBuilder(7)
    x = g.conv("images", (3, 8), kernel, 2)
    g.nodes[-1].attribute[2].ints[:] = [pad] * 4
    head = g.conv(g.silu(x), (8, 8))
    size = (SIZE + 2 * pad - kernel) // 2 + 1
    return g.save(path, {head: (1, 8, size, size)})


def answers(path: Path) -> list[npt.NDArray[Any]]:
    """Return the codes of the heads for two pictures, one of them all white."""
    engine = load_engine(path, "tflite", 1)
    (spec,) = engine.inputs
    noise = np.random.default_rng(2).integers(-128, 128, spec.shape, np.int8)
    found = []
    for picture in (noise, np.full(spec.shape, 127, np.int8)):
        outputs = [output.allocate() for output in engine.outputs]
        engine.infer([picture], outputs)
        found += outputs
    engine.close()
    return found


@pytest.mark.parametrize(("kernel", "pad"), [(6, 2), (6, 0)])
def test_the_codes_are_the_same(tmp_path: Path, kernel: int, pad: int) -> None:
    network = calibrated(stem(tmp_path / "m.onnx", kernel, pad))
    before = tmp_path / "before.tflite"
    before.write_bytes(convert(tflite_export.__name__, network, before))
    export_tflite(network, tmp_path / "q.tflite")
    counts = [count_tflite_operators(p.read_bytes()).integer for p in (before, tmp_path / "q.tflite")]
    assert counts[1] == {**counts[0], "SPACE_TO_DEPTH": 1}
    for wanted, got in zip(answers(before), answers(tmp_path / "q.tflite"), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert with_space_to_depth((tmp_path / "q.tflite").read_bytes()) == (tmp_path / "q.tflite").read_bytes()
    report = lint_edgetpu(tmp_path / "q.tflite")
    assert report.mapped == len(report.operators)


@pytest.mark.parametrize(("kernel", "pad"), [(4, 1), (3, 1)])
def test_a_border_of_other_width_stays(tmp_path: Path, kernel: int, pad: int) -> None:
    network = calibrated(stem(tmp_path / "m.onnx", kernel, pad))
    content = convert(tflite_export.__name__, network, tmp_path / "q.tflite")
    assert with_space_to_depth(content) is content


def test_order_of_the_weights() -> None:
    weight = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3).astype(np.int8)
    folded = halved(weight)
    assert folded.shape == (2, 2, 2, 12)
    assert folded[1, 0, 1].tolist() == weight[1, 0:2, 2:4].reshape(-1).tolist()


def test_coco_nano_has_the_faster_stem() -> None:
    content = (QUICK_BUNDLE / "model.tflite").read_bytes()
    assert count_tflite_operators(content).integer["SPACE_TO_DEPTH"] == 1
