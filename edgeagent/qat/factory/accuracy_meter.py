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

from edgeagent.accuracy.coco_map import Found, mean_average_precision
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, detect_all
from edgeagent.accuracy.map_interval import MatchedDetections, map_difference
from edgeagent.bundle.manifest import MapLoss, Measurement, ModelDescription
from edgeagent.datasets.labels import LabelledData
from edgeagent.detection.detector import Detector, build_detector, load_detector
from edgeagent.qat.export.exports import Exported, roles
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.network.network import Network
from edgeagent.qat.network.simulated_engine import SimulatedEngine
from edgeagent.version import __version__

QuantizationState = Literal["float", "ptq", "qat"]


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
    """mAP of the float model, on all pictures and on each draw of the bootstrap."""

    map50_95: float
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
    def original(self) -> float | None:
        """mAP50-95 of the float model; None where it has not been measured."""
        return None if self._float is None else round(self._float.map50_95, 4)

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
            found = detect_all(detector, pictures)
            accuracy = mean_average_precision(found.truths, found.detections, found.labels)
            loss = self._loss(found, accuracy.map50_95, version.state)
        detector.engine.close()
        return Measurement(
            state=version.state,
            method=version.method,
            engine=f"{facts.engine} {facts.version} {facts.delegate}",
            map50_95=round(accuracy.map50_95, 4),
            map50=round(accuracy.map50, 4),
            images=accuracy.images,
            data_sha256=pictures.data_hash(),
            per_class={label: round(value, 4) for label, value in accuracy.per_class.items()},
            seed=version.seed,
            artefact=file,
            loss=loss,
        )

    def _loss(self, found: Found, map50_95: float, state: QuantizationState) -> MapLoss | None:
        """Return the loss against the float model, which is the first that is measured."""
        if self._float is None:
            if state == "float":
                self._float = _Original(map50_95, MatchedDetections(found).resampled())
            return None
        low, high = map_difference(self._float.resampled, MatchedDetections(found).resampled())
        lost = self._float.map50_95 - map50_95
        return MapLoss(map50_95=round(lost, 4), low=round(low, 4), high=round(high, 4))
