"""Attention of YOLO12: read over the whole map, refused over areas, which go through the batch axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import read_graph
from tests.qat.detectors import BINS, CLASSES, DetectorBuilder
from tests.qat.models import SIZE

SIDE, CHANNELS, HEADS = SIZE // 8, 16, 2


def area_attention(g: DetectorBuilder, x: str, areas: int) -> str:
    """``AAttn`` of YOLO12: attention within each of some areas of the map."""
    places, width = SIDE * SIDE, CHANNELS // HEADS
    projected = g.conv(x, (CHANNELS, 3 * CHANNELS))
    rows = g.node("Reshape", projected, g.constant([1, 3 * CHANNELS, places]))
    rows = g.node("Transpose", rows, perm=[0, 2, 1])
    rows = g.node("Reshape", rows, g.constant([areas, places // areas, 3 * CHANNELS]))
    heads = g.node("Reshape", rows, g.constant([areas, places // areas, HEADS, 3 * width]))
    heads = g.node("Transpose", heads, perm=[0, 2, 3, 1])
    query = g.node("Split", heads, g.constant([width] * 3), outputs=3, axis=2)
    key, value = query[:-1] + "1", query[:-1] + "2"
    scores = g.node("MatMul", g.node("Transpose", query, perm=[0, 1, 3, 2]), key)
    scores = g.node("Softmax", g.node("Mul", scores, g.constant(0.5, np.float32)), axis=-1)
    mixed = g.node("MatMul", value, g.node("Transpose", scores, perm=[0, 1, 3, 2]))
    mixed = g.node("Transpose", mixed, perm=[0, 3, 1, 2])
    whole = g.node("Reshape", mixed, g.constant([1, places, CHANNELS]))
    whole = g.node("Reshape", whole, g.constant([1, SIDE, SIDE, CHANNELS]))
    whole = g.node("Transpose", whole, perm=[0, 3, 1, 2])
    return g.node("Add", x, g.conv(whole, (CHANNELS, CHANNELS)))


def detector(path: Path, areas: int) -> Path:
    g = DetectorBuilder(5)
    x = g.block(g.block("images", (3, 8), 3, 2), (8, CHANNELS), 3, 4)
    box, classes = g.decoupled(area_attention(g, x, areas), CHANNELS)
    outputs: dict[str, tuple[int, ...]] = {box: (1, 4 * BINS, SIDE, SIDE)}
    outputs[g.node("Sigmoid", classes)] = (1, CLASSES, SIDE, SIDE)
    return g.save(path, outputs)


def test_attention_over_the_whole_map_is_read(tmp_path: Path) -> None:
    operators = [node.operator for node in read_graph(detector(tmp_path / "m.onnx", 1)).nodes]
    assert [operators.count(name) for name in ("MatMul", "Softmax")] == [2, 1]


def test_attention_over_areas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"from \(1, 64, 48\) to \(4, 16, 48\) of node .* is not supported"):
        read_graph(detector(tmp_path / "m.onnx", 4))
