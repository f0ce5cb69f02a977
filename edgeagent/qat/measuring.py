"""Accuracy of everything that a factory makes on the way, through one evaluator.

Artefacts are measured in the engine that reads them, by the detector that serves; the network itself through
:mod:`edgeagent.qat.network.simulated_engine`.
"""

from __future__ import annotations

from typing import Literal

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.bundle.manifest import Measurement, ModelDescription
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector, build_detector, load_detector
from edgeagent.qat.export.exports import Exported, roles
from edgeagent.qat.network.network import Network
from edgeagent.qat.network.simulated_engine import SimulatedEngine
from edgeagent.qat.train_view import View

State = Literal["float", "ptq", "qat"]


class Measuring:
    """Measures, and keeps what it measured.

    Args:
        description: how the model is fed and decoded.
        pictures: labelled, not trained on; None: nothing is measured.
        view: told what is going on.

    Attributes:
        found: measurements so far.
    """

    def __init__(self, description: ModelDescription, pictures: LabelledPictures | None, view: View) -> None:
        self._description, self._pictures, self._view = description, pictures, view
        self.found: list[Measurement] = []

    @property
    def possible(self) -> bool:
        """Whether there are labelled pictures."""
        return self._pictures is not None

    def artefact(
        self,
        artefact: Exported,
        state: State,
        method: str,
        engine: str = "auto",
        seed: int | None = None,
        keep: bool = True,
    ) -> Measurement | None:
        """Measure an artefact in an engine, and keep the result or not; None without labelled pictures."""
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
        row = self._measure(detector, state, method, artefact.path.name, seed)
        if keep:
            self.found.append(row)
        return row

    def network(
        self, network: Network, state: State, method: str, seed: int | None = None
    ) -> Measurement | None:
        """Measure a network in its present modes; None without labelled pictures."""
        if self._pictures is None:
            return None
        engine = SimulatedEngine(network)
        outputs = roles(network.graph, [tensor.name for tensor in engine.outputs])
        detector = build_detector(self._description, engine, outputs, "the network", IOU_THRESHOLD)
        row = self._measure(detector, state, method, None, seed)
        self.found.append(row)
        return row

    def _measure(
        self, detector: Detector, state: State, method: str, file: str | None, seed: int | None
    ) -> Measurement:
        assert self._pictures is not None  # noqa: S101 - the callers have looked
        facts = detector.engine.facts
        with self._view.busy(f"measuring {state} ({method}) through {facts.engine}"):
            accuracy = evaluate_detector(detector, self._pictures)
        detector.engine.close()
        return Measurement(
            state=state,
            method=method,
            engine=f"{facts.engine} {facts.version} {facts.delegate}",
            map50_95=round(accuracy.map50_95, 4),
            map50=round(accuracy.map50, 4),
            images=accuracy.images,
            data_sha256=self._pictures.data_hash(),
            per_class={label: round(value, 4) for label, value in accuracy.per_class.items()},
            seed=seed,
            artefact=file,
        )
