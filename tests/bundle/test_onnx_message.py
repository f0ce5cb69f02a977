from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeagent.bundle.onnx_message import external_files, rewrite
from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.writing import write_bundle
from edgeagent.errors import BundleError
from tests.bundle import tiny


def elsewhere(name: str, location: str) -> onnx.TensorProto:
    """Return a tensor whose data lie in another file."""
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def model() -> onnx.ModelProto:
    """Return a model whose tensors lie in the graph, in a node, and in a graph in a node."""
    nodes = [helper.make_node("Constant", [], ["b"], value=elsewhere("", "node.bin"))]
    inner = helper.make_graph(nodes, "inner", [], [], [elsewhere("c", "inner.bin")])
    nodes = [helper.make_node("Loop", ["n", "yes"], ["y"], body=inner)]
    inside = numpy_helper.from_array(np.zeros(3, np.float32), "d")
    return helper.make_model(helper.make_graph(nodes, "outer", [], [], [elsewhere("a", "graph.bin"), inside]))


def test_files_of_weights_are_found_wherever_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model().SerializeToString())
    assert external_files(path) == ["graph.bin", "inner.bin", "node.bin"]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x3a\x05abc"])
def test_a_file_that_is_no_model_names_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert external_files(path) == []


def test_a_message_that_is_not_changed_is_returned_itself() -> None:
    content = model().SerializeToString()
    assert rewrite(content, "model", {"tensor": lambda _: False}) is content


def test_messages_nested_without_end_are_refused() -> None:
    content = b""
    for _ in range(100):
        node = b"\x2a" + _length(b"\x32" + _length(content))
        content = b"\x0a" + _length(node)
    with pytest.raises(ValueError, match="nested"):
        rewrite(content, "graph", {})


def _length(content: bytes) -> bytes:
    size, head = len(content), bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*head, size]) + content


def test_a_bundle_uses_no_file_that_was_not_verified(tmp_path: Path) -> None:
    artefact = model().SerializeToString()
    with pytest.raises(BundleError, match=r"the weights of engines/tiny\.onnx lie in graph\.bin, inner\.bin"):
        write_bundle(tmp_path / "b", tiny.fields(), {**tiny.files(), tiny.ARTEFACT: artefact})
        open_bundle(tmp_path / "b")
