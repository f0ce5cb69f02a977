"""The manifest of a model bundle: what the files are, how to feed them and what was measured.

The format is described in docs/bundle.md. Fields that this version does not know are kept, so that a
bundle written by a newer version survives being read and written by this one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator
from typing_extensions import Self

SCHEMA_VERSION: Literal[1] = 1

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$")]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Accuracy = Annotated[float, Field(ge=0, le=1)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Divisor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class ManifestSection(BaseModel):
    """Base of all manifest sections: unknown fields survive a round trip."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Letterbox(ManifestSection):
    """How a picture of any size is fitted into the input tensor, keeping its aspect ratio.

    Attributes:
        anchor: where the scaled picture lies; the rest is filled with ``pad``.
        pad: grey level 0..255 of the padding.
    """

    anchor: Literal["top-left", "centre"] = "top-left"
    pad: Annotated[int, Field(ge=0, le=255)] = 114


class InputSpec(ManifestSection):
    """The input tensor.

    Attributes:
        width: pixels.
        height: pixels.
        layout: order of the dimensions in the artefacts of this bundle.
        colour: order of the colour channels.
        mean: subtracted from each channel of the 0..255 picture, in the order of ``colour``.
        std: divides each channel after the mean. An integer input takes the code of the result on its
            tensor's grid, or the pixel where it has none.
        letterbox: how pictures are fitted; None stretches them to the input size.
    """

    width: PositiveInt
    height: PositiveInt
    layout: Literal["nhwc", "nchw"]
    colour: Literal["bgr", "rgb"]
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (0.0, 0.0, 0.0)
    std: tuple[Divisor, Divisor, Divisor] = (1.0, 1.0, 1.0)
    letterbox: Letterbox | None = Letterbox()


Role = Literal["box", "objectness", "classes"]
GridName = Literal["a", "b", "float"]


class OutputSpec(ManifestSection):
    """One raw output tensor of an artefact that ends at its head convolutions.

    Attributes:
        name: tensor name in the artefact.
        role: what it predicts.
        stride: input pixels per cell.
    """

    name: str
    role: Role
    stride: PositiveInt


class DecoderSpec(ManifestSection):
    """How output tensors become boxes.

    Attributes:
        family: ``yolox`` (anchor-free, objectness, exp sizes), ``yolov8`` (YOLOv8/YOLO11: distances,
            optionally distribution focal loss bins) or ``ssd`` (TFLite_Detection_PostProcess in the graph).
        strides: input pixels per cell, finest scale first; unused by ``ssd``.
        reg_max: bins per box side for distribution focal loss (``yolov8``).
        boxes: for a single concatenated output: ``raw`` grid offsets, or ``decoded`` input pixels.
    """

    family: Literal["yolox", "yolov8", "ssd"]
    strides: tuple[PositiveInt, ...] = (8, 16, 32)
    reg_max: PositiveInt = 16
    boxes: Literal["raw", "decoded"] = "raw"


class OperatorCounts(ManifestSection):
    """Operators of the optimised graph, as the engine runs it.

    Attributes:
        integer: operators on 8-bit tensors, by name.
        float: operators on floating-point tensors, by name.
    """

    integer: dict[str, int] = {}
    float: dict[str, int] = {}


class Artefact(ManifestSection):
    """One deployable file.

    Attributes:
        file: path relative to the bundle, with forward slashes.
        sha256: of the file.
        size: bytes.
        format: which engine family reads it.
        grid: quantization grid preset (``a``: uint8/int8 affine activations; ``b``: int8 activations without
            zero points, for TensorRT), or ``float``.
        outputs: roles of raw outputs, in the artefact's order; empty for a single concatenated output
            or in-graph post-processing.
        operators: counts, when measured.
        compiled_for: accelerator that the file was compiled for, which nothing else runs.
    """

    file: FileName
    sha256: Sha256
    size: PositiveInt
    format: Literal["onnx", "tflite", "hef"]
    grid: GridName
    outputs: tuple[OutputSpec, ...] = ()
    operators: OperatorCounts | None = None
    compiled_for: Literal["edgetpu", "hailo"] | None = None


class GoldenAccuracy(ManifestSection):
    """What the artefacts find on the golden pictures, so that a board can measure the same.

    Attributes:
        labels: label file in YOLO format by golden picture; a picture without one holds no object.
        labelled_by: who said what is on the pictures. ``float model``: its own detections are the labels, so
            that what is claimed is agreement with it, not accuracy.
        map50_95: COCO mAP at IoU .50:.95 that each artefact had where the bundle was made, by its file.
        tolerance: how much less a board may measure.
    """

    labels: Annotated[dict[FileName, FileName], Field(min_length=1)]
    labelled_by: Literal["people", "float model"]
    map50_95: Annotated[dict[FileName, Accuracy], Field(min_length=1)]
    tolerance: Accuracy


class GoldenSet(ManifestSection):
    """Pictures with reference outputs, to check that an engine computes what was trained.

    Attributes:
        pictures: files relative to the bundle.
        outputs: an ``.npz`` file, see :mod:`edgeagent.bundle.golden`.
        other_outputs: the same of artefacts of another grid, which other weights were trained for.
        sha256: hash of each of these files, by name.
        tolerance: largest mean absolute difference allowed, in steps of each output's grid.
        accuracy: labels of the pictures and what was measured with them; None without labels.
    """

    pictures: Annotated[tuple[FileName, ...], Field(min_length=1)]
    outputs: FileName
    other_outputs: dict[GridName, FileName] = {}
    sha256: dict[FileName, Sha256]
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    accuracy: GoldenAccuracy | None = None

    def files(self) -> tuple[str, ...]:
        """Return the names of all files."""
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


class Measurement(ManifestSection):
    """One accuracy measurement.

    Attributes:
        state: ``float``, ``ptq`` or ``qat``.
        method: how the state was reached, for example the calibration method.
        engine: what ran it; ``torch`` is the fake-quantized network itself, a simulation.
        map50_95: COCO mAP at IoU .50:.95, 0..1.
        map50: COCO mAP at IoU .50, 0..1.
        images: number of pictures.
        data_sha256: hash over names and contents of pictures and labels.
        per_class: AP at IoU .50:.95 of each label that the pictures hold.
        seed: of the training.
        artefact: file of the bundle that was measured; None for what is not in it.
    """

    state: Literal["float", "ptq", "qat"]
    method: str
    engine: str
    map50_95: Accuracy
    map50: Accuracy
    images: PositiveInt
    data_sha256: Sha256
    per_class: dict[str, Accuracy] | None = None
    seed: int | None = None
    artefact: FileName | None = None


class Evidence(ManifestSection):
    """What was measured, and the recipe that made the artefacts.

    Attributes:
        measurements: accuracy of each state.
        recipe: settings of the training run, source model hash and training data hash.
        files: hash of each file of evidence, by name; see :mod:`edgeagent.bundle.evidence`.
    """

    measurements: tuple[Measurement, ...] = ()
    recipe: dict[str, Any] = {}
    files: dict[FileName, Sha256] = {}


class ModelDescription(ManifestSection):
    """What a model is and how it is fed: the part of a manifest that a float model has too.

    Attributes:
        name: of the model and its bundle.
        version: of the bundle.
        task: what the model does.
        labels: names of the classes, in the order of the model's outputs.
        input: the input tensor.
        decoder: how outputs become boxes.
        licence: SPDX expression of the weights.
        attribution: where the weights come from.
    """

    name: Name
    version: Version
    task: Literal["detection"]
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


class Manifest(ModelDescription):
    """The whole manifest; see the module's documentation and docs/bundle.md."""

    schema_version: Literal[1] = SCHEMA_VERSION
    artefacts: Annotated[tuple[Artefact, ...], Field(min_length=1)]
    golden: GoldenSet | None = None
    evidence: Evidence = Evidence()
    minimum_agent_version: Version
