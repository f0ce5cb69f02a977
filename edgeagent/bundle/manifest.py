"""Manifest schema of a model bundle: files, input and output tensors, measurements.

Format: docs/bundle.md. Unknown fields are kept, so a manifest written by a newer version survives a round
trip through this one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, StringConstraints, model_validator
from typing_extensions import Self

from edgeagent.bundle.anchors import Anchor, anchors_by_stride
from edgeagent.bundle.section import (
    Divisor,
    FileName,
    FiniteFloat,
    Fraction,
    ManifestSection,
    Name,
    Sha256,
    Version,
)
from edgeagent.bundle.task import AccuracyLoss, AccuracyValues, ClaimedAccuracy, Task

SCHEMA_VERSION: Literal[1] = 1


class Letterbox(ManifestSection):
    """Letterbox: scaling of a picture into the input tensor with its aspect ratio preserved.

    Attributes:
        anchor: position of the scaled picture; the rest is padding.
        pad: grey level of the padding, 0..255.
    """

    anchor: Literal["top-left", "centre"] = "top-left"
    pad: Annotated[int, Field(ge=0, le=255)] = 114


class InputSpec(ManifestSection):
    """Input tensor.

    Attributes:
        width: pixels.
        height: pixels.
        layout: order of the dimensions in the artefacts of this bundle.
        colour: order of the colour channels.
        mean: subtracted from each channel of the 0..255 picture, in the order of ``colour``.
        std: divisor of each channel after the mean. An integer input takes the code of the result on its
            quantization grid, or the pixel value without a grid.
        letterbox: scaling with preserved aspect ratio; None stretches pictures to the input size.
    """

    width: PositiveInt
    height: PositiveInt
    layout: Literal["nhwc", "nchw"]
    colour: Literal["bgr", "rgb"]
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (0.0, 0.0, 0.0)
    std: tuple[Divisor, Divisor, Divisor] = (1.0, 1.0, 1.0)
    letterbox: Letterbox | None = Letterbox()


Role = Literal["box", "objectness", "classes", "category", "mask", "prototypes"]
"""Predicted quantity of a head; ``category`` is one class of several in each cell.

Of the objects of each cell ``mask`` has the coefficients of the ``prototypes``, masks that all objects share.
"""
MASK_ROLES: frozenset[Role] = frozenset({"mask", "prototypes"})
"""Roles of the heads that only models for ``instances`` have."""
GridName = Literal["a", "b", "c", "float"]


class OutputSpec(ManifestSection):
    """Raw output tensor of an artefact that ends at its head convolutions.

    Attributes:
        name: tensor name in the artefact.
        role: predicted quantity.
        stride: input pixels per cell; unused for a classifier, which has one cell.
    """

    name: str
    role: Role
    stride: PositiveInt


TASKS_OF_FAMILY: dict[str, tuple[Task, ...]] = {
    "classifier": ("classification",),
    "segmenter": ("segmentation",),
    "yolox": ("detection", "instances"),
    "yolov8": ("detection", "instances"),
}
"""Tasks of each family; others detect."""


class DecoderSpec(ManifestSection):
    """Decoder of the output tensors.

    Attributes:
        family: ``yolox`` (anchor-free, objectness, exponential sizes), ``yolov5`` (YOLOv5/YOLOv7: anchors and
            objectness), ``yolov8`` (YOLOv8 to YOLO26: distances, optionally distribution focal loss bins),
            ``rtmdet`` (distances from the corner of a cell) or ``ssd`` (TFLite_Detection_PostProcess in the
            graph); ``classifier`` (one class for the picture) or ``segmenter`` (one class for each pixel).
        strides: input pixels per cell, finest scale first; unused by ``ssd``, ``classifier`` and
            ``segmenter``.
        reg_max: bins per box side for distribution focal loss (``yolov8``).
        anchors: sizes in input pixels for each stride (``yolov5``); None takes those of COCO.
        distances: function of the raw distances (``rtmdet``).
        boxes: for a single concatenated output: ``raw`` grid offsets (``yolox`` only), ``decoded`` input
            pixels, or ``shares`` of the input's width and height.
        nms: ``per-class`` non-maximum suppression, or ``none`` for end-to-end detectors (YOLOv10, YOLO26),
            whose single output holds final detections.
        scores: what the output of a ``classifier`` or ``segmenter`` holds: ``logits``, or ``probabilities``.
    """

    family: Literal["yolox", "yolov5", "yolov8", "rtmdet", "ssd", "classifier", "segmenter"]
    strides: tuple[PositiveInt, ...] = (8, 16, 32)
    reg_max: PositiveInt = 16
    anchors: tuple[tuple[tuple[Divisor, Divisor], ...], ...] | None = None
    distances: Literal["linear", "relu", "exp"] = "linear"
    boxes: Literal["raw", "decoded", "shares"] = "raw"
    nms: Literal["per-class", "none"] = "per-class"
    scores: Literal["logits", "probabilities"] = "logits"

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks of the models of this family."""
        return TASKS_OF_FAMILY.get(self.family, ("detection",))

    def anchors_by_stride(self) -> dict[int, tuple[Anchor, ...]]:
        """Return the anchors of each stride; empty for a family without anchors."""
        return anchors_by_stride(self.strides, self.anchors) if self.family == "yolov5" else {}

    @model_validator(mode="after")
    def _anchors_fit_strides(self) -> Self:
        self.anchors_by_stride()
        return self


class OperatorCounts(ManifestSection):
    """Operator counts of the optimised graph, as run by the engine.

    Attributes:
        integer: number of operators on 8-bit tensors, by name.
        float: number of operators on floating-point tensors, by name.
    """

    integer: dict[str, int] = Field(default_factory=dict)
    float: dict[str, int] = Field(default_factory=dict)


ArtefactFormat = Literal["onnx", "tflite", "hef", "rknn"]

CompiledFor = Annotated[
    str, Field(pattern=r"^(edgetpu|hailo|ethos-u(55|65|85)-\d{2,4}|qnn-v\d{2}|rknn-rk\d{4})$")
]
"""Accelerator that alone runs an artefact: ``edgetpu``, ``hailo``, ``qnn-v`` and the processor's version,
``rknn-`` and the chip, or an Ethos-U with its number of MACs."""

Tolerance = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Largest accepted mean absolute difference from the reference outputs, in steps of each output's grid."""


class Artefact(ManifestSection):
    """Deployable model file.

    Attributes:
        file: path relative to the bundle, with forward slashes.
        sha256: SHA-256 of the file.
        size: size in bytes.
        format: file format, which selects the engines.
        grid: quantization grid preset (``a``: uint8/int8 affine activations; ``b``: symmetric int8
            activations, for TensorRT; ``c``: uint8 affine activations where convolutions read, float
            elsewhere, for OpenVINO), or ``float``.
        outputs: roles of raw outputs, in the artefact's order; empty for a single concatenated output
            or in-graph post-processing.
        operators: operator counts, when measured.
        compiled_for: the only accelerator that runs the file; None for a portable file.
        tolerance: as that of the golden set, for this compiled file alone; None for that of the golden set.
    """

    file: FileName
    sha256: Sha256
    size: PositiveInt
    format: ArtefactFormat
    grid: GridName
    outputs: tuple[OutputSpec, ...] = ()
    operators: OperatorCounts | None = None
    compiled_for: CompiledFor | None = None
    tolerance: Tolerance | None = None

    @model_validator(mode="after")
    def _own_tolerance_of_compiled(self) -> Self:
        if self.tolerance is not None and self.compiled_for is None:
            raise ValueError(
                f"{self.file}: only a compiled file has a tolerance of its own; others have that of golden"
            )
        return self


class GoldenAccuracy(ClaimedAccuracy):
    """Claimed accuracy of the artefacts on the golden pictures, for comparison on a board.

    Attributes:
        labels: label file by golden picture, in YOLO format; a picture without one has no objects. The class
            of a whole picture is a box around it.
        labelled_by: origin of the labels. With ``float model`` the labels are what it finds, and the claim
            is agreement with the float model, not accuracy.
        tolerance: largest accepted decrease of the measure on a board.
    """

    labels: Annotated[dict[FileName, FileName], Field(min_length=1)]
    labelled_by: Literal["people", "float model"]
    tolerance: Fraction


class GoldenSet(ManifestSection):
    """Golden set: pictures with reference outputs, to check the outputs of an engine.

    Attributes:
        pictures: picture files relative to the bundle.
        outputs: ``.npz`` file of reference outputs, see :mod:`edgeagent.bundle.golden`.
        other_outputs: reference outputs of artefacts of another grid, by grid; their weights differ.
        sha256: SHA-256 of each of these files, by name.
        tolerance: largest accepted mean absolute difference, in steps of each output's grid.
        accuracy: labels of the pictures and the claimed accuracy; None without labels.
    """

    pictures: Annotated[tuple[FileName, ...], Field(min_length=1)]
    outputs: FileName
    other_outputs: dict[GridName, FileName] = Field(default_factory=dict)
    sha256: dict[FileName, Sha256]
    tolerance: Tolerance
    accuracy: GoldenAccuracy | None = None

    def files(self) -> tuple[str, ...]:
        """Return the names of all files of the golden set."""
        labels = self.accuracy.labels.values() if self.accuracy else ()
        return (*self.pictures, self.outputs, *self.other_outputs.values(), *labels)

    @model_validator(mode="after")
    def _every_file_has_a_hash(self) -> GoldenSet:
        missing = [file for file in self.files() if file not in self.sha256]
        if missing:
            raise ValueError(f"no sha256 for {', '.join(map(repr, missing))}")
        return self

    @model_validator(mode="after")
    def _labels_belong_to_pictures(self) -> GoldenSet:
        strange = set(self.accuracy.labels).difference(self.pictures) if self.accuracy else ()
        if strange:
            raise ValueError(f"accuracy.labels: {', '.join(sorted(map(repr, strange)))}: no golden picture")
        return self


class Measurement(AccuracyValues):
    """Accuracy measurement.

    Attributes:
        state: ``float``, ``ptq`` or ``qat``.
        method: method of quantization, for example the calibration method.
        engine: engine that ran the model; ``torch`` is the fake-quantized network, a simulation.
        images: number of pictures.
        data_sha256: SHA-256 over names and contents of pictures and labels.
        per_class: AP at IoU .50:.95, top-1 or intersection over union of each class that is labelled.
        seed: random seed of the training.
        artefact: measured file of the bundle; None for a model that is not in the bundle.
        loss: loss against the float model; None for the float model itself, and where it was not measured.
    """

    state: Literal["float", "ptq", "qat"]
    method: str
    engine: str
    images: PositiveInt
    data_sha256: Sha256
    per_class: dict[str, Fraction] | None = None
    seed: int | None = None
    artefact: FileName | None = None
    loss: AccuracyLoss | None = None


class Evidence(ManifestSection):
    """Measurements and the training recipe.

    Attributes:
        measurements: accuracy of each state.
        recipe: settings of the training run, source model hash and training data hash.
        files: SHA-256 of each evidence file, by name; see :mod:`edgeagent.bundle.evidence`.
    """

    measurements: tuple[Measurement, ...] = ()
    recipe: dict[str, Any] = Field(default_factory=dict)
    files: dict[FileName, Sha256] = Field(default_factory=dict)


class ModelDescription(ManifestSection):
    """Model description: the part of a manifest that also applies to a float model.

    Attributes:
        name: name of the model and its bundle.
        version: version of the bundle.
        task: task of the model.
        labels: class names, in the order of the model's outputs.
        input: input tensor.
        decoder: decoder of the outputs.
        licence: SPDX licence expression of the weights.
        attribution: origin of the weights.
    """

    name: Name
    version: Version
    task: Task
    labels: Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)]
    input: InputSpec
    decoder: DecoderSpec
    licence: str
    attribution: str

    @model_validator(mode="after")
    def _labels_are_unique(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be unique")
        return self

    @model_validator(mode="after")
    def _decoder_fits_task(self) -> Self:
        tasks = self.decoder.tasks
        if self.task not in tasks:
            raise ValueError(
                f"the decoder family {self.decoder.family} is one for {' or '.join(tasks)}, the task is "
                f"{self.task}; correct one of them"
            )
        return self


class Manifest(ModelDescription):
    """Complete manifest; see docs/bundle.md."""

    schema_version: Literal[1] = SCHEMA_VERSION
    artefacts: Annotated[tuple[Artefact, ...], Field(min_length=1)]
    golden: GoldenSet | None = None
    evidence: Evidence = Evidence()
    minimum_agent_version: Version
