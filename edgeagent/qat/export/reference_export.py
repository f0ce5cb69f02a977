"""Export of float references, in the formats of the artefacts, for accuracy and speed.

A reference is the source graph with its weights before training, cut at the same heads, so that the same
decoder reads it. The picture is float32 and normalized: (1, 3, height, width) for ONNX, channels last for
TFLite. In float16 files the weights are stored with 16 bits; inputs and heads stay float32.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import onnx
import torch

from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.litert_process import convert, load_given
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.onnx_model import float_model
from edgeagent.qat.network.network import Network


def export_float(graph: Graph, path: Path) -> None:
    """Write the graph as float32 ONNX, from (1, 3, h, w) to the raw head tensors.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    model = float_model(graph)
    onnx.checker.check_model(model, full_check=True)
    write_work_file(path, model.SerializeToString())


def export_onnx_float16(network: Network, path: Path) -> None:
    """Write the float model as float16 ONNX, with ONNX Runtime's converter.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder) / "float.onnx"
        export_float(network.graph, exact)
        model = convert_float_to_float16(onnx.load(str(exact)), keep_io_types=True)
    write_work_file(path, model.SerializeToString())


def export_tflite_float32(network: Network, path: Path) -> None:
    """Write the float model as float32 TFLite.

    Raises:
        ConfigurationError: litert-torch is missing.
        DataError: the graph cannot be converted.
        EdgeagentError: the file cannot be written.
    """
    write_work_file(path, convert(__name__, network, path, "float32"))


def export_tflite_float16(network: Network, path: Path) -> None:
    """Write the float model as TFLite with float16 weights; engines without float16 convert them on loading.

    Raises:
        ConfigurationError, DataError, EdgeagentError: see :func:`export_tflite_float32`.
    """
    write_work_file(path, convert(__name__, network, path, "float16"))


def _convert(given: Path, path: Path, precision: str) -> None:
    import litert_torch

    trained = load_given(given)
    network = Network(trained.graph, trained.plan)  # with the original weights of the graph
    network.set_mode("float")
    _, channels, height, width = network.graph.input_shape
    pictures = torch.zeros(1, height, width, channels)
    heads = list(range(len(network.graph.heads)))
    module = litert_torch.to_channel_last_io(network, args=[0], outputs=heads)
    litert_torch.convert(module.eval(), (pictures,)).export(str(path))
    if precision == "float16":
        path.write_bytes(_with_float16_weights(path))


def _with_float16_weights(path: Path) -> bytes:
    from ai_edge_quantizer import quantizer

    recipe = quantizer.Quantizer(str(path))
    recipe.add_weight_only_config(".*", "*", num_bits=16, algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING)
    return bytes(recipe.quantize().quantized_model)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
