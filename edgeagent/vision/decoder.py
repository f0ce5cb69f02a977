"""Decoding of output tensors to detections, one decoder per model family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.decoder_classifier import ClassifierDecoder
from edgeagent.vision.decoder_end_to_end import EndToEndDecoder
from edgeagent.vision.decoder_instances import InstanceDecoder, find_prototypes
from edgeagent.vision.decoder_segmenter import SegmenterDecoder
from edgeagent.vision.decoder_ssd import SsdDecoder
from edgeagent.vision.decoder_yolov5 import YoloV5ConcatenatedDecoder, YoloV5Decoder
from edgeagent.vision.decoder_yolov8 import YoloV8ConcatenatedDecoder, YoloV8Decoder
from edgeagent.vision.decoder_yolox import YoloxConcatenatedDecoder, YoloxDecoder
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import selection


class Decoder(Protocol):
    """Protocol of a decoder."""

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode the outputs of one frame.

        Args:
            outputs: the engine's output tensors.
            score_threshold: minimum score, 0..1.

        Returns:
            Detections in input pixels, after non-maximum suppression where the model needs it, with masks
            where it gives them; without boxes, the class of the picture or of each pixel.

        Raises:
            EngineError: the outputs cannot be those of the model, as a score is outside 0..1.
        """


def build_decoder(
    spec: DecoderSpec,
    tensors: Sequence[TensorSpec],
    outputs: Sequence[OutputSpec],
    input_size: tuple[int, int],
    classes: int,
    iou_threshold: float,
) -> Decoder:
    """Return the decoder of an artefact.

    Args:
        spec: model family and its parameters.
        tensors: output tensors of the engine.
        outputs: roles of raw outputs, in the same order; empty for one concatenated output.
        input_size: (width, height) of the input in pixels.
        classes: number of classes.
        iou_threshold: threshold of non-maximum suppression, 0..1.
    """
    prototypes = find_prototypes(tensors, outputs, input_size)
    if prototypes is None:
        return _build(spec, tensors, outputs, input_size, classes, iou_threshold)
    boxes = _build(spec, tensors, outputs, input_size, classes, iou_threshold, prototypes.channels)
    return InstanceDecoder(boxes, prototypes, input_size)


def _build(
    spec: DecoderSpec,
    tensors: Sequence[TensorSpec],
    outputs: Sequence[OutputSpec],
    input_size: tuple[int, int],
    classes: int,
    iou_threshold: float,
    coefficients: int = 0,
) -> Decoder:
    if spec.family == "classifier":
        return ClassifierDecoder(spec, tensors[0])
    if spec.family == "segmenter":
        return SegmenterDecoder(spec, tensors[0], outputs[0].stride, input_size, classes)
    if spec.family == "ssd":
        return SsdDecoder(tensors, input_size, classes)
    if spec.nms == "none" and not outputs:
        return EndToEndDecoder(spec, tensors[0], input_size, classes)
    select = selection(spec.nms, iou_threshold)
    if spec.family == "yolox" and outputs:
        return YoloxDecoder(tensors, outputs, input_size, select)
    if spec.family == "yolox":
        return YoloxConcatenatedDecoder(spec, tensors[0], input_size, classes, select)
    if spec.family == "yolov5" and outputs:
        return YoloV5Decoder(spec, tensors, outputs, input_size, select)
    if spec.family == "yolov5":
        return YoloV5ConcatenatedDecoder(spec, tensors[0], input_size, classes, select)
    if outputs:
        return YoloV8Decoder(spec, tensors, outputs, input_size, select)
    return YoloV8ConcatenatedDecoder(spec, tensors[0], input_size, classes, select, coefficients)
