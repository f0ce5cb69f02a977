"""A model made ready to detect: engine, preprocessing and decoding in one object.

Used by the agent's pipeline, by the evaluation and by the checks of a bundle, so that what is measured is
what runs.
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


@dataclass(frozen=True)
class Detector:
    """A loaded model."""

    description: ModelDescription
    engine: Engine
    preprocessor: Preprocessor
    decoder: Decoder

    def allocate(self) -> Buffers:
        """Return buffers for one frame in flight."""
        return self.engine.allocate()

    def warm_up(self) -> None:
        """Run a few times on an empty picture, so that the first frame is not slower than the others."""
        buffers = self.allocate()
        for _ in range(WARM_UP_RUNS):
            self.engine.infer(buffers.inputs, buffers.outputs)

    def detect(self, picture: Image, buffers: Buffers, score_threshold: float) -> Detections:
        """Return the detections of a BGR picture (h, w, 3) uint8, in its pixels, stage after stage."""
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
) -> Detector:
    """Load an artefact or a float model.

    Args:
        description: how it is fed and decoded.
        path: of the file.
        artefact_format: ``onnx`` or ``tflite``.
        outputs: roles of its raw outputs; empty for one concatenated output.
        threads: intra-operator threads; 0 leaves one processor free.
        iou_threshold: of non-maximum suppression, 0..1.
        engine: that runs it, see :func:`edgeagent.engines.loading.load_engine`.

    Raises:
        EngineError: it does not load.
        BundleError: its tensors are not those of the description.
    """
    loaded = load_engine(path, artefact_format, threads, engine)
    return build_detector(description, loaded, outputs, str(path), iou_threshold)


def build_detector(
    description: ModelDescription,
    engine: Engine,
    outputs: Sequence[OutputSpec],
    name: str,
    iou_threshold: float,
) -> Detector:
    """Put preprocessing and decoding around a loaded engine; ``name`` is its model's in a message.

    Raises:
        BundleError: its tensors are not those of the description.
    """
    check_tensors(_with_layout_of(description, engine), outputs, name, engine.inputs, engine.outputs)
    size = (description.input.width, description.input.height)
    classes = len(description.labels)
    decoder = build_decoder(description.decoder, engine.outputs, outputs, size, classes, iou_threshold)
    return Detector(description, engine, Preprocessor(description.input, engine.inputs[0]), decoder)


def load_bundle_detector(
    bundle: Bundle, engine: str, threads: int, iou_threshold: float, file: str | None = None
) -> Detector:
    """Load an artefact of a bundle.

    Args:
        bundle: that holds it.
        engine: that runs it, or ``auto``.
        threads: intra-operator threads; 0 leaves one processor free.
        iou_threshold: of non-maximum suppression, 0..1.
        file: name of the artefact; None takes the first that the engine reads.

    Raises:
        EngineError, BundleError: see :func:`load_detector` and :func:`choose_artefact`; or the bundle has
            no such artefact.
    """
    manifest = bundle.manifest
    artefact = choose_artefact(manifest, engine) if file is None else find_artefact(manifest, file)
    path, outputs = bundle.artefact_path(artefact), artefact.outputs
    return load_detector(manifest, path, artefact.format, outputs, threads, iou_threshold, engine)


def _with_layout_of(description: ModelDescription, engine: Engine) -> ModelDescription:
    """A float model keeps its own layout; the description has that of the artefacts."""
    shape = engine.inputs[0].shape
    if engine.inputs[0].dtype != np.float32 or len(shape) != 4:
        return description
    layout = "nchw" if shape[1] == 3 else "nhwc"
    return description.model_copy(update={"input": description.input.model_copy(update={"layout": layout})})
