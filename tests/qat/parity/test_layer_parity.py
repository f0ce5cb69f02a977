"""Every layer of an artefact against the trained network, in its real engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import numpy_helper

from edgeagent.bundle.evidence import PARITY, ArtefactParity, Differences, LayerParity
from edgeagent.bundle.manifest import InputSpec
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import Exported, export
from edgeagent.qat.network.network import Network
from edgeagent.qat.parity.layer_parity import FIRST, compare_layers, first_broken
from edgeagent.qat.parity.layer_reference import LayerReference
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_relu_net, small_shufflenet, small_yolox

SPEC = InputSpec(width=SIZE, height=SIZE, layout="nhwc", colour="bgr")
SAME = Differences(share=0, mean=0, largest=0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(5)
    paths = [folder / f"{number}.png" for number in range(2)]
    for path in paths:
        cv2.imwrite(str(path), random.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
    return paths


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, list[Exported]]:
    folder = tmp_path_factory.mktemp("trained")
    network = calibrated(small_yolox(folder / "m.onnx"))
    return network, [export(network, folder, name) for name in ("onnx", "tflite")]


@pytest.fixture(scope="module")
def compared(trained: tuple[Network, list[Exported]], pictures: list[Path]) -> list[ArtefactParity]:
    return compare_layers(trained[0], SPEC, pictures, trained[1])


def test_each_artefact_is_compared_in_each_engine_that_reads_it(compared: list[ArtefactParity]) -> None:
    assert [(item.file, item.engine.split()[0]) for item in compared] == [
        ("model.onnx", "onnxruntime"),
        ("model.onnx", "openvino"),
        ("model.tflite", "tflite"),
    ]
    assert {item.pictures for item in compared} == {2}
    assert {item.broken for item in compared} == {None}


def test_alone_no_layer_is_more_than_a_tie_off(compared: list[ArtefactParity]) -> None:
    for item in compared:
        alone = [layer.alone for layer in item.layers if layer.alone]
        assert len(alone) > len(item.layers) * 0.9
        assert max(found.largest for found in alone) <= 1
        assert max(found.share for found in alone) < 0.01


def test_every_layer_that_computes_is_there(
    trained: tuple[Network, list[Exported]], compared: list[ArtefactParity]
) -> None:
    graph = trained[0].graph
    for item in compared:
        shown = {layer.tensor: layer.operator for layer in item.layers}
        for node in graph.nodes:
            if node.operator in ("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize"):
                assert shown[node.outputs[0]] == node.operator
        heads = [head.tensor for head in graph.heads]
        assert [layer.tensor for layer in item.layers if layer.tensor in heads] == heads
    onnx_artefact, _, tflite = compared
    assert onnx_artefact.not_compared == ()
    assert {name.split("_")[0][:5] for name in tflite.not_compared} <= {"image", "slice"}


def test_the_table_fits_its_schema(compared: list[ArtefactParity]) -> None:
    assert PARITY.encode(compared).count(b'"tensor"') == sum(len(item.layers) for item in compared)


def test_the_reference_is_the_trained_network(trained: tuple[Network, list[Exported]]) -> None:
    network, _ = trained
    picture = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3)) * 255
    reference = LayerReference(network)
    codes = reference.codes(picture)
    assert set(codes) == set(network.plan.of)
    with torch.no_grad():
        heads = network(picture)
    for head, answer in zip(network.graph.heads, heads, strict=True):
        scale, zero_point = reference.grid(head.tensor)
        np.testing.assert_allclose(
            (codes[head.tensor].astype(np.float32) - zero_point) * scale,
            answer.numpy(),
            rtol=0,
            atol=scale / 100,
        )


def test_a_weight_that_is_another_one_is_found_and_named(
    trained: tuple[Network, list[Exported]], pictures: list[Path], tmp_path: Path
) -> None:
    network, (artefact, _) = trained
    convolutions = [node for node in network.graph.nodes if node.operator == "Conv"]
    model = onnx.load(str(artefact.path))
    damaged = convolutions[4]
    for item in model.graph.initializer:
        if item.name == f"{damaged.inputs[1]}_q":
            codes = numpy_helper.to_array(item).copy()
            codes[0] = -codes[0]
            item.CopyFrom(numpy_helper.from_array(codes, item.name))
    path = tmp_path / "model.onnx"
    onnx.save(model, str(path))
    wrong = Exported(**{**vars(artefact), "path": path})
    with pytest.raises(DataError) as caught:
        compare_layers(network, SPEC, pictures, [wrong])
    assert f"layer {damaged.outputs[0]} (Conv) alone differs" in str(caught.value)
    assert str(caught.value).startswith(f"{path}: in onnxruntime ")


def test_a_lookup_table_that_is_wrong_is_found_in_tflite_too(
    trained: tuple[Network, list[Exported]], pictures: list[Path], tmp_path: Path
) -> None:
    """A file in which a LOGISTIC has become a TANH."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    network, (_, artefact) = trained
    model = schema.ModelT.InitFromPackedBuf(artefact.path.read_bytes(), 0)
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.LOGISTIC:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(builder.Output()))
    first = next(node for node in network.graph.nodes if node.operator == "Sigmoid")
    with pytest.raises(DataError) as caught:
        compare_layers(network, SPEC, pictures, [Exported(**{**vars(artefact), "path": path})])
    assert f"layer {first.outputs[0]} (Sigmoid) alone differs" in str(caught.value)


def test_a_weight_that_is_another_one_is_found_in_tflite_too(
    trained: tuple[Network, list[Exported]], pictures: list[Path], tmp_path: Path
) -> None:
    """A convolution that is not known by its weights is known by what it reads."""
    network, (_, artefact) = trained
    wrong = changed(artefact, tmp_path, lambda codes: -codes)
    convolutions = [node for node in network.graph.nodes if node.operator == "Conv"]
    with pytest.raises(DataError, match=f"layer {convolutions[0].outputs[0]} \\(Conv\\) alone differs"):
        compare_layers(network, SPEC, pictures, [wrong])


def changed(
    artefact: Exported, folder: Path, change: Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int8]]
) -> Exported:
    """Return the artefact with the weights of its first convolution changed."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(artefact.path.read_bytes(), 0)
    (body,) = model.subgraphs
    kinds = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in body.operators]
    first = body.operators[kinds.index(schema.BuiltinOperator.CONV_2D)]
    buffer = model.buffers[body.tensors[int(first.inputs[1])].buffer]
    buffer.data = change(np.asarray(buffer.data, np.uint8).view(np.int8)).view(np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = folder / "model.tflite"
    path.write_bytes(bytes(builder.Output()))
    return Exported(**{**vars(artefact), "path": path})


def test_channel_shuffles_of_one_grid_are_not_mixed_up(pictures: list[Path], tmp_path: Path) -> None:
    network = calibrated(small_shufflenet(tmp_path / "m.onnx"))
    grids = {network.plan.of[node.outputs[0]] for node in network.graph.nodes if node.operator == "Concat"}
    assert len(grids) == 1
    (tflite,) = compare_layers(network, SPEC, pictures, [export(network, tmp_path, "tflite")])
    assert tflite.broken is None
    compared = {layer.tensor for layer in tflite.layers}
    computing = [node for node in network.graph.nodes if node.operator in ("Concat", "Relu")]
    assert {node.outputs[0] for node in computing} <= compared
    assert max(layer.alone.largest for layer in tflite.layers if layer.alone) <= 1


def test_clamped_convolutions_are_one_layer(pictures: list[Path], tmp_path: Path) -> None:
    network = calibrated(small_relu_net(tmp_path / "m.onnx"))
    (onnxruntime, _) = compare_layers(network, SPEC, pictures, [export(network, tmp_path, "onnx")])
    operators = [layer.operator for layer in onnxruntime.layers]
    assert operators[:3] == ["", "Conv Relu", "Conv Clip"]
    assert onnxruntime.not_compared == ()


def layer(
    name: str, alone: Differences | None = SAME, accumulated: Differences = SAME, operator: str = "Conv"
) -> LayerParity:
    return LayerParity(tensor=name, operator=operator, alone=alone, accumulated=accumulated)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([layer("a"), layer("b", None)], None),
        ([layer("a", Differences(share=0.04, mean=0.04, largest=1))], None),
        (
            [layer("a"), layer("b", Differences(share=0.001, mean=0.002, largest=2))],
            "layer b (Conv) alone differs from the trained network by up to 2 steps in 0.1% of its codes "
            "(1 step in 5% are allowed)",
        ),
        (
            [layer("a", Differences(share=0.06, mean=0.06, largest=1))],
            "layer a (Conv) alone differs from the trained network by up to 1 steps in 6.0% of its codes "
            "(1 step in 5% are allowed)",
        ),
        (
            [layer("a", None, Differences(share=0.03, mean=0.03, largest=1))],
            f"layer a (Conv), one of the first {FIRST}, differs from the trained network in 3.0% of its "
            "codes (2% are allowed)",
        ),
        (
            [
                layer("a", operator="LeakyRelu"),
                layer("b", None, Differences(share=0.03, mean=0.03, largest=1)),
            ],
            None,
        ),
        ([layer("a", Differences(share=0.2, mean=0.2, largest=1), operator="Resize")], None),
        (
            [layer("a", Differences(share=0.3, mean=0.3, largest=1), operator="Resize")],
            "layer a (Resize) alone differs from the trained network by up to 1 steps in 30.0% of its codes "
            "(1 step in 25% are allowed)",
        ),
        (
            [layer("a")] * FIRST + [layer("h", SAME, Differences(share=1, mean=6.5, largest=90))],
            "head h differs from the trained network by 6.5 steps on average (6 are allowed)",
        ),
        ([layer("a")] * FIRST + [layer("b", SAME, Differences(share=1, mean=6.5, largest=90))], None),
    ],
)
def test_the_bounds(layers: list[LayerParity], sentence: str | None) -> None:
    assert first_broken(layers, ["h"]) == sentence
