"""Accuracy meter: accuracy of all intermediate results of the factory, by one evaluator.

Artefacts are measured in an engine that reads them, with the detector of the daemon; networks through
:mod:`edgeagent.qat.network.simulated_engine`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime

from edgeagent.accuracy.evaluation import (
    IOU_THRESHOLD,
    Evaluation,
    accuracy_values,
    evaluate_model,
    measured_value,
)
from edgeagent.accuracy.map_interval import map_difference
from edgeagent.bundle.manifest import Measurement, ModelDescription
from edgeagent.bundle.task import MEASURES, AccuracyLoss, Measure
from edgeagent.datasets.labels import LabelledData
from edgeagent.detection.detector import Detector, build_detector, load_detector
from edgeagent.qat.export.exports import Exported, roles
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.network.network import Network
from edgeagent.qat.network.simulated_engine import SimulatedEngine
from edgeagent.version import __version__

QuantizationState = Literal["float", "ptq", "qat"]
LEAST_ABOVE_CHANCE = 0.02
"""Accuracy of a float model above that of chance from which differences say something: a usable detector has
.2 or more, and wrong colours or a wrong scale of pixels leave a few thousandths."""


@dataclass(frozen=True)
class ModelVersion:
    """Version of the model that is measured.

    Attributes:
        state: float, post-training quantized, or quantization-aware trained.
        method: method that led to the state.
        seed: seed of the training; None without training.
    """

    state: QuantizationState
    method: str
    seed: int | None = None


@dataclass(frozen=True)
class _Original:
    """Accuracy of the float model, on all pictures and on each draw of the bootstrap."""

    accuracy: float
    resampled: npt.NDArray[np.float64]


class AccuracyMeter:
    """Measurement of accuracy, and the record of all results.

    Args:
        description: description of the model.
        pictures: labelled pictures that are not trained on; None measures nothing.
        reporter: receiver of progress.

    Attributes:
        measurements: results so far.
    """

    def __init__(
        self, description: ModelDescription, pictures: LabelledData | None, reporter: Reporter
    ) -> None:
        self._description, self._pictures, self._reporter = description, pictures, reporter
        self.measurements: list[Measurement] = []
        self._float: _Original | None = None

    @property
    def possible(self) -> bool:
        """Whether there are labelled pictures."""
        return self._pictures is not None

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Labelled pictures; empty without any."""
        return self._pictures.pictures if self._pictures else ()

    @property
    def measure(self) -> Measure:
        """Measure of the task."""
        return MEASURES[self._description.task]

    @property
    def original(self) -> float | None:
        """Accuracy of the float model; None where it has not been measured."""
        return None if self._float is None else round(self._float.accuracy, 4)

    @property
    def meaningful(self) -> bool:
        """Whether the float model is accurate enough to compare quantizations by accuracy."""
        return is_meaningful(self.original, self.by_chance)

    @property
    def by_chance(self) -> float:
        """Accuracy of guesses."""
        return self.measure.by_chance(len(self._description.labels))

    def digest(self) -> str:
        """Return a digest of all that the accuracy of a network depends on; empty without pictures."""
        if self._pictures is None:
            return ""
        versions = f"edgeagent {__version__} onnxruntime {onnxruntime.__version__}"
        parts = (self._description.model_dump_json(), self._pictures.data_hash(), versions)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def artefact(
        self, artefact: Exported, version: ModelVersion, engine: str = "auto", keep: bool = True
    ) -> Measurement | None:
        """Measure an artefact in an engine.

        Args:
            artefact: exported file.
            version: version of the model.
            engine: name of the engine, or ``auto``.
            keep: whether the result is recorded.

        Returns:
            The result; None without labelled pictures.
        """
        if self._pictures is None:
            return None
        detector = load_detector(
            self._description,
            artefact.path,
            artefact.format,
            artefact.outputs,
            threads=0,
            iou_threshold=IOU_THRESHOLD,
            engine=engine,
        )
        row = self._measure(detector, self._pictures, version, artefact.path.name)
        if keep:
            self.measurements.append(row)
        return row

    def network(self, network: Network, version: ModelVersion) -> Measurement | None:
        """Measure a network in its present mode and record the result; None without labelled pictures."""
        if self._pictures is None:
            return None
        engine = SimulatedEngine(network)
        outputs = roles(network.graph, [tensor.name for tensor in engine.outputs])
        detector = build_detector(self._description, engine, outputs, "the network", IOU_THRESHOLD)
        row = self._measure(detector, self._pictures, version, None)
        self.measurements.append(row)
        return row

    def _measure(
        self, detector: Detector, pictures: LabelledData, version: ModelVersion, file: str | None
    ) -> Measurement:
        facts = detector.engine.facts
        with self._reporter.stage(f"measuring {version.state} ({version.method}) in {facts.engine}"):
            found = evaluate_model(detector, pictures)
            loss = self._loss(found, version.state)
        detector.engine.close()
        return Measurement(
            state=version.state,
            method=version.method,
            engine=f"{facts.engine} {facts.version} {facts.delegate}",
            **accuracy_values(found),
            images=found.accuracy.images,
            data_sha256=pictures.data_hash(),
            per_class={label: round(value, 4) for label, value in found.accuracy.per_class.items()},
            seed=version.seed,
            artefact=file,
            loss=loss,
        )

    def _loss(self, found: Evaluation, state: QuantizationState) -> AccuracyLoss | None:
        """Return the loss against the float model, which is the first that is measured."""
        if self._float is None:
            if state == "float":
                self._float = _Original(measured_value(found), found.resampled())
            return None
        low, high = map_difference(self._float.resampled, found.resampled())
        lost = round(self._float.accuracy - measured_value(found), 4)
        return AccuracyLoss.model_validate(
            {self.measure.field: lost, "low": round(low, 4), "high": round(high, 4)}
        )


def is_meaningful(original: float | None, by_chance: float) -> bool:
    """Return whether a float model is accurate enough to compare quantizations by accuracy.

    Args:
        original: accuracy of the float model; None where it was not measured.
        by_chance: accuracy of guesses: a classifier that guesses is right once in as many pictures as there
            are classes.
    """
    return original is not None and original >= by_chance + LEAST_ABOVE_CHANCE
