"""The TFLite artefact: integers only, channels last, and computing what was trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edgeagent.engines.tflite_engine import TfliteEngine
from edgeagent.qat.export.deployed import build_deployed
from edgeagent.qat.export.tflite_export import count_tflite_operators, export_tflite
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_relu_net, small_yolox

Reals = npt.NDArray[np.float32]

PICTURE = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)


@torch.no_grad()
def trained_answer(network: Network) -> list[Reals]:
    heads = network(torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32)))
    return [head.numpy() for head in heads]


def steps_off(network: Network, artefact: Path) -> list[Reals]:
    """Differences between the artefact in its engine and the trained network, by head, in steps."""
    engine = TfliteEngine(artefact, 1)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([(PICTURE.astype(np.int16) - 128).astype(np.int8)], outputs)
    differences = []
    for head, spec, codes, wanted in zip(
        network.graph.heads, engine.outputs, outputs, trained_answer(network), strict=True
    ):
        grid = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]])
        step, zero_point = grid.quantization()
        assert spec.scale == pytest.approx(float(step))
        assert spec.zero_point == zero_point - 128
        differences.append(np.abs(spec.dequantize(codes).transpose(0, 3, 1, 2) - wanted) / step)
    return differences


@pytest.fixture(scope="module", params=[small_yolox, small_relu_net])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Network, Path]:
    """A network, in the memory format of the training, and its artefact."""
    folder = tmp_path_factory.mktemp("exported")
    network = calibrated(request.param(folder / "m.onnx"))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    export_tflite(network, folder / "q.tflite")
    return network, folder / "q.tflite"


def test_the_engine_computes_what_was_trained(exported: tuple[Network, Path]) -> None:
    for difference in steps_off(*exported):
        assert difference.mean() < 0.6
        assert difference.max() < 16


def test_every_operator_runs_on_integers(exported: tuple[Network, Path]) -> None:
    network, artefact = exported
    counts = count_tflite_operators(artefact.read_bytes())
    assert counts.float == {}
    depthwise = counts.integer.get("DEPTHWISE_CONV_2D", 0)
    assert counts.integer["CONV_2D"] + depthwise == len(network.convolutions)
    silus = [counts.integer.get(name, 0) for name in ("LOGISTIC", "MUL")]
    assert silus == [len(network.plan.silu)] * 2
    assert "QUANTIZE" not in counts.integer  # concat, pool and resize share the grid of their inputs


def test_pictures_go_in_as_int8_channels_last(exported: tuple[Network, Path]) -> None:
    network, artefact = exported
    engine = TfliteEngine(artefact, 1)
    (spec,) = engine.inputs
    assert (spec.shape, spec.dtype.name, spec.scale, spec.zero_point) == ((1, SIZE, SIZE, 3), "int8", 1, -128)
    assert [output.shape for output in engine.outputs] == [
        (1, *head.shape[2:], head.shape[1]) for head in network.graph.heads
    ]


def test_the_deployed_form_computes_what_the_trained_one_does(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    with torch.no_grad():
        deployed = build_deployed(network)(torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32)))
    for head, got, wanted in zip(network.graph.heads, deployed, trained_answer(network), strict=True):
        grid = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]])
        difference = np.abs(got.numpy() - wanted) / grid.quantization()[0]
        assert difference.mean() < 1.0  # ties, rounded biases: 0.0 to 0.6 with others


MISSING = """
import sys
sys.modules["litert_torch"] = None
from edgeagent.cli import main
arguments = ["qat", "train", "--model", "m.onnx", "--images", "pictures", "--out", "bundle"]
sys.exit(main([*arguments, "--format", "tflite"]))
"""


def test_a_missing_converter_is_told_before_anything_is_done(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("edgeagent: a TFLite artefact needs litert-torch")
    assert list(tmp_path.iterdir()) == []
