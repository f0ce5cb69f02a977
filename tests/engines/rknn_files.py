"""Files of the form that rknn-toolkit2 writes, with an ONNX model as the graph, for the stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx


def described(model: onnx.ModelProto, chip: str = "rk3588") -> dict[str, Any]:
    """Return what the text at the end of a file says of a model whose input has its channels last."""
    tensors = [
        (one.name, [size.dim_value for size in one.type.tensor_type.shape.dim]) for one in model.graph.input
    ]
    tensors = [(name, [batch, channels, height, width]) for name, (batch, height, width, channels) in tensors]
    inputs = len(tensors)
    tensors += [
        (one.name, [size.dim_value for size in one.type.tensor_type.shape.dim]) for one in model.graph.output
    ]
    ends = [("input", n) for n in range(inputs)] + [("output", n) for n in range(len(tensors) - inputs)]
    return {
        "graph": [
            {"left": end, "left_tensor_id": number, "right": "norm_tensor", "right_tensor_id": tensor}
            for tensor, (end, number) in enumerate(ends)
        ],
        "norm_tensor": [
            {"tensor_id": tensor, "url": name, "size": size} for tensor, (name, size) in enumerate(tensors)
        ],
        "target_platform": [chip],
    }


def write_rknn(path: Path, graph: bytes, text: dict[str, Any]) -> Path:
    """Write a file and return its path."""
    encoded = json.dumps(text).encode()
    header = b"RKNN\0\0\0\0" + (6).to_bytes(8, "little") + len(graph).to_bytes(8, "little")
    path.write_bytes(header.ljust(64, b"\0") + graph + len(encoded).to_bytes(8, "little") + encoded)
    return path
