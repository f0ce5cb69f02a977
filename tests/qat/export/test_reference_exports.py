"""The float references, and the inputs of integer artefacts: uint8 pixels, normalized or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from edgeagent.bundle.manifest import InputSpec
from edgeagent.engines.engine import Engine, TensorSpec
from edgeagent.engines.loading import load_engine
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import FORMATS, Exported, export
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.tflite_export import count_tflite_operators
from edgeagent.qat.export.tflite_input import with_uint8_input
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.grid.plan import Channels
from edgeagent.qat.grid.planning import pixel_grid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.vision.preprocessor import Preprocessor
from tests.engines.tflite_graphs import write_model
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_nanodet

Reals = npt.NDArray[np.float32]
PICTURE = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network whose weights have moved away from those of the float model."""
    network = calibrated(small_nanodet(tmp_path_factory.mktemp("model") / "m.onnx"))
    with torch.no_grad():
        for name, parameter in network.convolutions.named_parameters():
            if name.endswith("weight_share"):
                parameter.mul_(0.9)
    return network


def infer(engine: Engine, picture: npt.NDArray[np.generic]) -> list[Reals]:
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([np.ascontiguousarray(picture)], outputs)
    return [spec.dequantize(out) for spec, out in zip(engine.outputs, outputs, strict=True)]


def differences(artefact: Exported, network: Network) -> list[float]:
    """Largest differences from the float model, as shares of each head's range."""
    original = Network(network.graph, network.plan)
    pixels = PICTURE.astype(np.float32)
    with torch.no_grad():
        wanted = [head.numpy() for head in original(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()))]
    engine = load_engine(artefact.path, artefact.format, 1)
    (spec,) = engine.inputs
    assert spec.dtype == np.dtype(np.float32)
    got = infer(engine, pixels if spec.shape[3] == 3 else pixels.transpose(0, 3, 1, 2))
    if spec.shape[3] == 3:
        got = [head.transpose(0, 3, 1, 2) for head in got]
    return [float(np.abs(g - w).max() / np.ptp(w)) for g, w in zip(got, wanted, strict=True)]


@pytest.mark.parametrize(
    ("name", "limit"), [("onnx-fp16", 3e-3), ("tflite-fp32", 1e-5), ("tflite-fp16", 3e-3)]
)
def test_references_compute_the_float_model(
    network: Network, tmp_path: Path, name: str, limit: float
) -> None:
    artefact = export(network, tmp_path, name)
    assert (artefact.grid, artefact.format) == ("float", FORMATS[name].engine)
    assert artefact.operators.integer == {}
    assert [output.role for output in artefact.outputs] == ["classes", "box"] * 2
    assert max(differences(artefact, network)) < limit


def test_float16_weights_take_half_the_place(network: Network, tmp_path: Path) -> None:
    artefact = export(network, tmp_path, "onnx-fp16")
    stored = onnx.load(str(artefact.path)).graph.initializer
    weights = [item for item in stored if len(item.dims) == 4]
    assert len(weights) == len(network.convolutions)
    assert {item.data_type for item in weights} == {onnx.TensorProto.FLOAT16}


def test_tflite_takes_uint8_pixels(network: Network, tmp_path: Path) -> None:
    plain, pixels = export(network, tmp_path, "tflite"), tmp_path / "pixels.tflite"
    pixels.write_bytes(with_uint8_input(plain.path.read_bytes()))
    counts = count_tflite_operators(pixels.read_bytes())
    assert counts.float == {}
    assert counts.integer["QUANTIZE"] == plain.operators.integer.get("QUANTIZE", 0) + 1
    engine = load_engine(pixels, "tflite", 1)
    (spec,) = engine.inputs
    assert (spec.dtype.name, spec.scale, spec.zero_point) == ("uint8", 1, 0)
    codes = (PICTURE.astype(np.int16) - 128).astype(np.int8)
    wanted = infer(load_engine(plain.path, "tflite", 1), codes)
    for got, same in zip(infer(engine, PICTURE), wanted, strict=True):
        np.testing.assert_array_equal(got, same)


@pytest.mark.parametrize("dtype", ["FLOAT32", "UINT8"])
def test_only_an_int8_input_can_become_uint8(tmp_path: Path, dtype: str) -> None:
    path = write_model(tmp_path / "m.tflite", "RELU", dtype)
    with pytest.raises(DataError, match="int8"):
        with_uint8_input(path.read_bytes())


@pytest.mark.parametrize(
    ("mean", "std", "grid"),
    [
        ((0, 0, 0), (1, 1, 1), (1.0, 0)),
        ((0, 0, 0), (255, 255, 255), (1 / 255, 0)),
        ((128, 128, 128), (128, 128, 128), (1 / 128, 128)),
        ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), None),
        ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), None),
        ((0, 0, 0), (255, 254, 255), None),
        ((-1, -1, -1), (1, 1, 1), None),
    ],
)
def test_codes_of_a_normalized_picture_are_its_pixels_where_possible(
    mean: Channels, std: Channels, grid: tuple[float, int] | None
) -> None:
    assert pixel_grid(mean, std) == grid
    if grid is None:
        return
    spec = InputSpec(width=16, height=16, layout="nhwc", colour="bgr", mean=mean, std=std)
    tensor = TensorSpec("picture", (1, 16, 16, 3), np.dtype(np.uint8), *grid)
    picture, buffer = PICTURE[0, :16, :16], tensor.allocate()
    Preprocessor(spec, tensor).write(picture, buffer)
    np.testing.assert_array_equal(buffer[0], picture)


@pytest.mark.parametrize(("mean", "std"), [(0, 255), (128, 64)])
def test_a_normalized_network_takes_pixels(tmp_path: Path, mean: float, std: float) -> None:
    """The border too: the first convolution pads with pixels of the mean."""
    graph = read_graph(small_nanodet(tmp_path / "m.onnx"))
    network = Network(graph, plan_affine_grids(graph, pixel_grid((mean,) * 3, (std,) * 3)))
    real = torch.from_numpy(((PICTURE.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2).copy())
    set_ranges(network, observe(network, [real]), "minmax")
    network.set_mode("quantize")
    export_onnx(network, tmp_path / "q.onnx")
    got = infer(OnnxRuntimeEngine(tmp_path / "q.onnx", 1), PICTURE)
    with torch.no_grad():
        wanted = [head.numpy() for head in network(real)]
    for one, other in zip(got, wanted, strict=True):
        assert np.abs(one - other).mean() < 0.5 * np.ptp(other) / 255
