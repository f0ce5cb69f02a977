"""Operator counts of an ONNX artefact, on integers and on floats, as ONNX Runtime optimises it."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime

from edgeagent.bundle.manifest import OperatorCounts
from edgeagent.engines.onnxruntime_engine import PROVIDER, session_options

MOVES = frozenset(
    {
        "Concat",
        "DepthToSpace",
        "Gather",
        "MaxPool",
        "Pad",
        "Reshape",
        "Resize",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators that run on the type of their input."""


def count_operators(artefact: Path) -> OperatorCounts:
    """Return the operators of an ONNX artefact after optimisation with ONNX Runtime's default settings.

    QuantizeLinear and DequantizeLinear count as float.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = session_options(onnxruntime, threads=1)
        options.optimized_model_filepath = str(optimized)
        onnxruntime.InferenceSession(artefact.read_bytes(), options, providers=[PROVIDER])
        graph = onnx.load(str(optimized)).graph
    integer, real = Counter[str](), Counter[str]()
    codes = {item.name for item in graph.input if item.type.tensor_type.elem_type != onnx.TensorProto.FLOAT}
    for node in graph.node:
        moves_codes = node.op_type in MOVES and node.input[0] in codes
        if _computes_on_codes(node) or moves_codes:
            integer[node.op_type] += 1
            codes.update(node.output)
        else:
            real[node.op_type] += 1
            if node.op_type == "QuantizeLinear":
                codes.update(node.output)
    return OperatorCounts(integer=dict(sorted(integer.items())), float=dict(sorted(real.items())))


def _computes_on_codes(node: onnx.NodeProto) -> bool:
    return node.op_type.startswith("QLinear") or node.op_type in ("ConvInteger", "NhwcMaxPool", "QGemm")
