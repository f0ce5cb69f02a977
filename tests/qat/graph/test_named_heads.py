"""Heads named with their roles, and what is said where they are ambiguous."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.heads import check_heads, role
from tests.qat.detectors import yolov8_like
from tests.qat.models import SIZE, GraphBuilder, small_nanodet

DECODER = {"family": "yolov8", "strides": [8], "reg_max": 1}
LABELS = ("a", "b", "c")


def raw_heads(path: Path) -> Path:
    """Boxes and logits without any operator behind them."""
    g = GraphBuilder()
    x = g.node("Relu", g.conv("images", (3, 8), 3, 8))
    return g.save(path, {g.conv(x, (8, n)): (1, n, SIZE // 8, SIZE // 8) for n in (4, 3)})


def described(labels: tuple[str, ...] = LABELS) -> ModelDescription:
    spec = {"width": SIZE, "height": SIZE, "layout": "nhwc", "colour": "rgb"}
    given = {"name": "m", "version": "1.0.0", "task": "detection", "licence": "", "attribution": ""}
    return ModelDescription.model_validate({**given, "labels": labels, "input": spec, "decoder": DECODER})


def test_roles_make_logits_of_heads_without_sigmoid(tmp_path: Path) -> None:
    path = raw_heads(tmp_path / "m.onnx")
    box, classes = (item.name for item in onnx.load(str(path)).graph.output)
    graph = read_graph(path, [f"classes={classes}", f"box={box}"])
    assert [(head.tensor, role(head, graph), head.logits) for head in graph.heads] == [
        (classes, "classes", True),
        (box, "box", False),
    ]
    check_heads(graph, described())


def test_heads_without_sigmoid_and_roles_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = raw_heads(tmp_path / "m.onnx")
    box, classes = (item.name for item in onnx.load(str(path)).graph.output)
    with pytest.raises(DataError) as caught:
        check_heads(read_graph(path), described())
    text = str(caught.value)
    assert "at stride 8 there are box, box" in text
    assert f"--head box={box} --head classes={classes}" in text
    assert all(family in text for family in ("YOLOX", "YOLOv8", "YOLOv5"))


def test_names_with_and_without_roles_mix(tmp_path: Path) -> None:
    path = yolov8_like(tmp_path / "m.onnx")
    whole = read_graph(path)
    names = [f"{role(whole.heads[0], whole)}={whole.heads[0].tensor}", *(h.tensor for h in whole.heads[1:])]
    graph = read_graph(path, names)
    assert [(h.tensor, role(h, graph), h.logits) for h in graph.heads] == [
        (h.tensor, role(h, whole), h.logits) for h in whole.heads
    ]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["class={0}"], "'class' is no role; write one of box, objectness, classes"),
        (
            ["foo=bar"],
            "head foo=bar: 'foo' is no role, and the graph has no tensor or node 'bar'; write one of",
        ),
        (["box={0}", "classes={0}"], "is given two roles, box and classes"),
        (["box={0}x"], "the graph computes no tensor and has no node of this name"),
    ],
)
def test_wrong_names(tmp_path: Path, names: list[str], complaint: str) -> None:
    path = raw_heads(tmp_path / "m.onnx")
    box = onnx.load(str(path)).graph.output[0].name
    with pytest.raises(DataError, match=complaint):
        read_graph(path, [name.format(box) for name in names])


def test_a_box_behind_a_sigmoid_is_refused(tmp_path: Path) -> None:
    path = yolov8_like(tmp_path / "m.onnx")
    scores = next(head.tensor for head in read_graph(path).heads if head.logits)
    with pytest.raises(DataError, match=f"makes scores of it by a sigmoid; name it classes={scores}"):
        read_graph(path, [f"box={scores}"])


def test_a_head_of_boxes_and_scores_takes_no_role(tmp_path: Path) -> None:
    path = small_nanodet(tmp_path / "m.onnx")
    split = next(node for node in onnx.load(str(path)).graph.node if node.op_type == "Split")
    with pytest.raises(DataError, match="3 of its 11 channels are scores; name it without a role"):
        read_graph(path, [f"classes={split.input[0]}"])
