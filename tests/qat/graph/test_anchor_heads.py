"""Heads of YOLOv5 and YOLOv7 are split by meaning, and their decoded boxes are those of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgeagent.bundle.manifest import DecoderSpec, InputSpec, ModelDescription
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import export, export_reference
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.graph.heads import check_heads, describe_cut, role, stride
from edgeagent.vision.decoder import build_decoder
from tests.qat.detectors import ANCHORS, CLASSES, AnchorBuilder, yolov5_like
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE
from tests.vision import slow

FORMS = pytest.mark.parametrize("form", ["split", "slices", "raw"])


def described(classes: int = CLASSES, **changes: Any) -> ModelDescription:
    decoder = {"family": "yolov5", "strides": list(ANCHORS), "anchors": list(ANCHORS.values()), **changes}
    return ModelDescription(
        name="tiny",
        version="1.0.0",
        task="detection",
        labels=tuple(f"class{number}" for number in range(classes)),
        input=InputSpec(width=SIZE, height=SIZE, layout="nchw", colour="rgb"),
        decoder=DecoderSpec.model_validate(decoder),
        licence="Apache-2.0",
        attribution="tests",
    )


@FORMS
@pytest.mark.parametrize("classes", [CLASSES, 1])
def test_heads_have_roles(form: str, classes: int, tmp_path: Path) -> None:
    graph = read_graph(yolov5_like(tmp_path / "m.onnx", form, classes))
    found = [(role(head, graph), stride(head, graph), head.shape[1], head.logits) for head in graph.heads]
    assert found == [
        (kind, size, channels, kind != "box")
        for size in ANCHORS
        for kind, channels in (("box", 12), ("objectness", 3), ("classes", 3 * classes))
    ]
    assert {head.anchors for head in graph.heads} == {3}
    check_heads(graph, described(classes))
    assert describe_cut(graph)[0].endswith("box, 12 x 8 x 8, stride 8, 3 anchors")


def heads_of(graph: Graph, folder: Path, picture: Any) -> tuple[Any, Any, Any]:
    """Return tensors, roles and outputs of the float heads for a picture."""
    reference = export_reference(graph, folder)
    engine = OnnxRuntimeEngine(reference.path, 1)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([picture], outputs)
    return engine.outputs, reference.outputs, outputs


@pytest.mark.parametrize("form", ["split", "slices"])
@pytest.mark.parametrize("classes", [CLASSES, 1])
def test_decoded_heads_are_the_output_of_the_graph(form: str, classes: int, tmp_path: Path) -> None:
    path = yolov5_like(tmp_path / "m.onnx", form, classes)
    picture = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    tensors, roles, outputs = heads_of(read_graph(path), tmp_path, picture)
    spec, size = described(classes).decoder, (SIZE, SIZE)
    ours = build_decoder(spec, tensors, roles, size, classes, 1.0).decode(outputs, 0.0)
    ((rows,),) = onnxruntime.InferenceSession(str(path)).run(None, {"images": picture})
    own = []
    for x, y, w, h, objectness, *scores in rows.astype(np.float64).tolist():
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        own.append(slow.Found(box, objectness * max(scores), scores.index(max(scores))))
    assert len(ours) == len(own) == 240
    slow.assert_same(ours, own, 1e-3)


def test_everything_runs_on_integers(tmp_path: Path) -> None:
    network = calibrated(yolov5_like(tmp_path / "m.onnx"))
    exported = export(network, tmp_path, "onnx")
    assert exported.operators.integer["QLinearConv"] == 3 + 6
    assert set(exported.operators.float) == {"DequantizeLinear"}
    assert [item.role for item in exported.outputs] == ["box", "objectness", "classes"] * 2
    assert len({network.plan.of[head.tensor] for head in network.graph.heads}) == 6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"family": "yolov8"}, "predicts 3 boxes per cell relative to anchors, .* write family: yolov5"),
        ({"family": "yolox"}, "the description says yolox: write family: yolov5"),
        ({"anchors": [[[1, 1]] * 2] * 2}, "predicts 3 boxes per cell, the description lists 2 anchors at"),
        ({"strides": [8, 32]}, r"the heads have strides \[8, 16\], the description says \[8, 32\]"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    graph = read_graph(yolov5_like(tmp_path / "m.onnx"))
    with pytest.raises(DataError, match=reason):
        check_heads(graph, described(**changes))
    with pytest.raises(DataError, match="predicts 3 classes, the description lists 4 labels"):
        check_heads(graph, described(4))


def test_sizes_by_exponential_are_refused(tmp_path: Path) -> None:
    """YOLOv3: centre and scores pass a sigmoid, sizes an exponential."""
    g = AnchorBuilder()
    head = g.conv(g.silu(g.conv("images", (3, 8), 3, 8)), (8, 3 * 8))
    raw = g.node("Reshape", head, g.constant([1, 3, 8, 8, 8]))
    centre = g.node("Split", raw, g.constant([2, 2, 4]), outputs=3, axis=2)
    size, scores = (g.node("Exp", centre[:-1] + "1"), g.node("Sigmoid", centre[:-1] + "2"))
    rows = g.node("Concat", g.node("Sigmoid", centre), size, scores, axis=2)
    path = g.save(tmp_path / "m.onnx", {rows: (1, 3, 8, 8, 8)})
    with pytest.raises(DataError, match=r"Exp of 2 to 3, .* only those of YOLOv5 and YOLOv7"):
        read_graph(path)
