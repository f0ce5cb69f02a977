"""Bundling: the product of a factory, written as a bundle with its evidence."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from edgeagent.bundle.evidence import (
    BOXES,
    PARITY,
    SEEDS,
    SENSITIVITY,
    TRAINING,
    EvidenceFile,
    SeedResult,
)
from edgeagent.bundle.golden import ReferenceOutputs, save_reference_outputs
from edgeagent.bundle.manifest import InputSpec, Measurement
from edgeagent.bundle.writing import write_bundle
from edgeagent.files.hashing import hash_file
from edgeagent.qat.core.codes import STORED_NAMES, ArtefactGrid
from edgeagent.qat.export.exports import Exported, export_reference
from edgeagent.qat.factory.card import card_text
from edgeagent.qat.factory.job import QuantizationJob
from edgeagent.qat.factory.product import Product
from edgeagent.qat.parity.layer_parity import compare_layers
from edgeagent.qat.parity.outputs import (
    float_outputs,
    reference_outputs,
    tolerance,
    worst_difference,
)
from edgeagent.qat.pictures.finding import pictures_hash
from edgeagent.qat.report.golden_boxes import find_boxes
from edgeagent.version import __version__

GOLDEN_OUTPUTS = "golden/outputs.npz"
PARITY_PICTURES = 4  # of the calibration, without golden pictures


class BundleWriter:
    """Writer of the bundle of a job.

    Args:
        job: model, pictures and recipe.
        product: product of the factory.
        measurements: accuracy of all intermediate results.
        work: folder of intermediate files.
    """

    def __init__(
        self, job: QuantizationJob, product: Product, measurements: Sequence[Measurement], work: Path
    ) -> None:
        self._job, self._source, self._golden = job, job.source, job.golden
        self._product, self._measurements, self._work = product, measurements, work
        self._checked = list(job.golden.pictures or job.source.calibration[:PARITY_PICTURES])

    def write(self, target: Path, replace: bool) -> None:
        """Compare every artefact with its network and write the bundle atomically.

        Args:
            target: directory of the bundle.
            replace: whether an existing bundle is replaced.

        Raises:
            DataError: an artefact does not compute what was trained, or a golden label file cannot be used.
            EdgeagentError: the bundle cannot be written; an old one is unchanged.
        """
        product, description = self._product, self._source.description
        references = _references(product, description.input, self._checked)
        worst = [
            worst_difference(artefact, description.input, self._checked, references[artefact.kind])
            for artefact in product.artefacts
        ]
        record = recipe_record(self._job, product)
        reference = export_reference(product.graph, self._work)
        evidence = self._evidence(reference)
        manifest: dict[str, Any] = {
            **description.model_dump(exclude={"heads"}),
            "artefacts": [artefact.entry() for artefact in product.artefacts],
            "evidence": {"measurements": self._measurements, "recipe": record, "files": list(evidence)},
            "minimum_agent_version": __version__,
        }
        files: dict[str, Path | bytes] = {artefact.path.name: artefact.path for artefact in product.artefacts}
        files |= evidence
        files["card.md"] = card_text(description, self._measurements, product.artefacts, record).encode()
        if self._golden.pictures:
            section, golden_files = self._golden_section(references, reference)
            manifest["golden"] = {**section, "tolerance": tolerance(worst)}
            files |= golden_files
        write_bundle(target, manifest, files, replace=replace)

    def _golden_section(
        self, references: dict[ArtefactGrid, ReferenceOutputs], reference: Exported
    ) -> tuple[dict[str, Any], dict[str, Path | bytes]]:
        """Return the section ``golden`` of the manifest, and its files by their names in the bundle."""
        golden, artefacts = self._golden, self._product.artefacts
        outputs = _golden_files(references, self._work)
        first = artefacts[0].kind
        accuracy, labels = golden.accuracy(self._source.description, reference, artefacts, self._work)
        files: dict[str, Path | bytes] = {
            **dict(zip(golden.names, golden.pictures, strict=True)),
            **dict(outputs.values()),
            **labels,
        }
        section = {
            "pictures": golden.names,
            "outputs": outputs[first][0],
            "other_outputs": {
                STORED_NAMES[grid]: name for grid, (name, _) in outputs.items() if grid != first
            },
            "accuracy": accuracy,
        }
        return section, files

    def _evidence(self, reference: Exported) -> dict[str, bytes]:
        """Return the files of evidence by their names."""
        product, description = self._product, self._source.description
        affine = [artefact for artefact in product.artefacts if artefact.kind == "affine"]
        parity = (
            compare_layers(product.networks["affine"], description.input, self._checked, affine)
            if affine
            else []
        )
        names = {artefact.path.name for artefact in affine}
        seeds = [
            SeedResult.model_validate({"seed": row.seed, "engine": row.engine, **row.values()})
            for row in self._measurements
            if row.seed is not None and row.artefact in names
        ]
        boxes = []
        compared = ((reference, "float"), (product.artefacts[0], product.state))
        for artefact, state in compared if description.task == "detection" else ():
            boxes += find_boxes(description, artefact, state, self._golden.pictures)
        kinds: tuple[tuple[EvidenceFile[Any], Sequence[Any]], ...] = (
            (TRAINING, product.training),
            (SEEDS, seeds),
            (PARITY, parity),
            (SENSITIVITY, product.sensitivity),
            (BOXES, boxes),
        )
        return {kind.name: kind.encode(records) for kind, records in kinds if records}


def recipe_record(job: QuantizationJob, product: Product) -> dict[str, Any]:
    """Return the record of how the artefacts were made, for the manifest."""
    source, recipe = job.source, job.recipe
    calibration = f"calibration on {len(source.calibration)} pictures"
    record = {
        "model_sha256": hash_file(source.model),
        "edgeagent": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    if product.symmetric:
        lost = product.symmetric.lost
        outcome = f"training not kept: {lost}" if lost else "no training"
        record["symmetric"] = f"{product.symmetric.name} {calibration}, {outcome}"
    if product.state == "ptq":
        trained = f"training not kept: {product.not_kept}" if product.not_kept else "no training"
        return {"method": f"{product.method} {calibration}, {trained}", **record}
    training = recipe.training
    teachers = "self-distillation and labels" if training.supervised_weight else "self-distillation"
    return {
        **asdict(training),
        **recipe.model_dump(mode="json", exclude={"training", "quick"}),
        "ptq": recipe.effort,
        "method": f"{teachers}, {training.scales} scales and zero points, straight-through rounding",
        "start": f"{product.start} {calibration}",
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "pictures": len(source.pictures),
        "labelled_pictures": len(source.labels),
        "pictures_sha256": pictures_hash(source.pictures),
        **record,
    }


def _references(
    product: Product, spec: InputSpec, pictures: Sequence[Path]
) -> dict[ArtefactGrid, ReferenceOutputs]:
    """Return the outputs of the network of each kind of grid, and of the float model if it is an artefact."""
    found: dict[ArtefactGrid, ReferenceOutputs] = {
        kind: reference_outputs(network, spec, pictures) for kind, network in product.networks.items()
    }
    if any(artefact.kind == "float" for artefact in product.artefacts):
        kind, network = next(iter(product.networks.items()))
        found["float"] = float_outputs(network, spec, pictures, found[kind])
    return found


def _golden_files(
    references: dict[ArtefactGrid, ReferenceOutputs], work: Path
) -> dict[ArtefactGrid, tuple[str, Path]]:
    """Write reference outputs to the work folder; return (name in the bundle, file) by grid."""
    found: dict[ArtefactGrid, tuple[str, Path]] = {}
    for position, (grid, golden) in enumerate(references.items()):
        other = GOLDEN_OUTPUTS.replace(".npz", f"-{STORED_NAMES[grid]}.npz")
        name = GOLDEN_OUTPUTS if position == 0 else other
        found[grid] = name, work / Path(name).name
        save_reference_outputs(found[grid][1], golden)
    return found
