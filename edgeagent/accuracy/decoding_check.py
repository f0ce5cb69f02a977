"""Check of a description against what the float model says by itself.

A description with a wrong family, wrong strides or another form of boxes loads, runs and finds nothing. Where
the graph holds its own decoded output, this output shows it, on a few real pictures:

* heads decoded by the description (``edgeagent qat``) are compared with the boxes of the graph's own output
  (:func:`check_heads_decoding`);
* an output decoded by the description (``edgeagent eval --model``, ``edgeagent bench --reference``) is
  compared with the other forms of boxes: a right box lies around the cell that predicts it
  (:func:`check_output_decoding`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeagent.accuracy.own_anchors import anchor_advice
from edgeagent.accuracy.own_boxes import (
    CENTRE_SHARES,
    CENTRES,
    CORNER_SHARES,
    CORNERS,
    RAW,
    CellBoxes,
    OwnOutput,
)
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.task import OBJECT_TASKS
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Array
from edgeagent.engines.onnx_file import read_onnx
from edgeagent.engines.onnxruntime_engine import session_options
from edgeagent.errors import DataError, EdgeagentError
from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union

if TYPE_CHECKING:
    import onnxruntime

SCALE_FACTOR = "scale_factor"
PICTURES = 4
"""Number of pictures that is sufficient."""
CELLS = 200
"""Cells of highest score that are compared, per picture."""
LEAST_SCORE = 0.01
SAME_IOU = 0.5
LEAST_GIVEN = 0.1
"""Boxes that a description must give, as a share of those that the model itself finds."""
LEAST_AGREEING = {"yolov5": 0.5, "rtmdet": 0.5}
"""Share of the boxes of the model that must agree, by family: wrong anchors or another function of distances
change the size of boxes, not their number."""
SOUND = 0.8
"""Share of boxes around their cell from which a form of boxes fits."""
UNSOUND = 0.75
"""Part of the sound boxes of the form that fits best below which the described form does not fit."""


def check_heads_decoding(model: Path, detector: Detector, pictures: Sequence[Image]) -> str:
    """Compare the boxes of a float graph with those that its description gives from its heads.

    Args:
        model: float ONNX file with its own output.
        detector: the heads of the same model, decoded by the description; float, channels first.
        pictures: (height, width, 3) uint8, BGR.

    Returns:
        The result in one sentence.

    Raises:
        DataError: the description gives hardly any boxes where the model finds some: less than
            :data:`LEAST_GIVEN` of them, or boxes that are less alike than :data:`LEAST_AGREEING`.
        EngineError: the heads cannot be run.
    """
    cells, buffers = CellBoxes(detector.description), detector.allocate()
    own_model = _OwnModel(model)
    own_count, ours_count, advice = 0, 0, ""
    shared: Counter[str] = Counter()
    sized: Counter[str] = Counter()
    for picture in pictures:
        detector.preprocessor.write(picture, buffers.inputs[0])
        try:
            outputs = own_model.outputs(buffers.inputs[0])
        except DataError as error:
            return f"the description is not compared with the model's own output: {error}"
        own = cells.read(outputs)
        if own is None:
            shapes = ", ".join(str(output.shape) for output in outputs)
            return f"the model's own output ({shapes}) is of no known form; the description is not compared"
        best = _best(own)
        if not len(best):
            continue
        detector.engine.infer(buffers.inputs, buffers.outputs)
        ours = detector.decoder.decode(buffers.outputs, max(0.0, float(own.scores[best].min()) - 1e-3))
        ours = ours.take(_sized(ours))
        advice = anchor_advice(detector, own, buffers.outputs)
        own_count += len(best)
        ours_count += len(ours)
        for form, found in cells.forms(own, best):
            shared[form] += _agreeing(found, ours)
            sized[form] += int(_sized(found).sum())
    if not own_count:
        return "the model finds nothing on the pictures of the check; the description is not compared"
    form, agreeing = max(shared.items(), key=lambda item: item[1])
    least = LEAST_AGREEING.get(detector.description.decoder.family, 0.0) * max(1, sized[form])
    if ours_count < LEAST_GIVEN * own_count or agreeing < least:
        raise DataError(
            f"{model}: the model itself finds {own_count} boxes on {len(pictures)} pictures, its description "
            f"as {detector.description.decoder.family} gives {ours_count} boxes, which agree with {agreeing} "
            "of them; correct the family, strides, reg_max, anchors, distances or the heads in the "
            f"description (docs/bundle.md lists what is decoded){advice}"
        )
    return f"the description gives {agreeing} of {own_count} boxes of the model's own output"


def check_output_decoding(model: Path, detector: Detector, pictures: Sequence[Image]) -> None:
    """Check the form of the boxes in the output of a float model against its description.

    Does nothing for a description of heads, of family ``ssd``, or of a model that finds no boxes.

    Args:
        model: file of the model, for messages.
        detector: the model, decoded by its description.
        pictures: (height, width, 3) uint8, BGR.

    Raises:
        DataError: boxes of the described form lie elsewhere than their cells, boxes of another form do not.
        EngineError: the model cannot be run.
    """
    description = detector.description
    if description.task not in OBJECT_TASKS or description.decoder.family == "ssd":
        return
    cells, buffers = CellBoxes(description), detector.allocate()
    total, sound = 0, Counter[str]()
    for picture in pictures:
        detector.preprocessor.write(picture, buffers.inputs[0])
        detector.engine.infer(buffers.inputs, buffers.outputs)
        own = cells.read(
            [spec.dequantize(o) for spec, o in zip(detector.engine.outputs, buffers.outputs, strict=True)]
        )
        if own is None:
            return
        best = _best(own)
        total += len(best)
        for form, found in cells.forms(own, best):
            sound[form] += cells.sound(own, found, best)
    if not total:
        return
    described = _described(description)
    form, number = max(sound.items(), key=lambda item: item[1])
    if number >= SOUND * total and sound[described] < UNSOUND * number:
        raise DataError(
            f"{model}: the boxes of the model are {form}: so {number} of {total} lie around the cell that "
            f"predicts them; as {described}, which its description says, {sound[described]} do. Export the "
            "model with boxes of the described form, or correct `decoder.boxes` in the description"
        )


class _OwnModel:
    """A float graph with all of its outputs, also those of dynamic shape."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._session: onnxruntime.InferenceSession | None = None

    def outputs(self, picture: Array) -> list[Array]:
        """Return the outputs for a picture (1, 3, height, width) float32.

        Raises:
            DataError: the graph cannot be run.
        """
        try:
            if self._session is None:
                providers = ["CPUExecutionProvider"]
                import onnxruntime

                content = read_onnx(self._model)
                options = session_options(onnxruntime, 1)
                self._session = onnxruntime.InferenceSession(content, options, providers=providers)
            feeds = {one.name: _feed(one.name, one.shape, picture) for one in self._session.get_inputs()}
            found: list[Array] = self._session.run(None, feeds)
        except EdgeagentError as error:
            raise DataError(str(error)) from error
        except Exception as error:  # onnxruntime raises types of its own
            raise DataError(f"{self._model}: {_first_line(error)}") from error
        return [output for output in found if isinstance(output, np.ndarray)]


def _feed(name: str, shape: Sequence[int | str], picture: Array) -> Array:
    """Return what an input is given: the picture, or a scale of 1 for boxes in pixels of the model input.

    ``scale_factor`` is that of models exported by PaddleDetection.

    Raises:
        DataError: the input is neither.
    """
    if len(shape) == picture.ndim:
        return picture if shape[1] == picture.shape[1] else picture.transpose(0, 2, 3, 1)
    if name == SCALE_FACTOR:
        return np.ones((1, 2), np.float32)
    raise DataError(f"the model takes the input {name} besides the picture")


def _described(description: ModelDescription) -> str:
    decoder = description.decoder
    if decoder.nms == "none":
        return CORNER_SHARES if decoder.boxes == "shares" else CORNERS
    if decoder.boxes == "shares":
        return CENTRE_SHARES
    return RAW if decoder.family == "yolox" and decoder.boxes == "raw" else CENTRES


def _best(own: OwnOutput) -> Array:
    order = np.argsort(-own.scores)[:CELLS]
    best: Array = order[own.scores[order] >= LEAST_SCORE]
    return best


def _sized(found: Detections) -> Array:
    return np.asarray((found.boxes[:, 2:] > found.boxes[:, :2]).all(axis=1))


def _agreeing(own: Detections, ours: Detections) -> int:
    """Return how many of the model's boxes are among ours, or were suppressed by one that is."""
    if not len(ours):
        return 0
    kept = own.take(_sized(own))
    overlap = intersection_over_union(kept.boxes, ours.boxes)
    return int(((overlap >= SAME_IOU) & (kept.classes[:, None] == ours.classes[None, :])).any(axis=1).sum())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
