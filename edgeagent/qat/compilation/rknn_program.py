"""Program for the Python of an environment with ``rknn-toolkit2``; it knows nothing of edgeagent.

::

    python rknn_program.py MODEL CHIP MEAN STD RESULT                    a file for the NPU of a chip
    python rknn_program.py MODEL CHIP MEAN STD RESULT INPUTS OUTPUTS     and its outputs in the simulator

``MODEL`` is a QDQ ONNX file with codes of uint8, whose input is the codes of the picture, channels last. RKNN
takes the grids of one with codes of int8 and a real input, channels first, so such a form of it is built.
``MEAN`` and ``STD`` are JSON lists, one number a channel: RKNN's input is pixels, channels last, which it
normalizes itself. ``INPUTS`` and ``OUTPUTS`` are NumPy archives: ``0``, ``1``, ... are the inputs, ``0/name``
the outputs of the first. The simulator runs only what was built in the same process. Placement is in what
RKNN prints.
Source: Rockchip, "RKNN SDK API Reference, RKNN-Toolkit2".
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GRID = "edgeagent.input"
"""Metadata entry of a model with the grid of its input."""
REAL_MODEL = "real_input.onnx"
LOWEST = -128
"""Code of int8 for the code 0 of uint8."""


def with_real_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of the same numbers with a real input, channels first, and codes of int8.

    Args:
        model: of :mod:`edgeagent.qat.export.onnx_export`, which starts with a Transpose of the codes.

    Raises:
        ValueError: it is none.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, noted = made.graph, {entry.key: entry.value for entry in model.metadata_props}
    first = graph.node[0]
    if first.op_type != "Transpose" or list(first.input) != [graph.input[0].name] or GRID not in noted:
        raise ValueError("the model does not start with the codes of a picture, or notes no grid of them")
    grid, codes = json.loads(noted[GRID]), first.output[0]
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.UINT8:
            moved = numpy_helper.to_array(tensor).astype(np.int16) + LOWEST
            tensor.CopyFrom(numpy_helper.from_array(moved.astype(np.int8), tensor.name))
    _, height, width, channels = (size.dim_value for size in graph.input[0].type.tensor_type.shape.dim)
    real, scale, zero = f"{codes}_real", f"{codes}_scale", f"{codes}_zero"
    graph.initializer.append(numpy_helper.from_array(np.array(grid["scale"], np.float32), scale))
    graph.initializer.append(numpy_helper.from_array(np.array(grid["zero_point"] + LOWEST, np.int8), zero))
    first.CopyFrom(helper.make_node("QuantizeLinear", [real, scale, zero], [codes], f"{codes}_q"))
    graph.input[0].CopyFrom(
        helper.make_tensor_value_info(real, TensorProto.FLOAT, (1, channels, height, width))
    )
    return made


def build(model: onnx.ModelProto, chip: str, mean: list[float], std: list[float]) -> Any:
    """Return the toolkit with a model that was built for a chip.

    Raises:
        RuntimeError: it cannot be built; the toolkit has printed why.
    """
    onnx.save(with_real_input(model), REAL_MODEL)
    toolkit = importlib.import_module("rknn.api").RKNN(verbose=True)
    toolkit.config(mean_values=[mean], std_values=[std], target_platform=chip)
    _check("load the model", toolkit.load_onnx(model=REAL_MODEL))
    _check("build the model", toolkit.build(do_quantization=False))
    return toolkit


def simulate_built(toolkit: Any, names: list[str], inputs: str, outputs: str) -> None:
    """Run what was built on each input."""
    _check("start its simulator", toolkit.init_runtime())
    results: dict[str, Any] = {}
    with np.load(inputs) as archive:
        for number in range(len(archive.files)):
            values = toolkit.inference(inputs=[archive[str(number)]], data_format=["nhwc"])
            results |= {f"{number}/{name}": value for name, value in zip(names, values, strict=True)}
    np.savez(outputs, **results)


def main(model: str, chip: str, mean: str, std: str, result: str, *archives: str) -> None:
    """Build a model, write it, and run it in the simulator if archives are given."""
    source = onnx.load(model)
    toolkit = build(source, chip, json.loads(mean), json.loads(std))
    _check("write the model", toolkit.export_rknn(str(Path(result).resolve())))
    if archives:
        simulate_built(toolkit, [output.name for output in source.graph.output], *archives)


def _check(what: str, code: int) -> None:
    if code != 0:
        raise RuntimeError(f"RKNN could not {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
