"""Evidence files of a bundle: records of training, sensitivity, seeds, parity, detections and compilers.

Each file is a JSON list of records of one type; all files are optional. ``evidence.files`` in the manifest
lists the files with their hashes. ``edgeagent qat report`` displays them. Format: docs/bundle.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from edgeagent.bundle.files import MAX_EVIDENCE, locate
from edgeagent.bundle.reading import Bundle
from edgeagent.bundle.section import FileName, FiniteFloat, Fraction, ManifestSection
from edgeagent.bundle.task import AccuracyValues
from edgeagent.errors import BundleError
from edgeagent.files.validation import first_mistake

MAX_RECORDS = 100_000
"""Records in one file."""

Count = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=255)]


class TrainingPoint(ManifestSection):
    """State of the training at one step.

    Attributes:
        step: number of completed optimiser steps.
        loss: training loss of the step.
        held_out: loss on the held-out pictures, where measured.
        validation: accuracy on the validation pictures, where measured.
    """

    step: NonNegativeInt
    loss: FiniteFloat
    held_out: FiniteFloat | None = None
    validation: Fraction | None = None


class SensitivityRecord(ManifestSection):
    """Sensitivity of the outputs to the quantization of one node.

    Attributes:
        node: name in the source graph.
        macs: multiply-accumulate operations of the node for one picture.
        error: output error added by quantizing the node; the unit depends on the method.
    """

    node: Text
    macs: NonNegativeInt | None = None
    error: FiniteFloat


class SeedResult(AccuracyValues):
    """Accuracy of one of several trainings that differ only in their seed.

    Attributes:
        seed: random seed of the training.
        engine: engine that ran the artefact.
    """

    seed: int
    engine: Text


class Differences(ManifestSection):
    """Differences between the codes of an artefact and those of the trained network.

    Attributes:
        share: fraction of the codes that differ, 0..1.
        mean: mean absolute difference in steps of the quantization grid.
        largest: largest absolute difference in steps.
    """

    share: Fraction
    mean: Count
    largest: NonNegativeInt


class LayerParity(ManifestSection):
    """Parity of one quantized tensor.

    Attributes:
        tensor: name in the source graph.
        operator: operator that computes the tensor.
        alone: differences with the trained network's codes as input of the layer; None where not measurable.
        accumulated: differences with all preceding layers running in the engine too.
    """

    tensor: Text
    operator: Text
    alone: Differences | None = None
    accumulated: Differences


class ArtefactParity(ManifestSection):
    """Layer-by-layer comparison of an artefact in one engine with the trained network.

    Attributes:
        file: name of the artefact.
        engine: engine that ran it.
        pictures: number of compared pictures.
        layers: compared tensors, from the input to the heads.
        not_compared: quantized tensors of the trained graph without a counterpart in the artefact.
        broken: description of the first layer outside the bounds; None when all are within.
    """

    file: FileName
    engine: Text
    pictures: PositiveInt
    layers: tuple[LayerParity, ...]
    not_compared: tuple[Text, ...] = ()
    broken: str | None = None


class PictureBoxes(ManifestSection):
    """Detections of a model on a golden picture.

    Attributes:
        picture: file of the golden set.
        state: state of the model, as in the measurements.
        boxes: (x0, y0, x1, y1) in picture pixels.
        scores: score of each box, 0..1.
        classes: class index of each box.
    """

    picture: FileName
    state: Annotated[str, Field(pattern="^(float|ptq|qat)$")]
    boxes: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...]
    scores: tuple[Fraction, ...]
    classes: tuple[NonNegativeInt, ...]


class LeftOperator(ManifestSection):
    """Operator that a compiler leaves to the processor.

    Attributes:
        operator: its kind, as the format names it.
        tensor: its output.
        reason: that the compiler gives.
    """

    operator: Text
    tensor: Text
    reason: Text


class SimulatedOutputs(ManifestSection):
    """Outputs of a compiled artefact in the simulator of its compiler, beside the golden ones.

    Attributes:
        pictures: golden pictures.
        mean_steps: mean absolute difference of all outputs, in steps of their grids.
        worst_steps: that of the worst output on the worst picture.
        tolerance: that the golden check of a board allows for it.
        labelled: labelled objects, or pictures.
        found: number of them that are found.
        needed: number of them that the golden check needs.
    """

    pictures: PositiveInt
    mean_steps: FiniteFloat
    worst_steps: FiniteFloat
    tolerance: FiniteFloat
    labelled: NonNegativeInt
    found: NonNegativeInt
    needed: NonNegativeInt

    @property
    def right(self) -> bool:
        """Whether the golden check of a board would take these outputs."""
        return self.worst_steps <= self.tolerance and self.found >= self.needed


class CompilationRecord(ManifestSection):
    """Result of a vendor's compiler.

    Attributes:
        file: name of the compiled artefact.
        target: accelerator for which it was compiled.
        compiler: name and version.
        on_accelerator: number of operators on the accelerator.
        on_processor: number of operators that the processor runs.
        left: these, with reasons, as far as the compiler gives them.
        estimated_cycles: of one inference, by the compiler's model of the chip.
        estimated_ms: of one inference, by the same.
        assumed: system for which that was estimated.
        licence: of the compiler, where it had to be accepted.
        simulated: outputs in the compiler's simulator, where it has one.
    """

    file: FileName
    target: Text
    compiler: Text
    on_accelerator: NonNegativeInt
    on_processor: NonNegativeInt
    left: tuple[LeftOperator, ...] = ()
    estimated_cycles: NonNegativeInt | None = None
    estimated_ms: Count | None = None
    assumed: Text | None = None
    licence: Text | None = None
    simulated: SimulatedOutputs | None = None


Record = TypeVar("Record", bound=ManifestSection)


@dataclass(frozen=True)
class EvidenceFile(Generic[Record]):
    """Type of an evidence file.

    Attributes:
        name: name of the file in a bundle.
        record: type of its records.
    """

    name: str
    record: type[Record]

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return the content of the file for these records.

        Raises:
            ValueError: there are more than :data:`MAX_RECORDS` records.
        """
        if len(records) > MAX_RECORDS:
            raise ValueError(f"{self.name}: {len(records)} records, at most {MAX_RECORDS} are allowed")
        return self._list().dump_json(list(records), exclude_none=True) + b"\n"

    def read(self, bundle: Bundle) -> tuple[Record, ...] | None:
        """Return the records in a bundle; None when it has no such file.

        Raises:
            BundleError: the file does not match its format.
        """
        evidence = bundle.manifest.evidence
        if self.name not in evidence.files:
            return None
        path, _ = locate(bundle.directory, self.name, MAX_EVIDENCE)
        try:
            records = self._list().validate_json(path.read_bytes(), strict=True)
        except ValidationError as error:
            raise BundleError(f"{path}: {first_mistake(error)}; docs/bundle.md describes it") from None
        return tuple(records)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the file."""
        return self._list().json_schema()

    def _list(self) -> TypeAdapter[list[Record]]:
        return TypeAdapter(Annotated[list[self.record], Field(max_length=MAX_RECORDS)])  # type: ignore[name-defined]


TRAINING = EvidenceFile("evidence/training.json", TrainingPoint)
SENSITIVITY = EvidenceFile("evidence/sensitivity.json", SensitivityRecord)
SEEDS = EvidenceFile("evidence/seeds.json", SeedResult)
PARITY = EvidenceFile("evidence/parity.json", ArtefactParity)
BOXES = EvidenceFile("evidence/boxes.json", PictureBoxes)
COMPILATION = EvidenceFile("evidence/compilation.json", CompilationRecord)
FILES: tuple[EvidenceFile[Any], ...] = (TRAINING, SENSITIVITY, SEEDS, PARITY, BOXES, COMPILATION)
