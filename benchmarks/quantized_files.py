"""Files that nncf and ai-edge-quantizer make of a float model, for ``benchmarks/other_quantizers.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.bundle.model_description import FloatModelDescription
from edgeagent.engines.loading import load_engine
from edgeagent.errors import BundleError
from edgeagent.qat.export.exports import export, roles
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.network.network import Network

PER_CHANNEL_OPSET = 13
"""Opset from which on nncf has a scale for each channel of weights."""
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "mixed": {"preset": "mixed"},
    "mixed, accurate bias correction": {"preset": "mixed", "fast_bias_correction": False},
}
"""Arguments of ``nncf.quantize`` beside the model and the pictures."""
ALGORITHMS = {"min-max": "min_max_uniform_quantize", "mse": "MSE"}
"""Algorithms of ai-edge-quantizer for static 8-bit weights and activations."""

Parts = dict[str, list[tuple[str, int]]]
"""Parts (name, channels) of a tensor that is split, by its name."""


@dataclass(frozen=True)
class Subject:
    """Float model that is quantized by all.

    Attributes:
        path: ONNX file.
        description: its description.
        graph: its graph, with the heads.
        tensors: (1, 3, height, width) float32, calibration pictures prepared as on the device.
    """

    path: Path
    description: FloatModelDescription
    graph: Graph
    tensors: Sequence[np.ndarray]


@dataclass(frozen=True)
class MadeFile:
    """File that a quantizer made, or the error that it ended with.

    Attributes:
        quantizer: tool and its settings.
        path: file.
        format: ``onnx`` or ``tflite``.
        outputs: roles of its outputs; empty for one output that is decoded as a whole.
        failure: error of the tool; empty where it made the file.
    """

    quantizer: str
    path: Path
    format: str
    outputs: tuple[OutputSpec, ...] = ()
    failure: str = ""


def failure_text(error: Exception) -> str:
    """Return the type and the first line of an error of a tool."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:300]


def nncf_files(subject: Subject, folder: Path) -> Iterator[MadeFile]:
    """Yield the files of nncf: of the file as given where one output is decoded, and of each recipe."""
    given = onnx.load(str(subject.path))
    if len(given.graph.output) == 1:
        yield _made(
            MadeFile("nncf, default, file as given", folder / "nncf-given.onnx", "onnx"),
            lambda: nncf_quantized(given, subject.tensors, {}),
        )
    cut, splits = cut_at_heads(subject, folder)
    heads = roles(subject.graph, [head.tensor for head in subject.graph.heads])
    for number, (name, options) in enumerate(RECIPES.items()):
        yield _made(
            MadeFile(f"nncf, {name}", folder / f"nncf-{number}.onnx", "onnx", heads),
            lambda o=options: with_splits(nncf_quantized(cut, subject.tensors, o), splits),
        )


def nncf_quantized(
    model: onnx.ModelProto, tensors: Sequence[np.ndarray], options: dict[str, Any]
) -> onnx.ModelProto:
    """Return a model quantized by nncf on all calibration pictures."""
    import nncf

    arguments = dict(options)
    if "preset" in arguments:
        arguments["preset"] = nncf.QuantizationPreset(arguments["preset"])
    (name,) = _inputs(model)
    pictures = nncf.Dataset(tensors, lambda tensor: {name: tensor})
    quantized: onnx.ModelProto = nncf.quantize(model, pictures, subset_size=len(tensors), **arguments)
    return quantized


def cut_at_heads(subject: Subject, folder: Path) -> tuple[onnx.ModelProto, Parts]:
    """Return the exporter's graph up to the heads in :data:`PER_CHANNEL_OPSET`, and the heads to split."""
    model = onnx.load(str(subject.path))
    known = {name for node in model.graph.node for name in node.output}
    ends: Parts = {}
    for head in subject.graph.heads:
        whole = head.tensor if head.tensor in known else head.tensor.rpartition(".")[0]
        if whole not in known:
            raise BundleError(f"{subject.path}: has no tensor {head.tensor} to cut at")
        ends.setdefault(whole, []).append((head.tensor, head.shape[1]))
    path = folder / "cut.onnx"
    onnx.utils.extract_model(str(subject.path), str(path), _inputs(model), list(ends))
    cut = onnx.version_converter.convert_version(onnx.load(str(path)), PER_CHANNEL_OPSET)
    return cut, {name: parts for name, parts in ends.items() if parts[0][0] != name}


def with_splits(model: onnx.ModelProto, splits: Parts) -> onnx.ModelProto:
    """Return a model whose outputs are the parts of its heads."""
    outputs = list(model.graph.output)
    del model.graph.output[:]
    for output in outputs:
        parts = splits.get(output.name)
        if parts is None:
            model.graph.output.append(output)
            continue
        sizes = onnx.numpy_helper.from_array(np.array([size for _, size in parts]), f"{output.name}.sizes")
        model.graph.initializer.append(sizes)
        names = [name for name, _ in parts]
        model.graph.node.append(onnx.helper.make_node("Split", [output.name, sizes.name], names, axis=1))
        first, _, *rest = (dimension.dim_value for dimension in output.type.tensor_type.shape.dim)
        for name, size in parts:
            shape = [first, size, *rest]
            part = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            model.graph.output.append(part)
    return model


def ai_edge_files(subject: Subject, folder: Path) -> Iterator[MadeFile]:
    """Yield the float TFLite file of the project, and those of each algorithm of ai-edge-quantizer."""
    network = Network(subject.graph, plan_grids(subject.graph, subject.description.input, "affine"))
    exported = export(network, folder, "tflite-fp32")
    yield MadeFile("float", exported.path, "tflite", exported.outputs)
    for name, algorithm in ALGORITHMS.items():
        path = folder / f"{algorithm}.tflite"
        made = _made(
            MadeFile(f"ai-edge-quantizer, {name}", path, "tflite"),
            lambda a=algorithm: ai_edge_quantized(exported.path, subject.tensors, a),
        )
        yield made if made.failure else replace(made, outputs=_roles_in(path, subject.graph))


def ai_edge_quantized(path: Path, tensors: Sequence[np.ndarray], algorithm: str) -> bytes:
    """Return a TFLite file with static 8-bit weights and activations."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    ((signature, names),) = Interpreter(str(path)).get_signature_list().items()
    (name,) = names["inputs"]
    pictures = [{name: tensor.transpose(0, 2, 3, 1)} for tensor in tensors]  # read twice: no generator
    settings = recipe.static_wi8_ai8(algorithm_key=quantizer.AlgorithmName(algorithm))
    tool = quantizer.Quantizer(str(path), settings)
    ranges = tool.calibrate({signature: pictures})
    return bytes(tool.quantize(ranges).quantized_model)


def _roles_in(path: Path, graph: Graph) -> tuple[OutputSpec, ...]:
    """Return the roles of the outputs of a TFLite file, which a tool may have renamed but leaves in order."""
    engine = load_engine(path, "tflite", threads=1)
    names = [tensor.name for tensor in engine.outputs]
    engine.close()
    return roles(graph, names)


def _made(file: MadeFile, make: Callable[[], onnx.ModelProto | bytes]) -> MadeFile:
    """Write what a tool makes, or return its error."""
    try:
        made = make()
    except Exception as error:  # noqa: BLE001  (of a tool: any)
        return replace(file, failure=failure_text(error))
    file.path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return file


def _inputs(model: onnx.ModelProto) -> list[str]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [tensor.name for tensor in model.graph.input if tensor.name not in constants]
