"""Check of the description of a float model: input size, heads, and decoding on a few pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgeagent.accuracy.decoding_check import PICTURES, check_heads_decoding
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.task import OBJECT_TASKS
from edgeagent.detection.detector import load_detector
from edgeagent.errors import DataError
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.export.exports import export_reference
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.heads import check_distances, check_heads
from edgeagent.qat.pictures.finding import evenly_spread

EVERY_BOX = 1.0
"""IoU threshold that suppresses nothing: the model's own boxes are compared cell by cell."""


def check_description(
    graph: Graph, model: Path, description: ModelDescription, pictures: Sequence[Path], reporter: Reporter
) -> None:
    """Check a description against the graph, and its decoding against the model's own output.

    Args:
        graph: graph of the model, with its heads.
        model: float ONNX file of the graph.
        description: description of the model.
        pictures: real pictures; a few of them are used.
        reporter: receiver of the result of the comparison.

    Raises:
        DataError: the input size, the heads or the decoded boxes are not those of the description.
    """
    check_input(graph, model, description)
    check_heads(graph, description)
    if description.task not in OBJECT_TASKS:
        return  # one head with a score for each label: nothing else could be described
    if description.decoder.family == "ssd":
        return
    images = [read_picture(path) for path in evenly_spread(pictures, PICTURES)]
    with tempfile.TemporaryDirectory() as folder:
        made = export_reference(graph, Path(folder))
        detector = load_detector(description, made.path, made.format, made.outputs, 0, EVERY_BOX)
        try:
            reporter.message(check_heads_decoding(model, detector, images))
        finally:
            detector.engine.close()
    check_distances(graph, description)


def check_layout(model: Path, description: ModelDescription) -> None:
    """Check that the layout of a description is that of the artefacts that will be made.

    Raises:
        DataError: it is not ``nhwc``.
    """
    if description.input.layout != "nhwc":
        raise DataError(
            f"{model}: its description says `layout: {description.input.layout}`; the bundle's artefacts are "
            "nhwc, and the float model may be either: write `layout: nhwc`"
        )


def check_input(graph: Graph, model: Path, description: ModelDescription) -> None:
    """Check the input size of a description against the graph.

    Raises:
        DataError: the sizes differ.
    """
    spec, (_, _, height, width) = description.input, graph.input_shape
    if (spec.width, spec.height) != (width, height):
        raise DataError(
            f"{model}: takes pictures of {width}x{height}, its description says "
            f"{spec.width}x{spec.height}; correct the description"
        )
