"""Evidence that a bundle carries in files of its own: how it was trained and what was compared.

Each file is a JSON list of records of one kind; all of them are optional. The manifest lists those that are
there, with their hashes, in ``evidence.files``. ``edgeagent qat report`` shows them; docs/bundle.md
describes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from edgeagent.bundle.files import MAX_EVIDENCE, locate
from edgeagent.bundle.manifest import Accuracy, FileName, FiniteFloat, ManifestSection
from edgeagent.bundle.reading import Bundle
from edgeagent.errors import BundleError

MOST_RECORDS = 100_000
Count = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=255)]


class TrainingPoint(ManifestSection):
    """The training at one step.

    Attributes:
        step: optimiser steps done.
        loss: of the step.
        held_out: loss on pictures that are not trained on, where it was looked at.
        validation: mAP50-95 on the validation pictures, where it was measured.
    """

    step: NonNegativeInt
    loss: FiniteFloat
    held_out: FiniteFloat | None = None
    validation: Accuracy | None = None


class SensitivityRecord(ManifestSection):
    """What quantizing one node costs.

    Attributes:
        node: name in the source graph.
        macs: multiply-accumulates of the node, for one picture.
        error: error of the outputs that its quantization adds; the unit is the method's.
    """

    node: Text
    macs: NonNegativeInt | None = None
    error: FiniteFloat


class SeedResult(ManifestSection):
    """One of several trainings that differ in their seed alone.

    Attributes:
        seed: of the training.
        engine: what ran the artefact.
        map50_95: COCO mAP at IoU .50:.95, 0..1.
        map50: COCO mAP at IoU .50, 0..1.
    """

    seed: int
    engine: Text
    map50_95: Accuracy
    map50: Accuracy


class Differences(ManifestSection):
    """How codes of an artefact differ from those of the trained network.

    Attributes:
        share: of the codes that differ at all, 0..1.
        mean: absolute difference, in steps of the grid.
        largest: absolute difference, in steps.
    """

    share: Accuracy
    mean: Count
    largest: NonNegativeInt


class LayerParity(ManifestSection):
    """One quantized tensor.

    Attributes:
        tensor: name in the source graph.
        operator: that computes it.
        alone: the layer was given the codes of the trained network; None where that cannot be done.
        accumulated: all layers before it ran in the engine too.
    """

    tensor: Text
    operator: Text
    alone: Differences | None = None
    accumulated: Differences


class ArtefactParity(ManifestSection):
    """An artefact in one engine, compared with the trained network layer by layer.

    Attributes:
        file: the artefact.
        engine: what ran it.
        pictures: how many were compared.
        layers: from the input to the heads.
        not_compared: quantized tensors of the trained graph that cannot be found in the artefact.
        broken: what is wrong with the first layer outside the bounds; None where all are within.
    """

    file: FileName
    engine: Text
    pictures: PositiveInt
    layers: tuple[LayerParity, ...]
    not_compared: tuple[Text, ...] = ()
    broken: str | None = None


class PictureBoxes(ManifestSection):
    """What a model finds on a golden picture.

    Attributes:
        picture: file of the golden set.
        state: of the model, as in the measurements.
        boxes: (x0, y0, x1, y1) in pixels of the picture.
        scores: of each box, 0..1.
        classes: of each box, position in the labels.
    """

    picture: FileName
    state: Annotated[str, Field(pattern="^(float|ptq|qat)$")]
    boxes: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...]
    scores: tuple[Accuracy, ...]
    classes: tuple[NonNegativeInt, ...]


Record = TypeVar("Record", bound=ManifestSection)


@dataclass(frozen=True)
class EvidenceFile(Generic[Record]):
    """One kind of file.

    Attributes:
        name: of the file in a bundle.
        record: what its list holds.
    """

    name: str
    record: type[Record]

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return the content of a file.

        Raises:
            ValueError: more records than :data:`MOST_RECORDS`.
        """
        if len(records) > MOST_RECORDS:
            raise ValueError(f"{self.name} would hold {len(records)} records, at most {MOST_RECORDS} may be")
        return self._list().dump_json(list(records), exclude_none=True) + b"\n"

    def read(self, bundle: Bundle) -> tuple[Record, ...] | None:
        """Return the records of a bundle; None when it has no such file.

        Raises:
            BundleError: the file does not fit its description.
        """
        evidence = bundle.manifest.evidence
        if self.name not in evidence.files:
            return None
        path, _ = locate(bundle.directory, self.name, MAX_EVIDENCE)
        try:
            records = self._list().validate_json(path.read_bytes(), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            raise BundleError(f"{path}: {place}: {first['msg']}; docs/bundle.md describes it") from None
        return tuple(records)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the file."""
        return self._list().json_schema()

    def _list(self) -> TypeAdapter[list[Record]]:
        return TypeAdapter(Annotated[list[self.record], Field(max_length=MOST_RECORDS)])  # type: ignore[name-defined]


TRAINING = EvidenceFile("evidence/training.json", TrainingPoint)
SENSITIVITY = EvidenceFile("evidence/sensitivity.json", SensitivityRecord)
SEEDS = EvidenceFile("evidence/seeds.json", SeedResult)
PARITY = EvidenceFile("evidence/parity.json", ArtefactParity)
BOXES = EvidenceFile("evidence/boxes.json", PictureBoxes)
FILES: tuple[EvidenceFile[Any], ...] = (TRAINING, SENSITIVITY, SEEDS, PARITY, BOXES)
