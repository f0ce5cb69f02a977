"""The last linear layer of a classifier, written as a convolution without a change of its result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgeagent.bundle.model_description import describe_model
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import export_reference
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.heads import check_heads
from edgeagent.qat.graph.trainable import read_trainable_graph
from tests.classifier import SIZE, colour_classifier


def outputs(path: Path, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: picture})
    return np.asarray(found).reshape(-1)


@pytest.mark.parametrize("ending", ["gemm", "matmul", "conv"])
def test_the_head_is_the_row_of_scores_before_the_softmax(ending: str, tmp_path: Path) -> None:
    model = colour_classifier(tmp_path / "colours.onnx", ending)
    graph = read_trainable_graph(model, (), "classification")
    (head,) = graph.heads
    assert (head.shape, head.role, head.logits) == ((1, 3, 1, 1), "category", True)
    assert "Softmax" in graph.after
    check_heads(graph, describe_model(model))
    (tmp_path / "cut").mkdir()
    cut = export_reference(graph, tmp_path / "cut").path
    picture = np.random.default_rng(0).uniform(0, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    powers = np.exp(outputs(cut, picture))
    assert powers / powers.sum() == pytest.approx(outputs(model, picture), abs=1e-5)


def test_a_classifier_described_as_a_detector_and_with_other_labels_is_refused(tmp_path: Path) -> None:
    model = colour_classifier(tmp_path / "colours.onnx")
    description = describe_model(model)
    graph = read_trainable_graph(model, (), "classification")
    fewer = description.model_copy(update={"labels": ("blue", "green")})
    with pytest.raises(DataError, match="tells 3 classes apart, the description lists 2 labels"):
        check_heads(graph, fewer)
    thousand = description.model_copy(update={"labels": tuple(map(str, range(1000)))})
    with pytest.raises(DataError, match="tells 3 classes apart, the description lists 1000 labels"):
        check_heads(graph, thousand)


def test_a_map_of_scores_is_no_classifier(tmp_path: Path) -> None:
    model = colour_classifier(tmp_path / "colours.onnx", "conv")
    graph = read_graph(model, ["a"])
    described = describe_model(model)
    with pytest.raises(DataError, match=r"one row of scores for the picture, the head a .* gives 32 x 32"):
        check_heads(graph, described)
