"""The selfie segmentation network of MediaPipe as ONNX, checked against its TFLite file.

::

    python benchmarks/selfie_onnx.py mediapipe-0.10.14-*.whl selfie.onnx

Reads ``mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite`` of the wheel (Apache-2.0), or a
TFLite file with the same operators. Tensors become NCHW, weights of 16 bits become 32, and the padding SAME
becomes numbers. The operators are those of TensorFlow's schema (tensorflow/lite/schema/schema.fbs); the
custom operator ``Convolution2DTransposeBias`` is a transposed convolution whose steps are the sides of its
kernel. Beside the ONNX file its description is written.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

MEMBER = "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite"
TRANSPOSED = "Convolution2DTransposeBias"
LARGEST_DIFFERENCE = 1e-3
"""Of probabilities on pictures of noise; the engines sum in another order."""
DESCRIPTION = """\
name: selfie-segmentation
version: 1.0.0
task: segmentation
labels: [background, person]
input:
  width: {width}
  height: {height}
  layout: nhwc
  colour: rgb
  mean: [0, 0, 0]
  std: [255, 255, 255]
  letterbox: null
decoder: {{family: segmenter}}
licence: Apache-2.0
attribution: selfie segmentation of MediaPipe 0.10.14 by Google, converted from its TFLite file
"""


class SelfieConverter:
    """Nodes of an ONNX graph, from the operators of a TFLite file.

    Args:
        content: of the TFLite file.
    """

    def __init__(self, content: bytes) -> None:
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        self._graph = self._model.subgraphs[0]
        self._kinds = {
            value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
        }
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Any] = {}
        self._values: dict[int, np.ndarray] = {}

    def convert(self) -> onnx.ModelProto:
        """Return the model.

        Raises:
            ValueError: an operator is none of those of the network.
        """
        for operator in self._graph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            kind = self._kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
            name = code.customCode.decode() if kind == "CUSTOM" else kind
            if name not in OPERATORS:
                raise ValueError(f"the operator {name} is none of the selfie segmentation network")
            OPERATORS[name](self, operator)
        source, result = self._graph.inputs[0], self._graph.outputs[0]
        graph = helper.make_graph(
            self._nodes,
            "selfie-segmentation",
            [helper.make_tensor_value_info(_name(source), TensorProto.FLOAT, self.shape(source))],
            [helper.make_tensor_value_info(_name(result), TensorProto.FLOAT, self.shape(result))],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def shape(self, tensor: int) -> list[int]:
        """Return the shape of an activation as NCHW."""
        count, height, width, channels = self._graph.tensors[tensor].shape
        return [int(count), int(channels), int(height), int(width)]

    def widen(self, operator: Any) -> None:
        """Take over a constant of 16 bits."""
        self._values[operator.outputs[0]] = self._read(operator.inputs[0]).astype(np.float32)

    def convolve(self, operator: Any) -> None:
        """Add a convolution, one of each channel, or a transposed one."""
        source, weight, bias = (int(tensor) for tensor in operator.inputs[:3])
        values, options = self._values[weight], operator.builtinOptions
        attributes: dict[str, Any] = {"kernel_shape": list(values.shape[1:3])}
        if options is None:  # transposed: (outputs, height, width, inputs) becomes (inputs, outputs, ...)
            values = values.transpose(3, 0, 1, 2)
            attributes |= {"strides": attributes["kernel_shape"]}
        else:
            strides = [options.strideH, options.strideW]
            pads = self._pads(source, attributes["kernel_shape"], strides, options.padding)
            attributes |= {"strides": strides, "pads": pads}
            if isinstance(options, schema.DepthwiseConv2DOptionsT):
                attributes["group"] = values.shape[3]
                values = values.transpose(3, 0, 1, 2)
            else:
                values = values.transpose(0, 3, 1, 2)
        inputs = [_name(source), self._keep(weight, values), self._keep(bias, self._values[bias])]
        self._add("ConvTranspose" if options is None else "Conv", operator, inputs, **attributes)

    def resize(self, operator: Any) -> None:
        """Add a bilinear resize."""
        options = operator.builtinOptions
        mode = "align_corners" if options.alignCorners else "half_pixel"
        if not options.alignCorners and not options.halfPixelCenters:
            mode = "asymmetric"
        sizes = self._keep(operator.outputs[0], np.array(self.shape(operator.outputs[0]), np.int64))
        inputs = [_name(operator.inputs[0]), "", "", sizes]
        self._add("Resize", operator, inputs, mode="linear", coordinate_transformation_mode=mode)

    def pool(self, operator: Any) -> None:
        """Add a mean over the whole tensor."""
        if self.shape(operator.outputs[0])[2:] != [1, 1]:
            raise ValueError("an AVERAGE_POOL_2D is not over the whole tensor")
        self._add("GlobalAveragePool", operator, [_name(operator.inputs[0])])

    def compute(self, onnx_operator: str) -> Callable[[Any], None]:
        """Return what adds an operator of the same inputs."""

        def add(operator: Any) -> None:
            self._add(onnx_operator, operator, [_name(tensor) for tensor in operator.inputs])

        return add

    def _add(self, onnx_operator: str, operator: Any, inputs: Sequence[str], **attributes: Any) -> None:
        output = _name(operator.outputs[0])
        self._nodes.append(helper.make_node(onnx_operator, list(inputs), [output], output, **attributes))

    def _keep(self, tensor: int, values: np.ndarray) -> str:
        name = f"{_name(tensor)}_values"
        self._constants[name] = np.ascontiguousarray(values)
        return name

    def _read(self, tensor: int) -> np.ndarray:
        found = self._graph.tensors[tensor]
        return np.frombuffer(bytes(self._model.buffers[found.buffer].data), np.float16).reshape(found.shape)

    def _pads(self, source: int, kernel: Sequence[int], strides: Sequence[int], padding: int) -> list[int]:
        """Return the pads (top, left, bottom, right) of TensorFlow's padding SAME, or none."""
        if padding != schema.Padding.SAME:
            return [0, 0, 0, 0]
        sizes = zip(self.shape(source)[2:], kernel, strides, strict=True)
        total = [max((-(-size // step) - 1) * step + side - size, 0) for size, side, step in sizes]
        return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]


def _name(tensor: int) -> str:
    return f"t{int(tensor)}"


def _same(onnx_operator: str) -> Callable[[SelfieConverter, Any], None]:
    return lambda converter, operator: converter.compute(onnx_operator)(operator)


OPERATORS: dict[str, Callable[[SelfieConverter, Any], None]] = {
    "DEQUANTIZE": SelfieConverter.widen,
    "CONV_2D": SelfieConverter.convolve,
    "DEPTHWISE_CONV_2D": SelfieConverter.convolve,
    TRANSPOSED: SelfieConverter.convolve,
    "RESIZE_BILINEAR": SelfieConverter.resize,
    "AVERAGE_POOL_2D": SelfieConverter.pool,
    "ADD": _same("Add"),
    "MUL": _same("Mul"),
    "RELU": _same("Relu"),
    "HARD_SWISH": _same("HardSwish"),
    "LOGISTIC": _same("Sigmoid"),
}


def read_network(path: Path) -> bytes:
    """Return the TFLite file, or that in a wheel of mediapipe."""
    if path.suffix != ".whl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(MEMBER)


def largest_difference(content: bytes, model: Path, count: int = 4) -> float:
    """Return the largest difference between the probabilities of a TFLite and an ONNX file.

    Args:
        content: of the TFLite file.
        model: ONNX file.
        count: pictures of noise, of several degrees of detail.
    """
    import cv2
    import onnxruntime

    tflite = Interpreter(model_content=content)
    tflite.allocate_tensors()
    given, result = tflite.get_input_details()[0], tflite.get_output_details()[0]
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    random, largest = np.random.default_rng(0), 0.0
    for number in range(count):
        side = 4 ** (number + 1)
        noise = random.uniform(0, 1, (side, side, 3)).astype(np.float32)
        picture = cv2.resize(noise, (given["shape"][2], given["shape"][1]))[None]
        tflite.set_tensor(given["index"], picture)
        tflite.invoke()
        own = session.run(None, {session.get_inputs()[0].name: picture.transpose(0, 3, 1, 2)})[0]
        other = tflite.get_tensor(result["index"]).transpose(0, 3, 1, 2)
        largest = max(largest, float(np.abs(own - other).max()))
    return largest


def convert_selfie(source: Path, out: Path) -> float:
    """Write the network as ONNX with its description; return the largest difference to its TFLite file."""
    content = read_network(source)
    converter = SelfieConverter(content)
    model = converter.convert()
    onnx.save(model, out)
    height, width = (axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[2:])
    out.with_suffix(".yaml").write_text(DESCRIPTION.format(width=width, height=height), encoding="utf-8")
    return largest_difference(content, out)


def main() -> int:
    """Convert the network and print how far it is from its TFLite file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="wheel of mediapipe, or TFLite file")
    parser.add_argument("out", type=Path, help="ONNX file to write")
    arguments = parser.parse_args()
    difference = convert_selfie(arguments.source, arguments.out)
    print(f"{arguments.out}: probabilities differ by {difference:.1e} at most from those of the TFLite file")
    return int(difference > LARGEST_DIFFERENCE)


if __name__ == "__main__":
    sys.exit(main())
