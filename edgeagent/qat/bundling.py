"""What a factory made, written as a bundle with its evidence."""

from __future__ import annotations

import hashlib
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
from edgeagent.bundle.manifest import GridName, InputSpec, Measurement
from edgeagent.bundle.writing import write_bundle
from edgeagent.qat.card import card_text
from edgeagent.qat.export.exports import Exported, export_reference
from edgeagent.qat.factory import Product
from edgeagent.qat.golden_boxes import find_boxes
from edgeagent.qat.golden_section import GoldenPictures
from edgeagent.qat.parity.layer_parity import compare_layers
from edgeagent.qat.parity.outputs import (
    float_outputs,
    reference_outputs,
    tolerance,
    worst_difference,
)
from edgeagent.qat.recipe_file import BundleRecipe
from edgeagent.qat.training.pictures import pictures_hash
from edgeagent.qat.training.run import START, TrainingSource
from edgeagent.version import __version__

GOLDEN_OUTPUTS = "golden/outputs.npz"
PARITY_PICTURES = 4  # of the calibration, where no golden ones are given


def write_product(
    target: Path,
    product: Product,
    source: TrainingSource,
    recipe: BundleRecipe,
    measurements: Sequence[Measurement],
    golden: GoldenPictures,
    work: Path,
    replace: bool,
) -> None:
    """Compare every artefact with its network and write the bundle, whole or not at all.

    Args:
        target: directory of the bundle.
        product: what was made.
        source: what it was made from.
        recipe: how.
        measurements: of accuracy.
        golden: pictures to publish with it; without any, four of the calibration are compared.
        work: folder for intermediate files.
        replace: replace a bundle that is already there.

    Raises:
        DataError: an artefact is not what was trained, or a golden label file cannot be used.
        EdgeagentError: the bundle cannot be written; an old one is as it was.
    """
    spec = source.description.input
    checked = list(golden.pictures or source.calibration[:PARITY_PICTURES])
    references = _references(product, spec, checked)
    worst = [
        worst_difference(artefact, spec, checked, references[artefact.grid]) for artefact in product.artefacts
    ]
    record = recipe_record(source, recipe, product)
    reference = export_reference(product.graph, work)
    evidence = _evidence(product, source, measurements, checked, golden.pictures, reference, work)
    manifest: dict[str, Any] = {
        **source.description.model_dump(),
        "artefacts": [artefact.entry() for artefact in product.artefacts],
        "evidence": {"measurements": measurements, "recipe": record, "files": list(evidence)},
        "minimum_agent_version": __version__,
    }
    files: dict[str, Path | bytes] = {artefact.path.name: artefact.path for artefact in product.artefacts}
    files |= evidence
    files["card.md"] = card_text(source.description, measurements, product.artefacts, record).encode()
    if golden.pictures:
        outputs = _golden_files(references, work)
        first = product.artefacts[0].grid
        accuracy, labels = golden.accuracy(source.description, reference, product.artefacts, work)
        files |= {**dict(zip(golden.names, golden.pictures, strict=True)), **dict(outputs.values()), **labels}
        manifest["golden"] = {
            "pictures": golden.names,
            "outputs": outputs[first][0],
            "other_outputs": {grid: name for grid, (name, _) in outputs.items() if grid != first},
            "tolerance": tolerance(worst),
            "accuracy": accuracy,
        }
    write_bundle(target, manifest, files, replace=replace)


def recipe_record(source: TrainingSource, recipe: BundleRecipe, product: Product) -> dict[str, Any]:
    """Return what made the artefacts, for the manifest."""
    calibration = f"calibration on {len(source.calibration)} pictures"
    record = {
        "model_sha256": hashlib.sha256(source.model.read_bytes()).hexdigest(),
        "edgeagent": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    if product.state == "ptq":
        return {"method": f"{product.method} {calibration}, no training", **record}
    training = recipe.training
    teachers = "self-distillation and labels" if training.supervised_weight else "self-distillation"
    return {
        **asdict(training),
        **recipe.model_dump(mode="json", exclude={"training"}),
        "method": f"{teachers}, {training.scales} scales and zero points, straight-through rounding",
        "start": f"{START} {calibration}",
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "pictures": len(source.pictures),
        "labelled_pictures": len(source.labels),
        "pictures_sha256": pictures_hash(source.pictures),
        **record,
    }


def _references(
    product: Product, spec: InputSpec, pictures: Sequence[Path]
) -> dict[GridName, ReferenceOutputs]:
    """Return what the network behind the artefacts of each grid answers."""
    found: dict[GridName, ReferenceOutputs] = {
        preset: reference_outputs(network, spec, pictures) for preset, network in product.networks.items()
    }
    if any(artefact.grid == "float" for artefact in product.artefacts):
        preset, network = next(iter(product.networks.items()))
        found["float"] = float_outputs(network, spec, pictures, found[preset])
    return found


def _golden_files(
    references: dict[GridName, ReferenceOutputs], work: Path
) -> dict[GridName, tuple[str, Path]]:
    """Write reference outputs to the work folder; return name in the bundle and file, by grid."""
    found: dict[GridName, tuple[str, Path]] = {}
    for position, (grid, golden) in enumerate(references.items()):
        name = GOLDEN_OUTPUTS if position == 0 else GOLDEN_OUTPUTS.replace(".npz", f"-{grid}.npz")
        found[grid] = name, work / Path(name).name
        save_reference_outputs(found[grid][1], golden)
    return found


def _evidence(
    product: Product,
    source: TrainingSource,
    measurements: Sequence[Measurement],
    checked: Sequence[Path],
    golden_pictures: Sequence[Path],
    reference: Exported,
    work: Path,
) -> dict[str, bytes]:
    """Return the files of evidence by their names."""
    spec = source.description.input
    parity = []
    for preset, network in product.networks.items():
        artefacts = [artefact for artefact in product.artefacts if artefact.grid == preset == "a"]
        parity += compare_layers(network, spec, checked, artefacts) if artefacts else []
    on_grid_a = {artefact.path.name for artefact in product.artefacts if artefact.grid == "a"}
    seeds = [
        SeedResult(seed=row.seed, engine=row.engine, map50_95=row.map50_95, map50=row.map50)
        for row in measurements
        if row.seed is not None and row.artefact in on_grid_a
    ]
    boxes = []
    for artefact, state in ((reference, "float"), (product.artefacts[0], product.state)):
        boxes += find_boxes(source.description, artefact, state, golden_pictures)
    kinds: tuple[tuple[EvidenceFile[Any], Sequence[Any]], ...] = (
        (TRAINING, product.training),
        (SEEDS, seeds),
        (PARITY, parity),
        (SENSITIVITY, product.sensitivity),
        (BOXES, boxes),
    )
    return {kind.name: kind.encode(records) for kind, records in kinds if records}
