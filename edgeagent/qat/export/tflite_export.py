"""Export to full-integer TFLite, with litert-torch.

::

    network -> deployed form (real quantize operators) -> channels last -> litert-torch -> flatbuffer
        -> first convolution on a folded picture
        -> rejected if an operator computes on floats, unless nodes stay float

The artefact takes the picture as int8 (1, height, width, 3), pixels minus 128 when the network takes 0..255
unchanged, and returns int8 head tensors (1, h, w, channels), each on its own grid.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import torch

from edgeagent.bundle.manifest import OperatorCounts
from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.deployed import build_deployed
from edgeagent.qat.export.litert_process import convert, keep_shapes, load_given
from edgeagent.qat.export.tflite_stem import with_space_to_depth
from edgeagent.qat.network.network import Network


def export_tflite(network: Network, path: Path) -> None:
    """Write the network's weights and grids as a TFLite file; takes about a minute per hundred convolutions.

    Raises:
        ConfigurationError: litert-torch is missing.
        DataError: the graph cannot be converted, or not completely to integers.
        EdgeagentError: the file cannot be written.
    """
    content = with_space_to_depth(convert(__name__, network, path))
    floating = count_tflite_operators(content).float
    if floating and not network.plan.float_nodes:
        raise DataError(f"{path}: these operators would compute on floats: {floating}")
    write_work_file(path, content)


def _convert(given: Path, path: Path) -> None:
    import litert_torch
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig

    keep_shapes()
    network = load_given(given)
    _, channels, height, width = network.graph.input_shape
    pictures = torch.zeros(1, height, width, channels)
    heads = list(range(len(network.graph.heads)))
    module = litert_torch.to_channel_last_io(build_deployed(network), args=[0], outputs=heads)
    # there is no calibration: the quantizer only makes the converter keep the quantize operators
    scheme = get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
    config = QuantConfig(pt2e_quantizer=PT2EQuantizer().set_global(scheme))
    litert_torch.convert(module.eval(), (pictures,), quant_config=config).export(str(path))


def count_tflite_operators(content: bytes) -> OperatorCounts:
    """Return the operators of a TFLite file by name; an operator with a float tensor counts as float."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = _names(schema.BuiltinOperator)
    floats = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}
    integer, real = Counter[str](), Counter[str]()
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            used = [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
            touches_float = any(graph.tensors[index].type in floats for index in used)
            (real if touches_float else integer)[names[code.builtinCode]] += 1
    return OperatorCounts(integer=dict(sorted(integer.items())), float=dict(sorted(real.items())))


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
