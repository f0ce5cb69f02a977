"""The float model in the formats of the artefacts: references for accuracy and speed.

What is exported is the source graph, cut at the same heads, with the weights it had before training; so the
same decoder reads it. The picture goes in as float32, normalized: (1, 3, height, width) for ONNX, channels
last for TFLite. In the float16 files the weights are stored with 16 bits; inputs and heads stay float32.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import onnx
import torch

from edgeagent.qat.export.float_export import export_float
from edgeagent.qat.export.litert_process import convert, load_given
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.work_file import write_whole


def export_onnx_float16(network: Network, path: Path) -> None:
    """Write the float model as ONNX that computes in float16, through ONNX Runtime's own converter.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder) / "float.onnx"
        export_float(network.graph, exact)
        model = convert_float_to_float16(onnx.load(str(exact)), keep_io_types=True)
    write_whole(path, model.SerializeToString())


def export_tflite_float32(network: Network, path: Path) -> None:
    """Write the float model as TFLite.

    Raises:
        ConfigurationError: litert-torch is missing.
        DataError: the graph cannot be converted.
        EdgeagentError: the file cannot be written.
    """
    write_whole(path, convert(__name__, network, path, "float32"))


def export_tflite_float16(network: Network, path: Path) -> None:
    """Write the float model as TFLite with float16 weights; engines without float16 widen them at load time.

    Raises:
        ConfigurationError, DataError, EdgeagentError: see :func:`export_tflite_float32`.
    """
    write_whole(path, convert(__name__, network, path, "float16"))


def _convert(given: Path, path: Path, precision: str) -> None:
    import litert_torch

    trained = load_given(given)
    network = Network(trained.graph, trained.plan)  # with the weights of the graph again
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
