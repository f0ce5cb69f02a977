"""Detector: engine, preprocessing and decoding of a model in one object.

The pipeline, the evaluation, the bench and the checks of a bundle all use it, so that what is measured is
what serves. Here the engine runs in this process; :mod:`edgeagent.detection.starting` puts it into a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.bundle.reading import Bundle
from edgeagent.engines.engine import Buffers, Engine
from edgeagent.engines.loading import choose_artefact, find_artefact, load_engine
from edgeagent.engines.tensor_check import check_tensors
from edgeagent.imaging.frame import Image
from edgeagent.vision.decoder import Decoder, build_decoder
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import Preprocessor, to_picture

WARM_UP_RUNS = 3
WARM_UP_SCORE = 0.3


@dataclass(frozen=True)
class Detector:
    """A loaded model that turns pictures into detections.

    Attributes:
        description: of the model: input, decoder, labels.
        engine: with the loaded artefact.
        preprocessor: writes a picture into the input buffer.
        decoder: turns output buffers into detections.
    """

    description: ModelDescription
    engine: Engine
    preprocessor: Preprocessor
    decoder: Decoder

    def allocate(self) -> Buffers:
        """Return buffers for one frame in flight."""
        return self.engine.allocate()

    def warm_up(self) -> None:
        """Run a few times on an empty picture, so that the first frame takes no longer than the others.

        Raises:
            EngineError: the engine fails, or its outputs cannot be decoded.
        """
        buffers = self.allocate()
        for _ in range(WARM_UP_RUNS):
            self.engine.infer(buffers.inputs, buffers.outputs)
            self.decoder.decode(buffers.outputs, WARM_UP_SCORE)

    def detect(self, picture: Image, buffers: Buffers, score_threshold: float) -> Detections:
        """Return the detections of one picture, in its pixels.

        Args:
            picture: (height, width, 3) uint8, BGR.
            buffers: of :meth:`allocate`; not in use by another call.
            score_threshold: detections below it are dropped, 0..1.

        Raises:
            EngineError: the engine fails.
        """
        fit = self.preprocessor.write(picture, buffers.inputs[0])
        self.engine.infer(buffers.inputs, buffers.outputs)
        return to_picture(self.decoder.decode(buffers.outputs, score_threshold), fit)


def load_detector(
    description: ModelDescription,
    path: Path,
    artefact_format: str,
    outputs: Sequence[OutputSpec],
    threads: int,
    iou_threshold: float,
    engine: str = "auto",
    sha256: str | None = None,
) -> Detector:
    """Load an artefact or a float model in this process.

    Args:
        description: how it is fed and decoded.
        path: of the file.
        artefact_format: ``onnx`` or ``tflite``.
        outputs: roles of its raw outputs; empty for one concatenated output.
        threads: intra-operator threads; 0 leaves one processor free.
        iou_threshold: of non-maximum suppression, 0..1.
        engine: name of the engine, or ``auto``; see :func:`edgeagent.engines.loading.load_engine`.
        sha256: of the file, in hexadecimal; None does not verify it.

    Raises:
        EngineError: it does not load.
        BundleError: its tensors are not those of the description.
    """
    loaded = load_engine(path, artefact_format, threads, engine, sha256)
    return build_detector(description, loaded, outputs, str(path), iou_threshold)


def build_detector(
    description: ModelDescription,
    engine: Engine,
    outputs: Sequence[OutputSpec],
    name: str,
    iou_threshold: float,
) -> Detector:
    """Return a detector around a loaded engine.

    Args:
        description: how the model is fed and decoded.
        engine: with the loaded artefact.
        outputs: roles of its raw outputs; empty for one concatenated output.
        name: of the artefact, for messages.
        iou_threshold: of non-maximum suppression, 0..1.

    Raises:
        BundleError: the tensors of the engine are not those of the description.
    """
    check_tensors(_with_layout_of(description, engine), outputs, name, engine.inputs, engine.outputs)
    size = (description.input.width, description.input.height)
    classes = len(description.labels)
    decoder = build_decoder(description.decoder, engine.outputs, outputs, size, classes, iou_threshold)
    return Detector(description, engine, Preprocessor(description.input, engine.inputs[0]), decoder)


def load_bundle_detector(
    bundle: Bundle, engine: str, threads: int, iou_threshold: float, file: str | None = None
) -> Detector:
    """Load an artefact of a bundle in this process.

    Args:
        bundle: that holds it.
        engine: name of the engine, or ``auto``.
        threads: intra-operator threads; 0 leaves one processor free.
        iou_threshold: of non-maximum suppression, 0..1.
        file: name of the artefact; None takes the first that the engine reads.

    Raises:
        EngineError: no installed engine reads an artefact of the bundle, or it does not load.
        BundleError: the bundle has no such artefact, or its tensors are not those of the manifest.
    """
    manifest = bundle.manifest
    artefact = choose_artefact(manifest, engine) if file is None else find_artefact(manifest, file)
    path, outputs = bundle.artefact_path(artefact), artefact.outputs
    return load_detector(
        manifest, path, artefact.format, outputs, threads, iou_threshold, engine, artefact.sha256
    )


def _with_layout_of(description: ModelDescription, engine: Engine) -> ModelDescription:
    """Return the description with the input layout of a float model, which may differ from the artefacts'."""
    shape = engine.inputs[0].shape
    if engine.inputs[0].dtype != np.float32 or len(shape) != 4:
        return description
    layout = "nchw" if shape[1] == 3 else "nhwc"
    return description.model_copy(update={"input": description.input.model_copy(update={"layout": layout})})
